"""Makes a deployment's metadata database ready before its components start. Standard library only; used by the shim.

A fresh SQLite file is copied from a template that the same virtualenv's own `airflow db migrate` made once (a copy costs
nothing, a migration 4 to 6 CPU seconds). Another database is prepared by `airflow db migrate`, once. A database that belongs to
another Airflow version is refused: only a deploy changes the version, by the runtime's `convert`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from aerodrome.runtimes.local.layout import Layout, read_json, write_json
from aerodrome.runtimes.local.logfiles import open_log

_TIMEOUT_S = 1800.0


class PreparationFailed(Exception):
    """The database could not be made ready; the text is a sentence for people."""


def prepare(layout: Layout, desired: dict[str, Any]) -> None:
    """Create or migrate the database of the wish; does nothing when this was done before."""
    wanted = {"airflow_version": desired["airflow_version"], "database": desired["database_key"]}
    done = read_json(layout.migrated) or {}
    if done == wanted and (not desired["is_sqlite"] or layout.database.exists()):
        return
    before = done.get("airflow_version") if done.get("database") == wanted["database"] else None
    if before is not None and before != wanted["airflow_version"]:
        raise PreparationFailed(
            f"The metadata database belongs to Airflow {before}, and Airflow {wanted['airflow_version']} is wanted. "
            "Only a deploy changes the version: `aerodrome deployment upgrade` or `aerodrome deploy rollback`."
        )
    if desired["is_sqlite"] and not layout.database.exists() and desired.get("template"):
        _copy_template(layout, desired)
    else:
        _migrate(desired["migrate"], desired["environment"], layout.home, layout.log("database"))
    write_json(layout.migrated, wanted)


def _copy_template(layout: Layout, desired: dict[str, Any]) -> None:
    template = Path(desired["template"])
    lock = os.open(template.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            _make_template(template, desired, layout.log("database"))
    except OSError as error:
        raise PreparationFailed(f"The template database could not be made: {error.strerror}.") from error
    finally:
        os.close(lock)
    draft = layout.database.with_name(f".{layout.database.name}")
    shutil.copyfile(template, draft)
    draft.chmod(0o600)
    draft.replace(layout.database)


def _make_template(template: Path, desired: dict[str, Any], log: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".template-", dir=template.parent) as folder:
        database = Path(folder) / "airflow.db"
        environment = {
            **desired["environment"],
            "AIRFLOW_HOME": folder,
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": f"{folder}/logs",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database}",
        }
        _migrate(desired["migrate"], environment, Path(folder), log)
        connection = sqlite3.connect(database)
        try:
            connection.execute("pragma wal_checkpoint(truncate)")
        finally:
            connection.close()
        database.replace(template)


def _migrate(command: list[str], environment: dict[str, str], folder: Path, log: Path) -> None:
    output = open_log(log)
    started = time.monotonic()
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PreparationFailed(f"`airflow db migrate` could not finish: {error.__class__.__name__}.") from error
    finally:
        os.close(output)
    if done.returncode:
        raise PreparationFailed(
            f"`airflow db migrate` ended with exit code {done.returncode} after {time.monotonic() - started:.0f} seconds; "
            "its output is in the log of the component `database`."
        )
