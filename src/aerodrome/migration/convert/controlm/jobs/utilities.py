"""Commands that call Control-M itself: calls of `ctmcontb` become changes of Airflow variables, others are told or raise.

Control-M/Server utilities (9.0.21): `ctmcontb -ADD|-DELETE <condition> <date>`, the date as MMDD, ODAT or STAT; others order, hold or list jobs.
A line that does more than call one utility runs as it is, with a caveat: what the utility changes is Control-M's, not Airflow's.
"""

from __future__ import annotations

import re
from typing import Final

from aerodrome.migration.convert.controlm.jobs.condition_jobs import change
from aerodrome.migration.convert.controlm.jobs.workbench import Workbench

_NAMES: Final = (
    "ctmcontb|ctmorder|ctmcreate|ctmvar|ctmudly|ctmjob|ctmkilljob|ctmloadset|ctmpsm|ctmrpln|ctmruninf|ctmshout|ctmstvar|"
    r"ecactltb|ecaqrtab|ctmldnrs|ctmdefine|emdef|exportdeftable|ctm(?=\s+(?:run|deploy|config|build|provision)\b)"
)
_WORD: Final = rf"\"?(?:[^\s;&|\"]*[\\/])?({_NAMES})(?:\.exe)?\"?\s"
_CALL: Final = re.compile(rf"(?:^|[;&|(`])\s*{_WORD}", re.IGNORECASE | re.MULTILINE)
_ALONE: Final = re.compile(rf"\s*{_WORD}[^;&|`<>\n]*\Z", re.IGNORECASE)
_CONDITION: Final = re.compile(
    r"\s*\S*ctmcontb(?:\.exe)?\"?\s+-(ADD|DELETE)\s+(\"[^\"*?]+\"|'[^'*?]+'|[^\s\"'*?]+)\s+(\S+)\s*\Z", re.IGNORECASE
)
_TODAY: Final = ("ODAT", "ODATE", "%%OMONTH%%ODAY", "%%OMONTH.%%ODAY", "%%OMONTH..%%ODAY")


def condition_command(bench: Workbench, command: str, *, is_alone: bool) -> bool:
    """Make the tasks of a command that adds or deletes conditions, and does nothing else; False when the command is none.

    A command that is nothing but another call of a utility fails the job; one among other commands is a caveat. `is_alone`: nothing else
    (exit codes, copies of the output) belongs to the command.
    """
    if (found := _CALL.search(command)) is None:
        return False
    if bench.job.kind == "embedded":
        _tell(bench, found[1])
        return False
    changes = _changes(command) if is_alone else []
    for name, ending, is_added in changes:
        change(bench, name, [ending], is_added=is_added)
    if changes:
        return True
    if _ALONE.match(command):
        bench.fail(
            "controlm-utility",
            f"It calls {found[1]}, which changes Control-M and not Airflow: say in Airflow what it is for, or delete the task.",
        )
        return False
    _tell(bench, found[1])
    return False


def _tell(bench: Workbench, name: str) -> None:
    bench.note("controlm-utility", f"Among others it calls {name}, which changes Control-M and not Airflow.")


def _changes(command: str) -> list[tuple[str, str, bool]]:
    """Give the conditions that a command changes (name, month and day, is added); none where it does anything else, too."""
    found: list[tuple[str, str, bool]] = []
    for part in re.split(r"&&|[;\n]", command.strip().rstrip(";")):
        change = _CONDITION.match(part)
        ending = _ending(change[3]) if change else None
        if change is None or ending is None:
            return []
        found.append((change[2].strip("\"'"), ending, change[1].upper() == "ADD"))
    return found


def _ending(day: str) -> str | None:
    """Give the month and day of a date, "" for none; None where it cannot be said."""
    word = day.strip("\"'").upper()
    if word in _TODAY:
        return "%%OMONTH.%%ODAY"
    if word in ("STAT", "0000"):
        return ""
    return word if re.fullmatch(r"(0[1-9]|1[0-2])\d\d", word) else None
