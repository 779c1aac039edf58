"""Jobs of the Azure Blob Storage plug-in: watch for a blob, delete one, copy one to a file or from one."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Code, Expression, Symbol
from aerodrome.migration.convert.controlm import snippets
from aerodrome.migration.convert.controlm.jobs.transfer_ends import Side
from aerodrome.migration.convert.controlm.jobs.transfer_jobs import FILE_TRANSFER, account, packages_of, placed
from aerodrome.migration.convert.controlm.jobs.workbench import Workbench
from aerodrome.migration.convert.controlm.plugins.details import action_of, detail, profile_of

_PACKAGE: Final = "apache-airflow-providers-microsoft-azure"
_SENSORS: Final = "airflow.providers.microsoft.azure.sensors.wasb"
BLOB_SENSOR: Final = Symbol("WasbBlobSensor", {"2.11": _SENSORS, "3.3": _SENSORS}, {"2.11": _PACKAGE, "3.3": _PACKAGE})


def blob(bench: Workbench) -> None:
    """Make the task of one action; other actions (containers, lists) raise."""
    details, action = bench.job.details, action_of(bench.job.details)
    conn_id = bench.profile(profile_of(details) or "wasb", "wasb")
    if action == "watch":
        container = detail(details, ("blobwatchcontainer", "bwcontainer"))
        name = detail(details, ("blobwatchblobname", "bwblob"))
        if not container or not name:
            bench.fail("detail-missing", "The job does not name the container and the blob that it watches.")
            return
        pause = detail(details, ("blobwatchsleepinterval", "bwsleep"))
        bench.note("watcher-limit", "It waits at most 7 days.")
        bench.step(
            "",
            BLOB_SENSOR,
            ("wasb_conn_id", conn_id),
            ("container_name", bench.text(container)),
            ("blob_name", bench.text(name)),
            ("poke_interval", int(pause) if pause.isdigit() and int(pause) else 60),
            ("mode", "reschedule"),
            ("timeout", timedelta(days=7)),
            is_waiting=True,
        )
        return
    if action == "delete":
        _delete(bench, conn_id)
        return
    if action in ("upload", "download"):
        _copy(bench, action)
        return
    bench.fail("plugin-action", f"The action {action or '(none)'} of a blob storage job is not converted.")


def _delete(bench: Workbench, conn_id: str) -> None:
    details = bench.job.details
    container = detail(details, ("containerdelete", "delcontainer"))
    name = detail(details, ("blobnamedelete", "delblobname", "delblob"))
    if not container or not name:
        bench.fail("detail-missing", "The job does not name the container and the blob that it deletes.")
        return
    given: dict[str, Expression] = {
        "action": "rm",
        "path": bench.text(f"abfs://{container}/{name}"),
        "conn_id": conn_id,
    }
    bench.work.functions.append(snippets.FILE_COMMAND)
    bench.work.packages.add(_PACKAGE)
    bench.step("", symbols.PYTHON, ("python_callable", Code("file_command")), ("op_kwargs", given))


def _copy(bench: Workbench, action: str) -> None:
    details = bench.job.details
    container = detail(details, ("containerupdownload", "updocontainer"))
    name = detail(details, ("blobnameupdownload", "updoblobname"))
    path = detail(details, ("filepath", "updofilepath")).strip('"')
    if not container or not name or not path:
        bench.fail("detail-missing", "The job does not name its container, its blob and its file.")
        return
    there = Side("abfs", f"{container}/{name}", profile_of(details) or "wasb")
    here = placed(bench, Side("file", path))
    ends = (here, there) if action == "upload" else (there, here)
    bench.work.packages.update(packages_of(ends))
    first, second = (bench.text(f"{side.scheme}://{side.path}") for side in ends)
    bench.step(
        "",
        FILE_TRANSFER,
        ("src", first),
        ("dst", second),
        ("source_conn_id", account(bench, ends[0])),
        ("dest_conn_id", account(bench, ends[1])),
        ("overwrite", True),
    )
