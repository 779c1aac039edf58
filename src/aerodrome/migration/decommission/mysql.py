"""A MySQL or MariaDB metadata database at rest: an SQL file that the server's own client reads, and a manifest.

Read in one consistent snapshot (InnoDB's repeatable read), streamed, with the reading rights of the source's account; moments are
written in UTC. Restored for the proof into a server of our own that lives as long as the trial, never on the source's.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.digest import digest_of_file
from aerodrome.kernel.errors import Broken, Invalid, Unavailable
from aerodrome.kernel.secret import Secret

FORMAT: Final = 1
DUMP, MANIFEST = "dump.sql.gz", "manifest.json"
_ROWS = 1000  # fetched at once
_STATEMENT_BYTES = 512 * 1024  # of one INSERT; every server takes that
_START_S = 60.0
_NAME: Final = "trial"
_HEAD = """\
SET NAMES utf8mb4;
SET SESSION time_zone = '+00:00';
SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
SET FOREIGN_KEY_CHECKS = 0;
SET UNIQUE_CHECKS = 0;
"""
_ESCAPES: Final = str.maketrans({
    "\\": "\\\\", "'": "\\'", "\0": "\\0", "\n": "\\n", "\r": "\\r", "\x1a": "\\Z",
})  # fmt: skip
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Dumped:
    """What was written."""

    dialect: str
    airflow_version: str
    revision: str
    taken_at: str
    size_bytes: int
    digest: str  # of the SQL file
    row_counts: Mapping[str, int]
    seconds: float

    def as_data(self) -> dict[str, Any]:
        return {**asdict(self), "row_counts": dict(self.row_counts)}


def is_mysql(url: Secret) -> bool:
    """Tell whether a URL names a MySQL or MariaDB."""
    return make_url(url.reveal()).get_backend_name() in ("mysql", "mariadb")


def dump(url: Secret, folder: Path, airflow_version: str, progress: Progress) -> Dumped:
    """Write the database into a new folder (0700). Repeating it starts anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    began, taken_at = time.monotonic(), datetime.now(UTC)
    path = folder / DUMP
    with closing(MetadataDatabase(url)) as database:
        revision = database.revision()
        with database.reading() as connection, gzip.open(path, "wb", compresslevel=3) as stream:
            counts = _write(connection, stream, progress)
    path.chmod(0o600)
    made = Dumped(
        dialect="mysql",
        airflow_version=airflow_version,
        revision=revision,
        taken_at=str(to_text(taken_at)),
        size_bytes=path.stat().st_size,
        digest=digest_of_file(path),
        row_counts=counts,
        seconds=round(time.monotonic() - began, 3),
    )
    (folder / MANIFEST).write_text(json.dumps({"format": FORMAT, **made.as_data()}, indent=1), encoding="utf-8")
    return made


def _write(connection: Connection, stream: gzip.GzipFile, progress: Progress) -> dict[str, int]:
    def say(line: str) -> None:
        stream.write(line.encode())

    connection.execute(text("SET SESSION sql_mode = ''"))  # a backslash escapes: what follows is written so
    tables = list(
        connection.scalars(
            text(
                "select table_name from information_schema.tables "
                "where table_schema = database() and table_type = 'BASE TABLE' order by table_name"
            )
        )
    )
    say(_HEAD)
    counts: dict[str, int] = {}
    for number, table in enumerate(tables, 1):
        progress(f"copying table {number} of {len(tables)}: {table}")
        name = _quoted(table)
        created = connection.exec_driver_sql(f"show create table {name}").one()[1]
        say(f"DROP TABLE IF EXISTS {name};\n{created};\n")
        counts[table] = _rows(connection, table, say)
    say("SET FOREIGN_KEY_CHECKS = 1;\n")
    return counts


def _rows(connection: Connection, table: str, say: Callable[[str], None]) -> int:
    columns = list(
        connection.scalars(
            text(
                "select column_name from information_schema.columns where table_schema = database() "
                "and table_name = :table and extra not like '%GENERATED%' order by ordinal_position"
            ),
            {"table": table},
        )
    )
    names = ", ".join(_quoted(column) for column in columns)
    head = f"INSERT INTO {_quoted(table)} ({names}) VALUES\n"
    count, waiting, size = 0, list[str](), 0
    reading = connection.execution_options(stream_results=True)
    result = reading.exec_driver_sql(f"select {names} from {_quoted(table)}")
    for row in _fetched(result):
        line = "(" + ",".join(map(_literal, row)) + ")"
        waiting.append(line)
        size += len(line)
        count += 1
        if size > _STATEMENT_BYTES:
            say(head + ",\n".join(waiting) + ";\n")
            waiting, size = [], 0
    if waiting:
        say(head + ",\n".join(waiting) + ";\n")
    return count


