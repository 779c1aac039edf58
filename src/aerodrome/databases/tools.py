"""PostgreSQL's own programs: which to take, and how to run them without a password on the command line."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from aerodrome.databases.guards import dies_with_us
from aerodrome.databases.places import PostgresPlace
from aerodrome.kernel.errors import Broken, Unavailable

_FOLDERS = (Path("/usr/lib/postgresql"), Path("/usr"), Path("/opt/homebrew/opt"), Path("/usr/local/opt"))
_FAST = "-c synchronous_commit=off -c maintenance_work_mem=256MB"


def dump(place: PostgresPlace, target: Path, *, at: str, jobs: int) -> None:
    """Write the database as of the exported snapshot `at` into a folder that does not exist yet (directory format)."""
    _run(place, "pg_dump", "-Fd", f"--jobs={jobs}", "--compress=1", f"--snapshot={at}", "--no-sync", f"--file={target}")


def load(place: PostgresPlace, source: Path, *, jobs: int) -> None:
    """Load a dump into an empty database; half of it stays there when this fails."""
    _run(
        place,
        "pg_restore",
        *("--no-owner", "--no-privileges", "--no-comments", "--exit-on-error"),
        f"--jobs={jobs}",
        f"--dbname={place.name}",
        str(source),
    )


def load_over(place: PostgresPlace, source: Path) -> None:
    """Load a dump over what is there in one transaction: all or nothing, without parallel work."""
    _run(
        place,
        "pg_restore",
        *("--no-owner", "--no-privileges", "--no-comments", "--single-transaction", "--clean", "--if-exists"),
        f"--dbname={place.name}",
        str(source),
    )


def find(program: str, server_major: int) -> Path:
    """Give the program of the server's version, or of the lowest newer one; Unavailable when there is none."""
    found: dict[int, Path] = {}
    for root in _FOLDERS[:1]:
        for path in root.glob(f"*/bin/{program}"):
            if path.parent.parent.name.isdigit():
                found[int(path.parent.parent.name)] = path
    if (on_path := shutil.which(program)) and (major := _major(Path(on_path))):
        found.setdefault(major, Path(on_path))
    fitting = sorted(major for major in found if major >= server_major)
    if fitting:
        return found[fitting[0]]
    if found:
        raise Unavailable(
            f"The server is PostgreSQL {server_major}, but the newest {program} here is of version {max(found)}.",
            code="postgres-tools-too-old",
            hint=f"Install the client programs of PostgreSQL {server_major} or newer, e.g. postgresql-client-{server_major}.",
        )
    raise Unavailable(
        f"The program {program} is missing.",
        code="postgres-tools-missing",
        hint="Install PostgreSQL's client programs: apt-get install postgresql-client, or dnf install postgresql.",
    )


def server_major(place: PostgresPlace) -> int:
    with place.connect() as connection:
        return connection.info.server_version // 10000


def _major(path: Path) -> int | None:
    done = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(found.group(1)) if found else None


def _run(place: PostgresPlace, program: str, *arguments: str) -> None:
    path = find(program, server_major(place))
    with place.program_environment(_FAST) as environment:
        done = subprocess.run(
            dies_with_us([str(path), "--no-password", *arguments]),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error:" in line or "FATAL" in line]
        raise Broken(
            f"PostgreSQL's {program} failed on {place.label}: {_short(lines[0] if lines else done.stderr)}",
            code=f"{program.replace('_', '-')}-failed",
            hint="Look for the reason in the sentence above: rights, disk space, extensions that the server lacks.",
        )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line[:300] if line else "it said nothing."
