"""Jobs that are a command line: commands, scripts, embedded scripts, and the clients of Hadoop."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from aerodrome.migration.convert.controlm.jobs.commands import (
    ExitRule,
    OutputCopy,
    command_of,
    has_windows_path,
    is_windows,
    with_results,
    with_variables,
)
from aerodrome.migration.convert.controlm.jobs.utilities import condition_command
from aerodrome.migration.convert.controlm.jobs.workbench import Workbench
from aerodrome.migration.convert.controlm.variables.autoedit import compile_text, is_computed

_OF_CONTROL_M: Final = re.compile(r"PARM\d+|PRECMD|POSTCMD|LIBMEMSYM|WINDOWS_.*", re.IGNORECASE)


def shell(bench: Workbench, rules: list[ExitRule], copies: list[OutputCopy]) -> None:
    """Make the task of a command, a script or an embedded script."""
    job = bench.job
    command = command_of(job, bench.scope.variables)
    if not command.strip() and job.kind == "command":
        bench.note("command-empty", "The command of the job is empty: the task does nothing and succeeds.")
        command = "true"
    elif not command.strip():
        bench.fail("command-empty", "The job has no script or script text.")
        return
    if condition_command(bench, command, is_alone=not rules and not copies) or bench.work.failure:
        return
    if job.kind == "script" and not (
        job.details.get("MEMLIB") or job.details.get("OVERLIB") or job.details.get("FILE_PATH")
    ):
        bench.note("script-without-folder", "The script has no folder: it must be on the PATH.")
    if job.details.get("MULTY_AGENT", "N").upper() in ("Y", "1"):
        bench.note("multi-agent", "Control-M runs it on every agent of the node group; here it runs once.")
    if is_windows(command) or (job.kind == "command" and has_windows_path(command)):
        bench.note("windows", "It is a command of Windows: its host needs an SSH server, or another operator here.")
        if rules or copies or bench.job.details.get("Output") or "\ncode=$?" in command:
            bench.fail(
                "windows-results",
                "It is a command of Windows, whose end or output is handled by lines that only a POSIX shell has.",
            )
            return
    if "." in job.details.get("CMDLINE", "") and re.search(r"%%\$?\w+\.", job.details.get("CMDLINE", "")):
        bench.note(
            "period-joins",
            "A period right after a variable joins it to what follows and disappears, as in Control-M.",
        )
    given = [] if is_windows(command) else list(_environment(bench, command))
    if given:
        names = ", ".join(name for name, _ in given)
        bench.note("variables-exported", f"Variables that the job's texts do not use are in its environment: {names}.")
    copies = [*copies, *_copies(bench)]
    text = bench.text(with_variables(with_results(command, rules, copies), given))
    text = (
        f"{text} " if re.search(r"\.(sh|bash|csh|zsh|dash|ksh|bat|cmd)$", text) else text
    )  # else Airflow reads a template file
    bench.run(text)


def _environment(bench: Workbench, command: str) -> Iterator[tuple[str, str]]:
    """Give the variables of the job that its command reads from the environment, where the agent puts them: named as `$NAME`, or not used as `%%NAME`."""
    last = {item.name: item for item in bench.job.variables}  # a variable that is given twice has its last value
    own = [item for item in last.values() if not _OF_CONTROL_M.fullmatch(item.name)]
    texts = "\n".join([command, *(item.value for item in own)])
    for item in own:
        value = f"%%{item.name}" if is_computed(item.value) else item.value
        if not re.fullmatch(r"[A-Za-z_]\w*", item.name) or compile_text(value, bench.scope).problems:
            continue
        is_read = re.search(rf"\$\{{?{item.name}\b", command) is not None
        if is_read or not re.search(rf"%%{item.name}\b", texts):
            yield item.name, value


def _copies(bench: Workbench) -> Iterator[OutputCopy]:
    """Give the file that the job itself copies its output to."""
    try:
        wanted = json.loads(bench.job.details.get("Output") or "{}")
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict):
        bench.note("output-handling", "What becomes of its output is not read.")
        return
    path, operation = str(wanted.get("Destination") or ""), str(wanted.get("Operation") or "Copy")
    if path and operation in ("Copy", "Move"):
        yield OutputCopy("", path)
    elif wanted:
        bench.note("output-handling", f"{operation} of its output is not done: Airflow keeps the log of every try.")