def _fetched(result: Any) -> Iterator[Sequence[Any]]:
    while rows := result.fetchmany(_ROWS):
        yield from rows


def _literal(value: Any) -> str:
    """Write a value as MySQL reads it; a backslash escapes (the head of the file says so)."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes | bytearray):
        return f"x'{bytes(value).hex()}'" if value else "''"
    if isinstance(value, bool | int | float | Decimal):
        return str(int(value)) if isinstance(value, bool) else str(value)
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        hours, rest = divmod(int(abs(seconds)), 3600)
        return f"'{'-' if seconds < 0 else ''}{hours:02}:{rest // 60:02}:{rest % 60:02}.{abs(value.microseconds):06}'"
    return f"'{str(value).translate(_ESCAPES)}'"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def written(folder: Path) -> dict[str, int]:
    """Give how many rows of each table were written into a dump."""
    found: dict[str, int] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["row_counts"]
    return found


def restore_into_trial(folder: Path, progress: Progress) -> dict[str, int]:
    """Load a dump into a server of our own, below the folder, and count its rows; Broken when the file is not what was written.

    Invalid names the package when this machine has no server.
    """
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    path = folder / DUMP
    if digest_of_file(path) != manifest["digest"]:
        raise Broken("The backup is not what was written.", code="backup-damaged", hint="Take it again.")
    with _server(folder / "server") as socket:
        progress("restoring the backup into an empty database")
        client = ["mariadb", "--no-defaults", f"--socket={socket}", "--user=root", "--binary-mode"]
        _run([*client, "--execute", f"create database {_NAME} character set utf8mb4"], None)
        with gzip.open(path, "rb") as stream:
            _run([*client, _NAME], stream)
        counts = {}
        for table in manifest["row_counts"]:
            said = _run(
                [*client, "--skip-column-names", _NAME, "--execute", f"select count(*) from {_quoted(table)}"], None
            )
            counts[table] = int(said)
    return counts


@contextmanager
def _server(folder: Path) -> Iterator[Path]:
    """Start a server that listens on nothing but a socket in the folder, and end it."""
    for program in ("mariadbd", "mariadb-install-db", "mariadb"):
        if shutil.which(program) is None:
            raise Invalid(
                "This machine has no MariaDB in which the backup could be restored once.",
                code="mysql-server-missing",
                hint="Install the package mariadb-server where the platform runs, then check again.",
            )
    folder.mkdir(mode=0o700)
    data, socket = folder / "data", _short(folder)
    user = [f"--user={'root' if os.geteuid() == 0 else _me()}"]
    install = ["mariadb-install-db", "--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal", f"--datadir={data}"]  # fmt: skip
    _run([*install, *user], None)
    command = ["mariadbd", "--no-defaults", *user, f"--datadir={data}", f"--socket={socket}", "--skip-networking",
               "--innodb-flush-log-at-trx-commit=0", "--explicit-defaults-for-timestamp=1", "--max-allowed-packet=64M",
               f"--pid-file={folder / 'pid'}"]  # fmt: skip
    with (folder / "server.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _await(process, socket)
            yield socket
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            shutil.rmtree(socket.parent, ignore_errors=True)


def _short(folder: Path) -> Path:
    """Give a place for the socket: its path may be no longer than 107 bytes."""
    import tempfile  # only here

    del folder
    return Path(tempfile.mkdtemp(prefix="aero-")) / "s"


def _await(process: subprocess.Popen[bytes], socket: Path) -> None:
    ask = ["mariadb", "--no-defaults", f"--socket={socket}", "--user=root", "--execute", "select 1"]
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        if subprocess.run(ask, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.2)
    raise Unavailable(
        "The MariaDB for the trial did not start.",
        code="mysql-server-silent",
        hint="See whether memory and disk are enough, then check again.",
        retry_after_s=60,
    )


def _run(command: list[str], stream: gzip.GzipFile | None) -> str:
    """Run a program of MariaDB; its complaint may quote rows, so only its number is told."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE if stream is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        if stream is not None and process.stdin is not None:
            with suppress(BrokenPipeError):  # what it says of it is read below
                shutil.copyfileobj(stream, process.stdin, 1 << 20)
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.stdin = None
        output, errors = process.communicate()
    if process.returncode != 0:
        first = errors.decode(errors="replace").strip().partition(":")[0][:80]
        raise Broken(
            f"{command[0]} could not do it: {first or 'it ended with ' + str(process.returncode)}.",
            code="mysql-trial-failed",
            hint="The backup itself stands; restore it on a server of the source's own version to be sure.",
        )
    return output.decode(errors="replace").strip()


def _me() -> str:
    import pwd  # only here

    return pwd.getpwuid(os.geteuid()).pw_name
