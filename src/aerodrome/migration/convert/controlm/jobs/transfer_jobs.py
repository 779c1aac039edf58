"""Jobs that move files: watchers and managed transfers, as sensors, copies and file commands."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, ConnectionNeed, Expression, Symbol
from aerodrome.migration.convert.controlm import snippets
from aerodrome.migration.convert.controlm.jobs import server_files
from aerodrome.migration.convert.controlm.jobs.transfer_ends import Command, Side, Transfer
from aerodrome.migration.convert.controlm.jobs.transfers import transfers_of
from aerodrome.migration.convert.controlm.jobs.workbench import Workbench
from aerodrome.migration.convert.controlm.plugins.details import detail, plain_name
from aerodrome.migration.convert.controlm.site import connection_id
from aerodrome.migration.convert.controlm.variables.autoedit import variable_key

SFTP_SENSOR: Final = Symbol(
    "SFTPSensor",
    {"2.11": "airflow.providers.sftp.sensors.sftp", "3.3": "airflow.providers.sftp.sensors.sftp"},
    {"2.11": "apache-airflow-providers-sftp", "3.3": "apache-airflow-providers-sftp"},
)
FILE_TRANSFER: Final = Symbol(
    "FileTransferOperator",
    {
        "2.11": "airflow.providers.common.io.operators.file_transfer",
        "3.3": "airflow.providers.common.io.operators.file_transfer",
    },
    {"2.11": "apache-airflow-providers-common-io", "3.3": "apache-airflow-providers-common-io"},
)
_PACKAGES: Final = {
    "sftp": "apache-airflow-providers-sftp[sshfs]>=5.7.0",  # the first with a filesystem for Airflow's storage
    "s3": "apache-airflow-providers-amazon[s3fs]",
    "gs": "apache-airflow-providers-google",
    "abfs": "apache-airflow-providers-microsoft-azure",
}


_UNWATCHED: Final = (
    "minage",
    "maxage",
    "minimalage",
    "maximalage",
    "mindetsize",
    "minimalsize",
    "minimumsize",
    "starttime",
    "stoptime",
)
_UNSET: Final = ("", "0", "NOW", "NO_MIN_AGE", "NO_MAX_AGE")


def file_watcher(bench: Workbench) -> None:
    """Make the sensor of a file watcher; one that waits for a deletion is a loop on its host."""
    details = bench.job.details
    path = detail(details, ("path", "filewatchfilepath", "filepath")) or details.get("FileWatch-FILE_PATH", "")
    path = served(bench, path)
    mode = (details.get("mode") or detail(details, ("filewatchmode",)) or "CREATE").upper()
    if not path:
        bench.fail("watcher-path", "The file watcher names no file.")
        return
    limit = detail(details, ("limitminutes", "timelimit", "filewatchtimelimit", "waittime"))
    minutes = int(limit) if limit.isdigit() else 0
    if limit and not limit.isdigit():
        bench.note("watcher-limit", f"Its time limit {limit} is no number of minutes, and has no effect.")
    pause = detail(details, ("searchinterval", "searchseconds", "filewatchintfilesearches", "intfilesearches"))
    seconds = int(pause) if pause.isdigit() and int(pause) else 60
    if mode.startswith("DEL") or bench.job.type_name.endswith(":Delete"):
        if not minutes:
            bench.note("watcher-limit", "It waits for the deletion without a limit, in a loop on the host of the job.")
        bench.run(bench.text(until_deleted(path, seconds, minutes * 60)))
        return
    bench.note(
        "watcher-size", "The file is taken when it is there; Control-M also waits until its size stays the same."
    )
    waiting: list[tuple[str, Expression]] = [("poke_interval", seconds)]
    waiting.append(("mode", "reschedule"))
    if asked := sorted(
        key
        for key, value in details.items()
        if plain_name(key).removeprefix("filewatch") in _UNWATCHED and value.strip().upper() not in _UNSET
    ):
        bench.note(
            "watcher-age", f"{', '.join(asked)} of the file watcher has no effect: every file of the name is taken."
        )
    waiting.append(("timeout", timedelta(minutes=minutes) if minutes else timedelta(days=7)))
    if not minutes:
        bench.note("watcher-limit", "It waits at most 7 days.")
    host = bench.site.host(bench.job.host)
    bench.work.queue = host.queue
    if host.is_worker:
        bench.connect(ConnectionNeed("fs_default", "fs", why="file watchers on the worker"))
        bench.step("", symbols.FILE_SENSOR, ("filepath", bench.text(path)), *waiting, is_waiting=True)
        return
    folder, _, name = path.rpartition("/")
    where: list[tuple[str, Expression]] = [("path", bench.text(path))]
    if re.search(r"[*?]", name):
        where = [("path", bench.text(folder or "/")), ("file_pattern", bench.text(name))]
    bench.step("", SFTP_SENSOR, ("sftp_conn_id", bench.ssh()), *where, *waiting, is_waiting=True)


def until_deleted(path: str, pause_s: int, limit_s: int) -> str:
    """Give the shell text that waits until a file is there and then until it has gone; it ends with 7 after its limit (0: without one).

    So does ctmfw: in mode DELETE it detects files of the name first, then that all of them are deleted (parameters and return codes of ctmfw).
    """
    parts = re.split(r"([*?]+)", path)
    words = "".join(part if number % 2 else f'"{part}"' if part else "" for number, part in enumerate(parts))
    limit = f'[ "$waited" -lt {limit_s} ] || exit 7; ' if limit_s else ""
    return (
        f'is_there() {{ for file in {words}; do [ -e "$file" ] && return 0; done; return 1; }}\n'
        f"pause() {{ {limit}sleep {pause_s}; waited=$((waited + {pause_s})); }}\n"
        "waited=0\nuntil is_there; do pause; done\nwhile is_there; do pause; done"
    )


def file_transfer(bench: Workbench) -> None:
    """Make the tasks of a transfer job: for each pair of files a wait, commands, a copy."""
    kinds = {name: item.type_name for name, item in bench.profiles.items()} | dict(bench.site.profiles)
    found = transfers_of(bench.job.details, kinds)
    if isinstance(found, str):
        bench.fail("transfer", found)
        return
    for number, item in enumerate(found, 1):
        _transfer(bench, item, f"_{number}" if len(found) > 1 else "")


def _transfer(bench: Workbench, item: Transfer, suffix: str) -> None:
    item = replace(item, source=placed(bench, item.source), destination=placed(bench, item.destination))
    for note in item.notes:
        bench.note("transfer-option", note)
    bench.work.packages.update(packages_of((item.source, item.destination)))
    ends = account(bench, item.source), account(bench, item.destination)
    paths = bench.text(item.source.address), bench.text(item.destination.address)
    _file_commands(bench, item.before, f"{suffix}_before")
    if item.is_watching:
        _watch(bench, item, f"{suffix}_wait" if item.is_copying else suffix, paths[0], ends[0])
    if item.is_copying:
        _copy(bench, item, suffix, ends, paths)
    _file_commands(bench, item.after, f"{suffix}_after")


def _file_commands(bench: Workbench, commands: tuple[Command, ...], suffix: str) -> None:
    for number, command in enumerate(commands, 1):
        side = placed(bench, command.side)
        given: dict[str, Expression] = {
            "action": command.action,
            "path": bench.text(side.address),
            "conn_id": account(bench, side),
        }
        is_by_hook = side.is_by_hook or command.action == "chmod"
        if command.action == "chmod":
            given["target"] = command.target
        elif command.target:
            given["target"] = bench.text(replace(side, path=command.target).address)
        if not command.is_needed:
            given["is_needed"] = False
        if is_by_hook:
            bench.work.functions += [server_files.SERVER_OF, server_files.SERVER_COMMAND]
        else:
            bench.work.functions.append(snippets.FILE_COMMAND)
        bench.step(
            f"{suffix}_{number}",
            symbols.PYTHON,
            ("python_callable", Code("server_command" if is_by_hook else "file_command")),
            ("op_kwargs", given),
        )


def _watch(bench: Workbench, item: Transfer, suffix: str, path: str, conn_id: str | None) -> None:
    if item.source.is_by_hook:
        bench.work.functions += [server_files.SERVER_OF, server_files.MATCHING, server_files.IS_ON_SERVER]
    else:
        bench.work.functions.append(snippets.IS_THERE)
    if item.waits is None:
        bench.note("watcher-limit", "It waits at most 7 days.")
    bench.step(
        suffix,
        symbols.PYTHON_SENSOR,
        ("python_callable", Code("is_on_server" if item.source.is_by_hook else "is_there")),
        ("op_kwargs", {"path": path, "conn_id": conn_id}),
        ("poke_interval", 60),
        ("mode", "reschedule"),
        ("timeout", item.waits or timedelta(days=7)),
        is_waiting=True,
    )


def _copy(
    bench: Workbench, item: Transfer, suffix: str, ends: tuple[str | None, str | None], paths: tuple[str, str]
) -> None:
    if item.pgp:
        _with_pgp(bench, item, suffix, ends, paths)
        return
    if item.is_plain and not item.is_by_hook:
        bench.step(
            suffix,
            FILE_TRANSFER,
            ("src", paths[0]),
            ("dst", paths[1]),
            ("source_conn_id", ends[0]),
            ("dest_conn_id", ends[1]),
            ("overwrite", True),
        )
        return
    if item.is_by_hook:
        bench.work.functions += [server_files.SERVER_OF, server_files.MATCHING, server_files.SERVER_TRANSFER]
    else:
        bench.work.functions.append(snippets.TRANSFER)
    values: dict[str, Expression] = {
        "source": paths[0],
        "source_conn_id": ends[0],
        "destination": paths[1],
        "destination_conn_id": ends[1],
        "is_moving": item.is_moving,
    }
    bench.step(
        suffix,
        symbols.PYTHON,
        ("python_callable", Code("server_transfer" if item.is_by_hook else "transfer")),
        ("op_kwargs", values),
    )


def _with_pgp(
    bench: Workbench, item: Transfer, suffix: str, ends: tuple[str | None, str | None], paths: tuple[str, str]
) -> None:
    """Copy one file through gpg on the worker; what its PGP template does is in an Airflow variable, for no export says it."""
    if item.is_by_hook or not item.is_plain:
        bench.fail("transfer-pgp", "A transfer with PGP of several files, that moves, or by FTP is not converted.")
        return
    key = variable_key(f"pgp.{item.pgp}")
    bench.note(
        "pgp-template",
        f"What the PGP template {item.pgp} does is not in the exports: the Airflow variable {key} has its options for gpg "
        "(`--encrypt --recipient KEY`, `--decrypt`), and the workers have gpg with the keys.",
    )
    bench.work.unknown.append(key)
    bench.work.functions.append(snippets.PGP_TRANSFER)
    values: dict[str, Expression] = {
        "source": paths[0],
        "source_conn_id": ends[0],
        "destination": paths[1],
        "destination_conn_id": ends[1],
        "options": f"{{{{ var.value['{key}'] }}}}",
    }
    bench.step(suffix, symbols.PYTHON, ("python_callable", Code("pgp_transfer")), ("op_kwargs", values))


def served(bench: Workbench, path: str) -> str:
    """Give a path as an SFTP server takes it; one of Windows is noted."""
    if re.match(r"[A-Za-z]:[\\\\/]", path):
        bench.note(
            "windows-path", "Its path is one of Windows: it is written as SFTP servers of Windows take it (/C:/…)."
        )
        return "/" + path.replace("\\", "/")
    if path.startswith("\\\\"):
        bench.note("windows-path", f"Its path is a share of Windows, which the server on the host must reach: {path}")
    return path


def placed(bench: Workbench, side: Side) -> Side:
    """Give a side with the address that a worker sees: files of the job's own host are reached by SFTP."""
    host = bench.site.host(bench.job.host)
    if "%%" in side.path and "{" not in (path := bench.text(side.path)):
        side = replace(side, path=path)
    if side.scheme == "file" and host.is_worker:
        _tell_worker(bench, side.path)
        if side.user:
            bench.note("transfer-option", f"The local files are those of the worker's user, not of {side.user}.")
        return side
    if side.scheme in ("file", "sftp"):
        side = replace(side, path=served(bench, side.path))
    if side.scheme != "file" or host.is_worker:
        return side
    user = side.user or bench.job.run_as.split("+")[0]
    return Side("sftp", side.path, host.connection or connection_id("sftp", user, bench.job.host), bench.job.host, user)


def _tell_worker(bench: Workbench, path: str) -> None:
    """Say that a file is one of the worker, where Control-M means the host of the agent."""
    if not bench.job.host and bench.site.default_host is None:
        text = f"The job names no host: {path} is a file of an Airflow worker, in Control-M of the host of the agent."
        bench.note("no-host", text)
    if re.match(r"[A-Za-z]:[\\/]|\\\\", path):
        bench.note("windows-path", f"{path} is a path of Windows, which a worker does not have: name a host.")


def account(bench: Workbench, side: Side) -> str | None:
    """Give the connection of a side; none for files of the worker."""
    if side.scheme == "file":
        return None
    conn_id = connection_id(side.profile or side.host or side.scheme)
    kinds = {"s3": "aws", "gs": "google_cloud_platform", "abfs": "wasb", "ftps": "ftp"}
    bench.connect(
        ConnectionNeed(conn_id, kinds.get(side.scheme, side.scheme), side.host, login=side.user, why="file transfers")
    )
    return conn_id


def packages_of(sides: tuple[Side, ...]) -> set[str]:
    """Name the distributions that reach the ends of a transfer."""
    return {_PACKAGES[side.scheme] for side in sides if side.scheme in _PACKAGES}
