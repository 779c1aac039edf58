"""`aerodrome platform backup|verify|restore`: the platform's own state in one encrypted file. On the server's machine."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from aerodrome.bootstrap import build
from aerodrome.bootstrap.safekeeping import metadata
from aerodrome.bootstrap.safekeeping import platform as safekeeping
from aerodrome.bootstrap.safekeeping.platform import Contents
from aerodrome.cli.options import OFFLINE_DEFAULTS, Offline, say
from aerodrome.cli.output import write_fields, write_json
from aerodrome.cli.words import secret_from
from aerodrome.kernel.amounts import size
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Conflict, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.settings import load_settings
from aerodrome.settings.model import Settings

app = App(name="platform", help="Back the platform up, and restore it.")
File = Annotated[Path, Parameter(help="The backup file.")]
Home = Annotated[Path | None, Parameter(help="Folder that holds everything, as given to serve.")]
KeyFile = Annotated[
    Path | None,
    Parameter(help="Read the passphrase from this file; else it is asked for, or read from standard input."),
]
KeyEnv = Annotated[str | None, Parameter(help="Read the passphrase from this environment variable.")]


@app.command
def backup(
    file: File,
    /,
    *,
    snapshots: Annotated[
        bool, Parameter(help="Also the snapshots of metadata databases; they can be large.", negative=())
    ] = False,
    with_databases: Annotated[
        bool, Parameter(help="First take a snapshot of every metadata database, and put it in.", negative=())
    ] = False,
    passphrase_file: KeyFile = None,
    passphrase_env: KeyEnv = None,
    home: Home = None,
    offline: Offline = OFFLINE_DEFAULTS,
) -> None:
    """Write database, keys, bundles and migrations into one encrypted file; the server may be running."""
    passphrase = _passphrase(passphrase_file, passphrase_env, is_new=True)
    settings = load_settings(home=home, log_level="warning")
    fresh = _snapshots(settings, file) if with_databases else {}
    contents = safekeeping.back_up(
        settings, SystemClock(), file, passphrase, with_snapshots=snapshots, progress=say, fresh=fresh
    )
    _show(file, contents, offline)
    say("Keep the passphrase apart from the file: without it nobody can open it.")


@app.command
def verify(
    file: File,
    /,
    *,
    passphrase_file: KeyFile = None,
    passphrase_env: KeyEnv = None,
    offline: Offline = OFFLINE_DEFAULTS,
) -> None:
    """Read a backup to its end and check every part of it; changes nothing."""
    _show(file, safekeeping.verify(file, _passphrase(passphrase_file, passphrase_env)), offline)


@app.command
def restore(
    file: File,
    /,
    *,
    passphrase_file: KeyFile = None,
    passphrase_env: KeyEnv = None,
    home: Home = None,
    offline: Offline = OFFLINE_DEFAULTS,
) -> None:
    """Restore a backup into an empty home (and an empty database); no server may run there."""
    passphrase = _passphrase(passphrase_file, passphrase_env)
    settings = load_settings(home=home, log_level="warning")
    contents = safekeeping.restore(settings, file, passphrase, progress=say)
    _show(file, contents, offline)
    say(f"Start it: aerodrome serve --home {settings.home}. Virtualenvs are built again, which takes some minutes.")


def _snapshots(settings: Settings, file: Path) -> dict[str, str]:
    if file.exists():  # before minutes are spent
        raise Conflict(f"{file} exists already.", code="backup-exists", hint="Choose another name.")
    platform = build(settings)
    try:
        return metadata.take_all(platform.reconciler.context, say)
    finally:
        platform.store.close()


def _passphrase(file: Path | None, env: str | None, *, is_new: bool = False) -> Secret:
    passphrase = secret_from(env=env, file=file, prompt="Passphrase")
    if is_new and env is None and file is None and sys.stdin.isatty():
        again = secret_from(prompt="Once more")
        if again != passphrase:
            raise Invalid("The two passphrases differ.", code="passphrase-mistyped", hint="Start again.")
    return passphrase


def _show(file: Path, contents: Contents, offline: Offline) -> None:
    data = {
        **asdict(contents.about),
        "file": file,
        "files": len(contents.files),
        "rows": sum(contents.row_counts.values()),
        "size_bytes": contents.size_bytes,
    }
    if offline.output == "json":
        write_json(data)
        return
    shown = {**data, "size": size(contents.size_bytes)}
    fields = {"File": "file", "Made": "created_at", "Version": "aerodrome_version", "Schema": "schema_revision"}
    write_fields("table", shown, {**fields, "Files": "files", "Rows": "rows", "Size": "size"})
