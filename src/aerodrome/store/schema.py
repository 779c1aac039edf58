"""Brings a database to the schema of this version (Alembic), and tells where it stands.

`python -m aerodrome.store.schema` writes the revision that is not released yet anew, from the models; released ones stay.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Connection

from aerodrome.kernel.errors import Broken, Conflict
from aerodrome.store.engine import Store, open_store
from aerodrome.store.tables.base import Moment
from aerodrome.store.tables.registry import all_tables
from aerodrome.store.turns import take_turns

_FOLDER: Final = Path(__file__).parent / "alembic"
UNRELEASED: Final = ("0004", "Add alert channels")


def _render(kind: str, thing: Any, _context: Any) -> str | bool:
    if kind == "type" and isinstance(thing, Moment):
        return "Moment()"
    if kind == "type" and isinstance(thing, JSON):
        return "Json"
    return False


RENDERING: Final[dict[str, Any]] = {"render_item": _render}


def upgrade(store: Store, revision: str = "head") -> None:
    """Bring the database to the newest revision (or to `revision`), all or nothing; safe to run from several servers at once."""
    with store.engine.execution_options(aerodrome_writes=True).connect() as connection:
        is_sqlite = store.dialect == "sqlite"
        if is_sqlite:  # rebuilding a table (batch mode) must not cascade; not possible inside a transaction
            _pragma(connection, "foreign_keys=OFF")
        try:
            with connection.begin():
                take_turns(connection, "schema")
                _refuse_newer(connection)
                command.upgrade(_config(connection), revision)
                if is_sqlite and (rows := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()):
                    raise Broken(f"{len(rows)} rows would point nowhere after the upgrade.", code="schema-broken")
        finally:
            if is_sqlite:
                _pragma(connection, "foreign_keys=ON")


def current(store: Store) -> str | None:
    """Give the revision that the database is at; None when it is empty."""
    with store.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str:
    """Give the newest revision that this version knows."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def differences(store: Store) -> list[Any]:
    """Give what Alembic would still change to make the database equal to the models; empty when they are equal."""
    with store.engine.connect() as connection:
        options = {"compare_type": True, **RENDERING}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), all_tables()))


def regenerate(folder: Path = _FOLDER / "versions") -> Path:
    """Write the unreleased revision anew into `folder`: what leads from the last released one to the models."""
    for path in folder.glob(f"{UNRELEASED[0]}_*.py"):
        path.unlink()
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(folder, f"{scratch}/versions", ignore=shutil.ignore_patterns("__pycache__"))
        store = open_store(f"sqlite:///{scratch}/empty.db")
        with store.engine.connect() as connection:
            config = _config(connection)
            config.set_main_option("version_locations", f"{scratch}/versions")
            command.upgrade(config, "head")
            connection.commit()
            config.attributes["is_generating"] = True
            command.revision(config, UNRELEASED[1], autogenerate=True, rev_id=UNRELEASED[0])
        store.close()
        (fresh,) = Path(scratch, "versions").glob(f"{UNRELEASED[0]}_*.py")
        written = shutil.copyfile(fresh, folder / fresh.name)
    for arguments in (("check", "--quiet", "--fix"), ("format", "--quiet")):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, str(written)], check=True)
    return written


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    return config


def _pragma(connection: Connection, setting: str) -> None:
    connection.connection.cursor().execute(f"PRAGMA {setting}")


def _refuse_newer(connection: Connection) -> None:
    at = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if at is not None and at not in known:
        raise Conflict(
            f"The database is at revision {at}, which this version does not know.",
            code="schema-newer",
            hint="Run the newer version of aerodrome, or restore the backup from before the upgrade.",
        )


if __name__ == "__main__":
    sys.stdout.write(f"{regenerate()}\n")
