"""Jobs that are a command line: commands, scripts, embedded scripts, and the clients of Hadoop."""

from __future__ import annotations

import re

from aerodrome.migration.convert.controlm.commands import ExitRule, command_of, is_windows, with_exit_rules
from aerodrome.migration.convert.controlm.workbench import Workbench


def shell(bench: Workbench, rules: list[ExitRule]) -> None:
    job = bench.job
    command = command_of(job, bench.scope.variables)
    if not command.strip() and job.kind == "command":
        bench.note("command-empty", "The command of the job is empty: the task does nothing and succeeds.")
        command = "true"
    elif not command.strip():
        bench.fail("command-empty", "The job has no script or script text.")
        return
    if job.kind == "script" and not (
        job.details.get("MEMLIB") or job.details.get("OVERLIB") or job.details.get("FILE_PATH")
    ):
        bench.note("script-without-folder", "The script has no folder: it must be on the PATH.")
    if job.details.get("MULTY_AGENT", "N").upper() in ("Y", "1"):
        bench.note("multi-agent", "Control-M runs it on every agent of the node group; here it runs once.")
    if is_windows(command):
        bench.note("windows", "It is a command of Windows: its host needs an SSH server, or another operator here.")
    if "." in job.details.get("CMDLINE", "") and re.search(r"%%\$?\w+\.", job.details.get("CMDLINE", "")):
        bench.note(
            "period-joins",
            "A period right after a variable joins it to what follows and disappears, as in Control-M.",
        )
    text = bench.text(with_exit_rules(command, rules))
    text = (
        f"{text} " if re.search(r"\.(sh|bash|csh|zsh|dash|ksh|bat|cmd)$", text) else text
    )  # else Airflow reads a template file
    bench.run(text)
