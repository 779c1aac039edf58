"""What random Control-M exports are made of: names, dates, command lines, variables, and the dice that choose them."""

from __future__ import annotations

from random import Random
from typing import Any
from xml.sax.saxutils import quoteattr

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
CONDITIONS = [f"C{number}" for number in range(6)] + ["ÄRGER-OK", "a b/c", "OUT'SIDE"]
ODATES = ["ODAT"] * 12 + ["PREV", "STAT", "****", "$$$$", "NEXT", "+001", "-002", "0115"]
DAYS = ["ALL", "1", "1,15", "L1", "D1", "-D2", ">5", "<28", "+3", "-7", "1,L1,-15", "D1,L1"]
WEEKDAYS = ["ALL", "1", "1,2,3,4,5", "0", "6", "+2", "-3", "D1", "L1"]
COMMANDS = [
    "echo %%ODATE",
    "/opt/x.sh %%JOBNAME %%$ODATE '%%A'",
    "run %%A.%%B %%A..csv",
    "run %%A%%B",
    "tape %%T_%%ODAY",
    "tape %%T_%%ODAY..x %%T_%%ODAY.%%A",
    "%%A%%B%%A-%%T_%%OMONTH/x",
    'echo "%%DATE %%TIME" > /tmp/%%SCHEDTAB..log',
    "C:\\bin\\run.bat %%A",
    "awk '{{print $1}}' f",
    "%%CMD",
    "",
    "sh -c 'exit 3'; echo 100%%",
    "multi\nline %%.x",
    "%%#A %%.",
    "%%\\GLOBAL %%\\\\POOL\\V",
    "echo %%PLUSONE %%SUB %%CALC",
    "echo é%%A-%%B_%%A",
]
VARIABLES = [
    ("A", "1"),
    ("B", "x y"),
    ("T_01", "first"),
    ("T_15", "mid"),
    ("CMD", "echo %%A %%B"),
    ("PLUSONE", "%%A %%PLUS 1"),
    ("SUB", "%%SUBSTR %%ODATE 3 4"),
    ("CALC", "%%CALCDATE %%ODATE -1"),
    ("A", "%%B"),
    ("B", "%%A"),
    ("PARM1", "p %%ODATE"),
    ("\\GLOBAL", "g"),
    ("AB", "both"),
]
NAMES = ("J1", "J2", "J3", "J1", "Job 4", "jöb", "J-5.x", "J'6", "7")


def _attributes(values: dict[str, object]) -> str:
    return "".join(f" {name}={quoteattr(str(value))}" for name, value in values.items() if value is not None)


def element(name: str, values: dict[str, object], inside: str = "") -> str:
    return f"<{name}{_attributes(values)}>{inside}</{name}>" if inside else f"<{name}{_attributes(values)}/>"


class Case:
    def __init__(self, random: Random) -> None:
        self.random = random

    def some(self, chance: float) -> bool:
        return self.random.random() < chance

    def one(self, items: Any) -> Any:
        return self.random.choice(items)

    def time(self) -> str:
        return f"{self.random.randrange(24):02}{self.random.randrange(60):02}"
