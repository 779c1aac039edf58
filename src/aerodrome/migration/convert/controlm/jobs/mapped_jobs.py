"""Jobs of types for which the team says what they become: `job_types` of the profile.

    job_types:
      "Job:SAP:*": {command: "/opt/sap/run-job --name {SapJobName}", host: sap_edge}
      informatica: "pmcmd startworkflow -sv INT -d DOM -f {RepositoryFolder} -wait {Workflow}"
      "*Kafka*": {operator: my.operators.ReadTopic, package: my-operators, arguments: {topic: "{AI-Topic}"}, connection: conn_id}

A pattern is compared with the type as the report shows it and with the kind (`sap`, `informatica`, `mainframe`, …). `{Detail}` is a detail of the
job, named as in the export (prefix and case do not matter); in a command it becomes exactly one word of the shell. A job that lacks one of them raises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from aerodrome.migration.convert.contract import Expression, Symbol
from aerodrome.migration.convert.controlm.definitions.model import Job
from aerodrome.migration.convert.controlm.jobs.commands import quoted
from aerodrome.migration.convert.controlm.jobs.workbench import Workbench
from aerodrome.migration.convert.controlm.plugins.details import plain_name, profile_of
from aerodrome.migration.convert.controlm.site import JobType, Site

_NAME: Final = re.compile(r"\{([A-Za-z][^{}\n]*)\}")


def mapping_of(job: Job, site: Site) -> JobType | None:
    """Give the first entry of the profile whose pattern is for a job."""
    names = (job.type_name.lower(), job.kind.lower())
    return next((item for item in site.job_types if any(fnmatchcase(n, item.pattern.lower()) for n in names)), None)


def mapped_job(bench: Workbench, chosen: JobType) -> None:
    """Make the task that the team has chosen for jobs of this type."""
    bench.note("job-mapped", f"The profile says what jobs of the type {bench.job.type_name} become ({chosen.pattern}).")
    if chosen.command:
        text = bench.text(_filled(bench, chosen.command, is_command=True))
        bench.run(f"{text} " if re.search(r"\.(sh|bash)$", text) else text, chosen.host)
        return
    module, _, name = chosen.operator.rpartition(".")
    packages = {"2.11": chosen.package, "3.3": chosen.package} if chosen.package else {}
    arguments: list[tuple[str, Expression]] = []
    if chosen.connection:
        profile = profile_of(bench.job.details) or bench.job.run_as or bench.job.kind
        arguments.append((chosen.connection, bench.profile(profile, "generic")))
    arguments += [(str(key), _value(bench, value)) for key, value in chosen.arguments.items()]
    symbol = Symbol(name, {"2.11": module, "3.3": module}, packages)  # type: ignore[arg-type]
    bench.step("", symbol, *arguments, is_waiting=chosen.is_waiting)


def _value(bench: Workbench, value: Any) -> Expression:
    if isinstance(value, str):
        return bench.text(_filled(bench, value, is_command=False))
    if isinstance(value, Mapping):
        return {str(key): _value(bench, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_value(bench, item) for item in value]
    return value if value is None or isinstance(value, int | float | bool) else str(value)


def _filled(bench: Workbench, text: str, *, is_command: bool) -> str:
    """Put the details of the job into a text; in a command each is one word."""
    details = {plain_name(key): value for key, value in bench.job.details.items()}

    def put(found: re.Match[str]) -> str:
        value = details.get(plain_name(found[1]))
        if value is None:
            bench.fail("job-mapped-detail", f"The profile names the detail {found[1]}, which the job does not have.")
            return ""
        return quoted(value) if is_command else value

    return _NAME.sub(put, text)
