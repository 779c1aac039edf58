"""Jobs of Informatica PowerCenter: `pmcmd startworkflow -wait` on the host of the job.

pmcmd takes its service, domain, user and password from variables of the environment (`-sv`, `-d`, `-uv`, `-pv`): no export has them, and
no password stands in a command line.
"""

from __future__ import annotations

from typing import Final

from aerodrome.migration.convert.controlm.definitions.model import Job
from aerodrome.migration.convert.controlm.jobs.commands import quoted
from aerodrome.migration.convert.controlm.jobs.workbench import Workbench
from aerodrome.migration.convert.controlm.plugins.details import detail

_OPTIONS: Final = (
    ("-paramfile", ("workflowparametersfile", "parametersfile", "infparamfile")),
    ("-runinsname", ("instancename", "infinstancename")),
    ("-osprofile", ("osprofile", "infosprofile")),
)


def is_power_center(job: Job) -> bool:
    """Say whether a job is one of PowerCenter, not of Informatica's cloud."""
    return job.type_name == "Job:Informatica" or job.type_name.upper().startswith("INF")


def informatica(bench: Workbench, why: str) -> None:
    """Make the task that starts a workflow and waits for its end; the cloud and tasks of a workflow raise."""
    details = bench.job.details
    workflow = detail(details, ("workflow", "workflowname", "infworkflow"))
    folder = detail(details, ("repositoryfolder", "foldername", "folder", "infrepositoryfolder", "inffolder"))
    if not is_power_center(bench.job):
        bench.fail("job-informatica", why)
        return
    if not workflow or not folder:
        bench.fail("job-informatica", f"The job names no workflow with its folder. {why}")
        return
    mode = detail(details, ("workflowexecutionmode", "infexecutionmode")).replace(" ", "").lower()
    if mode not in ("", "runwholeworkflow", "runworkflow", "whole"):
        bench.fail("informatica-mode", f"The execution mode {mode} of the workflow is not converted. {why}")
        return
    words = [
        'pmcmd startworkflow -sv "${INFA_SERVICE:?}" -d "${INFA_DOMAIN:?}" -uv INFA_USER -pv INFA_PASSWORD',
        f"-f {quoted(folder)}",
    ]
    words += [f"{option} {quoted(value)}" for option, names in _OPTIONS if (value := detail(details, names))]
    bench.note(
        "informatica-pmcmd",
        "It calls pmcmd on the host of the job, whose user has INFA_SERVICE, INFA_DOMAIN, INFA_USER and INFA_PASSWORD (encrypted by pmpasswd) in the environment; "
        "the log of the workflow stays in Informatica, and a rerun starts the whole workflow.",
    )
    bench.run(bench.text(" ".join([*words, "-wait", quoted(workflow)])))
