"""Jobs of IBM i (OS/400): one CL command, by SSH with `system` of PASE, whose exit status says whether the command has sent an exception.

IBM i 7.4, PASE for i `system` utility: it runs a CL command, writes its messages and spooled output, and fails when the command fails.
Control-M for IBM i submits a job of its own instead, with a job description, a library list and queues.
"""

from __future__ import annotations

import re
from typing import Final

from aerodrome.migration.convert.controlm.jobs.commands import quoted
from aerodrome.migration.convert.controlm.jobs.workbench import Workbench
from aerodrome.migration.convert.controlm.plugins.details import detail

_OBJECT: Final = re.compile(r"[A-Z$#@*][A-Z0-9$#@_.]*", re.IGNORECASE)
_ENVIRONMENT: Final = (
    "jobd",
    "curlib",
    "inllibl",
    "jobq",
    "outq",
    "syslibl",
    "jobowner",
    "jobdescription",
    "currentlibrary",
)


def ibm_i(bench: Workbench) -> None:
    """Make the task of a command line or a program without parameters; other kinds of jobs raise."""
    details, kind = bench.job.details, bench.job.type_name.rpartition(":")[2]
    if detail(details, ("specialenvironment",)).lower() not in ("", "native"):
        bench.fail("ibm-i-environment", "It runs in the S/38 or QShell environment, which is not converted.")
        return
    command = detail(details, ("commandline", "cmdline")) if kind != "Program" else ""
    program, library = detail(details, ("program",)), detail(details, ("library",)) or "*LIBL"
    if kind == "Program" and program and not detail(details, ("parameters", "programparameters")):
        if not (_OBJECT.fullmatch(program) and _OBJECT.fullmatch(library)):
            bench.fail("ibm-i-program", f"{library}/{program} is no name of a program.")
            return
        command = f"CALL PGM({library}/{program})"
    if not command:
        bench.fail(
            "job-ibm-i",
            f"{bench.job.type_name} is not converted: only CL commands and programs without parameters are.",
        )
        return
    own = [name for name in _ENVIRONMENT if detail(details, (name,))]
    text = "It runs in a session of its SSH user on IBM i, not as a job of its own"
    bench.note("ibm-i-session", f"{text}: {', '.join(own)} of the job have no effect." if own else f"{text}.")
    bench.run(bench.text(f"system {quoted(command)}"))
