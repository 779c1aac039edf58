"""What a job does, as tasks: real operators, or one task that raises and says why."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.controlm.definitions.model import Job, Profile
from aerodrome.migration.convert.controlm.effects import Effects
from aerodrome.migration.convert.controlm.jobs.condition_jobs import condition_job
from aerodrome.migration.convert.controlm.jobs.database_jobs import bigquery, database
from aerodrome.migration.convert.controlm.jobs.hadoop_jobs import hadoop, spark
from aerodrome.migration.convert.controlm.jobs.ibm_i_jobs import ibm_i
from aerodrome.migration.convert.controlm.jobs.informatica_jobs import informatica, is_power_center
from aerodrome.migration.convert.controlm.jobs.mainframe_jobs import mainframe
from aerodrome.migration.convert.controlm.jobs.mapped_jobs import mapped_job, mapping_of
from aerodrome.migration.convert.controlm.jobs.sap_jobs import is_chain, sap
from aerodrome.migration.convert.controlm.jobs.shared_variables import set_shared
from aerodrome.migration.convert.controlm.jobs.shell_jobs import shell
from aerodrome.migration.convert.controlm.jobs.storage_jobs import blob
from aerodrome.migration.convert.controlm.jobs.transfer_jobs import file_transfer, file_watcher
from aerodrome.migration.convert.controlm.jobs.web_jobs import azure_function, web_service
from aerodrome.migration.convert.controlm.jobs.workbench import Work, Workbench
from aerodrome.migration.convert.controlm.plugins.jobs import airflow, dataflow, plugin, sla
from aerodrome.migration.convert.controlm.plugins.table import PLUGINS
from aerodrome.migration.convert.controlm.site import Site
from aerodrome.migration.convert.controlm.variables.autoedit import Scope

_WHY: Final = {
    "sap": "SAP jobs need an RFC client, for which Airflow has no provider.",
    "informatica": "Only workflows of PowerCenter are started by pmcmd; the Informatica provider of Airflow (0.2) records lineage and runs nothing.",
    "azure-batch": "Azure Batch needs the pool and task definitions of the account.",
    "logic-app": "Airflow has no operator that runs a logic app.",
}
_MAP: Final = "Say under job_types in the profile what such jobs become, or complete the task here."
_SHELL_DETAILS: Final = (
    "CMDLINE",
    "PRECMD",
    "POSTCMD",
    "MEMNAME",
    "MEMLIB",
    "FILE_",
    "INSTREAM_JCL",
    "USE_INSTREAM",
    "OVERLIB",
    "OVERRIDE_PATH",
    "MULTY_AGENT",
    "ARGUMENTS",
    "ATTACH_SYSOUT",
    "OUTPUT",
)
_WATCHER_DETAILS: Final = (
    "PATH",
    "FILE_PATH",
    "MODE",
    "FILEWATCH-",
    "TIMELIMIT",
    "SEARCH",
    "MINIMALAGE",
    "MAXIMALAGE",
    "MINIMALSIZE",
    "MINIMUMSIZE",
    "STARTTIME",
    "STOPTIME",
    "SIZE_",
    "LIMIT_",
    "CMDLINE",
    "MEMNAME",
    "MEMLIB",
)
_TAKEN: Final[Mapping[str, tuple[str, ...]]] = {
    "command": _SHELL_DETAILS,
    "script": _SHELL_DETAILS,
    "embedded": _SHELL_DETAILS,
    "file-watcher": _WATCHER_DETAILS,
    "file-transfer": (
        "FTP-",
        "CONNECTIONPROFILE",
        "FILETRANSFERS",
        "S3BUCKET",
        "GOOGLEBUCKET",
        "GCSBUCKET",
        "AZURECONTAINER",
        "MEMNAME",
        "MEMLIB",
        "CMDLINE",
    ),
    "database": (
        "DB-",
        "UDJ-",
        "QUERY",
        "SQL",
        "STORED",
        "SCHEMA",
        "PACKAGE",
        "PARAMETERS",
        "CONNECTIONPROFILE",
        "MEMNAME",
        "MEMLIB",
        "CMDLINE",
    ),
    "mainframe": ("MEMNAME", "MEMLIB", "MEMBER", "OVERLIB", "INSTREAM_JCL", "USE_INSTREAM", "JCL"),
    "ibm-i": ("OS400-", "COMMANDLINE", "PROGRAM", "LIBRARY", "SPECIALENVIRONMENT", "MEMNAME", "MEMLIB", "CMDLINE"),
    "condition": ("AI-", "UCM-", "CONNECTIONPROFILE", "ACTION", "EVENT", "ODATE", "IGNORE"),
    "sla": ("SERVICE", "COMPLETE", "JOBRUNS", "AVERAGE", "BIM-", "MEMNAME", "MEMLIB"),  # told with the service
    "bigquery": ("SQL", "QUERY", "AI-", "UCM-", "PROJECT", "CONNECTIONPROFILE"),
    "snowflake": ("SNOWFLAKE SQL", "QUERY", "SQL", "CONNECTIONPROFILE"),
    "redshift": ("REDSHIFT SQL", "QUERY", "SQL", "CONNECTIONPROFILE"),
    "hive": ("HIVESCRIPT", "PARAMETERS", "PRECOMMANDS", "POSTCOMMANDS"),
    "hdfs": ("COMMANDS", "PRECOMMANDS", "POSTCOMMANDS"),
    "distcp": ("SOURCEPATH", "TARGETPATH"),
    "hadoop": (
        "PIGSCRIPT",
        "PARAMETERS",
        "PRECOMMANDS",
        "POSTCOMMANDS",
        "SQOOPCOMMAND",
        "PROGRAMJAR",
        "MAINCLASS",
        "ARGUMENTS",
        "JOBPROPERTIES",
        "HDFSFILEPATH",
        "MAXWAITTIME",
    ),
    "sap": (
        "SAPR3-",
        "CONNECTIONPROFILE",
        "ID",
        "PROCESSCHAIN",
        "RERUNOPTION",
        "ENABLEPERI",
        "CONSIDERONLY",
        "RETRIEVELOG",
    ),
    "informatica": (
        "REPOSITORYFOLDER",
        "WORKFLOW",
        "INSTANCENAME",
        "OSPROFILE",
        "CONNECTIONPROFILE",
        "ENABLEOUTPUT",
        "ENABLEERROR",
        "PRIORITY",
        "INF-",
    ),
    "airflow": ("AI-DAG_ID", "DAG", "UCM-DAG", "CONNECTIONPROFILE", "AI-ACTION", "ACTION"),
}  # beginnings of details that the kind takes


def _dummy(bench: Workbench) -> None:
    bench.step("", symbols.EMPTY)


def _sap(bench: Workbench) -> None:
    sap(bench, f"{_WHY['sap']} {_MAP}")


def _informatica(bench: Workbench) -> None:
    informatica(bench, f"{_WHY['informatica']} {_MAP}")


_MAKERS: Final[Mapping[str, Callable[[Workbench], None]]] = {
    "dummy": _dummy,
    "condition": condition_job,
    "sla": sla,
    "file-watcher": file_watcher,
    "file-transfer": file_transfer,
    "database": database,
    "snowflake": database,
    "redshift": database,
    "bigquery": bigquery,
    "airflow": airflow,
    "dataflow": dataflow,
    "blob": blob,
    "web-service": web_service,
    "mainframe": mainframe,
    "ibm-i": ibm_i,
    "hdfs": hadoop,
    "distcp": hadoop,
    "hadoop": hadoop,
    "hive": hadoop,
    "spark": spark,
    "sap": _sap,
    "informatica": _informatica,
    "azure-function": azure_function,
}


def is_convertible(job: Job, site: Site) -> bool:
    """Say whether anything here, or the profile, knows what jobs of this kind do."""
    if job.kind in ("sap", "informatica"):
        is_known = is_chain(job) if job.kind == "sap" else is_power_center(job)
        return is_known or mapping_of(job, site) is not None
    known = job.kind in ("command", "script", "embedded") or job.kind in _MAKERS or job.kind in PLUGINS
    return known or mapping_of(job, site) is not None


def work_of(job: Job, scope: Scope, site: Site, profiles: Mapping[str, Profile], effects: Effects) -> Work:
    """Say what a job does. Of its effects exit codes that mean OK or not, which only commands can have, and copies of its output."""
    rules = effects.exit_rules
    bench = Workbench(job, scope, site, profiles)
    if chosen := mapping_of(job, site):
        if rules:
            bench.fail("exit-codes", "Its ON blocks change the result by exit codes, which only commands have.")
        else:
            mapped_job(bench, chosen)
    elif job.kind in ("command", "script", "embedded"):
        shell(bench, rules, effects.copies)
    elif rules:
        bench.fail("exit-codes", "Its ON blocks change the result by exit codes, which only commands have.")
    elif job.kind in _MAKERS:
        _MAKERS[job.kind](bench)
    elif job.kind in PLUGINS:
        plugin(bench)
    else:
        bench.fail(
            f"job-{job.kind}", f"{_WHY.get(job.kind, f'Jobs of the type {job.type_name} are not converted.')} {_MAP}"
        )
    if bench.work.steps and not bench.work.failure and job.kind not in ("command", "script", "embedded", "dummy"):
        _around(bench)
        _output(bench)
    if bench.work.steps and not bench.work.failure:
        set_shared(bench)
    if bench.work.failure:
        bench.give_up()
    else:
        _leftovers(bench)
    return bench.work


def _around(bench: Workbench) -> None:
    """Add the commands before and after a job that is no command itself; whether they succeed does not matter to the job."""
    details, values = bench.job.details, bench.scope.variables
    steps = bench.work.steps
    for name, suffix in (("PRECMD", "_before"), ("POSTCMD", "_after")):
        if not (command := details.get(name) or values.get(name, "")).strip():
            continue
        bench.work.steps = []
        bench.run(bench.text(f"( {command}\n) || true"), suffix=suffix)
        if name == "PRECMD":
            steps = [*bench.work.steps, *steps]
            continue
        bench.note("post-command", f"{command} runs behind the job when it has ended OK; in Control-M always.")
        steps = [
            *(replace(step, suffix=step.suffix or "_main") for step in steps),
            replace(bench.work.steps[0], suffix=""),
        ]
    bench.work.steps = steps


def _output(bench: Workbench) -> None:
    """Say that the output of a job that is no command is not copied: it is the log of its task."""
    try:
        wanted = json.loads(bench.job.details.get("Output") or "{}")
    except ValueError:
        wanted = {"Destination": bench.job.details["Output"]}
    if isinstance(wanted, dict) and any(wanted.values()):
        path = wanted.get("Destination") or "its place"
        bench.note("output-handling", f"Its output is not brought to {path}: it is in the log of the task.")


def _leftovers(bench: Workbench) -> None:
    """Name the details of the job that nothing here takes."""
    job = bench.job
    if job.kind in ("dummy", "web-service", "azure-function", "dataflow", "blob", *PLUGINS) or mapping_of(
        job, bench.site
    ):
        return
    known = _TAKEN.get(job.kind, ("CONNECTIONPROFILE", "MEMNAME", "MEMLIB"))
    left = sorted(
        key
        for key, value in job.details.items()
        if value not in ("", "0", "N")
        and key not in ("PRECMD", "POSTCMD", "DocumentationUrl")
        and not key.upper().startswith(known)
    )
    if left:
        bench.note("detail-unused", f"Details of the job that have no effect: {', '.join(left[:12])}.")
