"""Jobs that move files: watchers and managed transfers, as sensors, copies and file commands."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, ConnectionNeed, Expression, Symbol
from aerodrome.migration.convert.controlm import snippets
from aerodrome.migration.convert.controlm.plugins import detail
from aerodrome.migration.convert.controlm.site import connection_id
from aerodrome.migration.convert.controlm.transfers import Command, Side, Transfer, transfers_of
from aerodrome.migration.convert.controlm.workbench import Workbench

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


def file_watcher(bench: Workbench) -> None:
    details = bench.job.details
    path = detail(details, ("path", "filewatchfilepath", "filepath")) or details.get("FileWatch-FILE_PATH", "")
    mode = (details.get("mode") or detail(details, ("filewatchmode",)) or "CREATE").upper()
    if not path:
        bench.fail("watcher-path", "The file watcher names no file.")
        return
    if mode.startswith("DEL") or bench.job.type_name.endswith(":Delete"):
        bench.note("watcher-limit", "It waits for the deletion without a limit, in a loop on the host of the job.")
        bench.run(bench.text(f'while [ -e "{path}" ]; do sleep 60; done'))
        return
    limit = detail(details, ("limitminutes", "timelimit", "filewatchtimelimit", "waittime"))
    minutes = int(limit) if limit.isdigit() else 0
    bench.note(
        "watcher-size", "The file is taken when it is there; Control-M also waits until its size stays the same."
    )
    waiting: list[tuple[str, Expression]] = [("poke_interval", 60), ("mode", "reschedule")]
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


def file_transfer(bench: Workbench) -> None:
    found = transfers_of(bench.job.details, {name: item.type_name for name, item in bench.profiles.items()})
    if isinstance(found, str):
        bench.fail("transfer", found)
        return
    for number, item in enumerate(found, 1):
        _transfer(bench, item, f"_{number}" if len(found) > 1 else "")


def _transfer(bench: Workbench, item: Transfer, suffix: str) -> None:
    item = replace(item, source=_placed(bench, item.source), destination=_placed(bench, item.destination))
    source, destination = _account(bench, item.source), _account(bench, item.destination)
    first, second = (
        bench.text(f"{item.source.scheme}://{item.source.path}"),
        bench.text(f"{item.destination.scheme}://{item.destination.path}"),
    )
    for note in item.notes:
        bench.note("transfer-option", note)
    _file_commands(bench, item.before, f"{suffix}_before")
    _copy(bench, item, suffix, source, destination, first, second)
    _file_commands(bench, item.after, f"{suffix}_after")


def _file_commands(bench: Workbench, commands: tuple[Command, ...], suffix: str) -> None:
    for number, command in enumerate(commands, 1):
        side = _placed(bench, command.side)
        given: dict[str, Expression] = {
            "action": command.action,
            "path": bench.text(f"{side.scheme}://{side.path}"),
            "conn_id": _account(bench, side),
        }
        if command.target:
            given["target"] = bench.text(f"{side.scheme}://{command.target}")
        bench.work.functions.append(snippets.FILE_COMMAND)
        bench.step(
            f"{suffix}_{number}", symbols.PYTHON, ("python_callable", Code("file_command")), ("op_kwargs", given)
        )


def _copy(
    bench: Workbench, item: Transfer, suffix: str, source: str | None, destination: str | None, first: str, second: str
) -> None:
    if item.is_watching:
        watched = ("python_callable", Code("is_there"))
        bench.work.functions.append(snippets.IS_THERE)
        given: dict[str, Expression] = {"path": first, "conn_id": source}
        limit: tuple[tuple[str, Expression], ...] = (
            ("poke_interval", 60),
            ("mode", "reschedule"),
            ("timeout", timedelta(days=7)),
        )
        bench.step(
            f"{suffix}_wait" if item.is_copying else suffix,
            symbols.PYTHON_SENSOR,
            watched,
            ("op_kwargs", given),
            *limit,
            is_waiting=True,
        )
    if not item.is_copying:
        return
    if item.is_plain:
        arguments: list[tuple[str, Expression]] = [
            ("src", first),
            ("dst", second),
            ("source_conn_id", source),
            ("dest_conn_id", destination),
        ]
        bench.step(suffix, FILE_TRANSFER, *arguments, ("overwrite", True))
        return
    bench.work.functions.append(snippets.TRANSFER)
    values: dict[str, Expression] = {
        "source": first,
        "source_conn_id": source,
        "destination": second,
        "destination_conn_id": destination,
    }
    bench.step(
        suffix,
        symbols.PYTHON,
        ("python_callable", Code("transfer")),
        ("op_kwargs", values | {"is_moving": item.is_moving}),
    )


def _placed(bench: Workbench, side: Side) -> Side:
    """Give a side with the address that a worker sees: files of the job's own host are reached by SFTP."""
    host = bench.site.host(bench.job.host)
    if side.scheme != "file" or host.is_worker:
        return side
    user = bench.job.run_as.split("+")[0]
    return Side("sftp", side.path, host.connection or connection_id("sftp", user, bench.job.host), bench.job.host, user)


def _account(bench: Workbench, side: Side) -> str | None:
    if side.scheme == "file":
        return None
    conn_id = connection_id(side.profile or side.host or side.scheme)
    kinds = {"s3": "aws", "gs": "google_cloud_platform", "abfs": "wasb", "sftp": "sftp"}
    bench.connect(
        ConnectionNeed(conn_id, kinds.get(side.scheme, side.scheme), side.host, login=side.user, why="file transfers")
    )
    return conn_id
