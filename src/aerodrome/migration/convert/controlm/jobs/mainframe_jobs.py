"""Jobs of z/OS: the member or the in-stream JCL is submitted with Zowe CLI on a worker, and its completion code is the result.

Zowe CLI 3: `zowe zos-jobs submit data-set|stdin --wait-for-output`; the connection to z/OSMF is that of the worker's Zowe profile.
"""

from __future__ import annotations

import re
from typing import Final

from aerodrome.migration.convert.controlm.jobs.workbench import Workbench
from aerodrome.migration.convert.controlm.site import Host

_LIMIT: Final = 4
_STATEMENTS: Final = re.compile(r"%%(SET|IF|ELSE|ENDIF|GOTO|LABEL|INCLIB|INCMEM|LIBSYM|GLOBAL|RESOLVE|RANGE)\b")
_RESULT: Final = f"""
echo "$result"
case "$result" in
  "CC "*) [ "$((10#${{result#CC }}))" -le {_LIMIT} ] ;;
  *) exit 1 ;;
esac"""


def mainframe(bench: Workbench) -> None:
    """Make the task that submits the job and waits for it."""
    details = bench.job.details
    jcl = details.get("INSTREAM_JCL", "") or details.get("JCL", "")
    member = details.get("MEMNAME") or details.get("Member", "")
    library = details.get("OVERLIB") or details.get("MEMLIB") or details.get("MemberLibrary", "")
    bench.note(
        "zos-zowe",
        f"It is submitted with Zowe CLI, which the worker must have with a profile for z/OSMF; a completion code of at most {_LIMIT} counts as OK.",
    )
    options = "--wait-for-output --response-format-filter retcode --response-format-type string"
    if jcl.strip():
        if _STATEMENTS.search(jcl):
            bench.fail(
                "zos-statements", "Its JCL has AutoEdit control statements (%%SET, %%IF, …), which are not converted."
            )
            return
        mark = "END_OF_JCL"
        while mark in jcl:
            mark += "_"
        text = bench.text(jcl.rstrip("\n"))
        submit = f"result=$(zowe zos-jobs submit stdin {options} <<'{mark}'\n{text}\n{mark}\n)"
    elif member and library and library.upper() not in ("DUMMY", "GENERAL", "USER"):
        bench.note(
            "zos-autoedit", "%% variables inside the member are not resolved: Control-M does that when it submits."
        )
        submit = f"result=$(zowe zos-jobs submit data-set '{bench.text(library)}({bench.text(member)})' {options})"
    else:
        bench.fail("job-mainframe", "The z/OS job names no member with its library, and has no JCL.")
        return
    bench.run(f"set -e\n{submit}{_RESULT}", Host(is_worker=True))
