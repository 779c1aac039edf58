"""Random Control-M exports: XML of every folder tag and Automation API JSON, with what the field has and what hurts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
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
_NAMES = ("J1", "J2", "J3", "J1", "Job 4", "jöb", "J-5.x", "J'6", "7")


def _attributes(values: dict[str, object]) -> str:
    return "".join(f" {name}={quoteattr(str(value))}" for name, value in values.items() if value is not None)


def _tag(name: str, values: dict[str, object], inside: str = "") -> str:
    return f"<{name}{_attributes(values)}>{inside}</{name}>" if inside else f"<{name}{_attributes(values)}/>"


class _Case:
    def __init__(self, random: Random) -> None:
        self.random = random

    def some(self, chance: float) -> bool:
        return self.random.random() < chance

    def one(self, items: Any) -> Any:
        return self.random.choice(items)

    def time(self) -> str:
        return f"{self.random.randrange(24):02}{self.random.randrange(60):02}"


class XmlCase(_Case):
    """Makes the text of an XML export."""

    def export(self, folders: int) -> str:
        inside = "".join(self.folder(number) for number in range(folders))
        if self.some(0.5):
            inside += self.calendar("CAL1") + self.calendar("CAL2")
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<DEFTABLE>{inside}</DEFTABLE>'

    def calendar(self, name: str) -> str:
        years = "".join(
            _tag("YEAR", {"NAME": year, "DAYS": "".join(self.one("YNNNYY") for _ in range(366))})
            for year in (2025, 2026, 2027)
        )
        return _tag("CALENDAR", {"NAME": name, "TYPE": "Regular"}, years)

    def folder(self, number: int) -> str:
        tag = self.one(("FOLDER", "SMART_FOLDER", "TABLE", "SCHED_TABLE", "SMART_TABLE"))
        name = self.one(("F", "G", f"F{number}", "Földer"))
        values: dict[str, object] = {"TABLE_NAME" if "TABLE" in tag else "FOLDER_NAME": name, "DATACENTER": "ctm"}
        if self.some(0.8):
            values["FOLDER_ORDER_METHOD"] = self.one(("SYSTEM", "SYSTEM", "", "PLAN_1"))
        is_smart = tag.startswith("SMART")
        inside = ""
        if is_smart:
            inside += "".join(self.rule(f"RBC{at}", "RULE_BASED_CALENDAR") for at in range(self.random.randrange(3)))
            if self.some(0.2):
                values |= self.criteria()
            if self.some(0.15):
                values |= {"ADJUST_COND": self.one(("0", "1", "Y", "D"))}
            inside += self.box()
        if self.some(0.3):
            inside += self.variables()
        members = [self.job(is_smart) for _ in range(self.random.randrange(1, 6))]
        if is_smart:
            members += [self.sub(1) for _ in range(self.random.randrange(3))]
        self.random.shuffle(members)
        return _tag(tag, values, inside + "".join(members)) + "\n"

    def box(self) -> str:
        inside = ""
        if self.some(0.2):
            inside += self.waits()
        if self.some(0.3):
            inside += self.outs()
        return inside

    def sub(self, depth: int) -> str:
        values: dict[str, object] = {"JOBNAME": self.one(("S1", "S2", "J1"))}
        if self.some(0.2):
            values["TIMEFROM"] = self.time()
        if self.some(0.1):
            values["CONFIRM"] = "1"
        inside = self.box() + (_tag("RULE_BASED_CALENDARS", {"NAME": "*"}) if self.some(0.5) else "")
        inside += "".join(self.job(True) for _ in range(self.random.randrange(3)))
        if depth < 3 and self.some(0.4):
            inside += self.sub(depth + 1)
        return _tag("SUB_FOLDER", values, inside)

    def criteria(self) -> dict[str, object]:
        found: dict[str, object] = {}
        if self.some(0.7):
            found["DAYS"] = self.one(DAYS)
        if self.some(0.4):
            found["WEEKDAYS"] = self.one(WEEKDAYS)
        if self.some(0.3):
            found |= {month: self.one("01") for month in MONTHS}
        if self.some(0.3):
            found["DAYS_AND_OR"] = self.one(("A", "O"))
        if self.some(0.15):
            found["DAYSCAL"] = self.one(("CAL1", "CAL2", "GONE"))
        if self.some(0.1):
            found["WEEKSCAL"] = self.one(("CAL1", "CAL2"))
        if self.some(0.1):
            found |= {
                "CONFCAL": self.one(("CAL1", "CAL2")),
                "SHIFT": self.one(("Next Day", "Prior Day", "Ignore Job", "No Confcal", "?")),
            }
            found["SHIFTNUM"] = self.one(("+00", "+01", "-02"))
        if self.some(0.1):
            found |= {"ACTIVE_FROM": "20260115", "ACTIVE_TILL": "20261101"}
        if self.some(0.05):
            found["DATE"] = "0101,1224"
        return found

    def rule(self, name: str, tag: str) -> str:
        return _tag(tag, {"NAME": name, **self.criteria()})

    def waits(self) -> str:
        count = self.random.randrange(1, 5)
        marks = ["" for _ in range(count)]
        if count > 2 and self.some(0.4):
            first = self.random.randrange(count - 1)
            marks[first], marks[self.random.randrange(first + 1, count)] = "(", ")"
        return "".join(
            _tag(
                "INCOND",
                {
                    "NAME": self.one(CONDITIONS),
                    "ODATE": self.one(ODATES),
                    "AND_OR": self.one("AAO"),
                    "OP": mark or None,
                },
            )
            for mark in marks
        )

    def outs(self) -> str:
        return "".join(
            _tag("OUTCOND", {"NAME": self.one(CONDITIONS), "ODATE": self.one(ODATES), "SIGN": self.one("++-")})
            for _ in range(self.random.randrange(1, 4))
        )

    def variables(self) -> str:
        tag = self.one(("VARIABLE", "AUTOEDIT2"))
        chosen = self.random.sample(VARIABLES, self.random.randrange(1, 6))
        return "".join(_tag(tag, {"NAME": f"%%{name}", "VALUE": value}) for name, value in chosen)

    def reaction(self) -> str:
        actions = [
            lambda: _tag("DOACTION", {"ACTION": self.one(("OK", "NOTOK", "RERUN", "SPCYC", "STRANGE"))}),
            lambda: _tag("DOCOND", {"NAME": self.one(CONDITIONS), "ODATE": self.one(ODATES), "SIGN": self.one("+-")}),
            lambda: _tag(
                "DOMAIL",
                {"DEST": "a@b.c;d@e.f", "SUBJECT": "%%JOBNAME", "MESSAGE": "0005first0006second", "URGENCY": "R"},
            ),
            lambda: _tag("DOSHOUT", {"DEST": "EM", "MESSAGE": "%%JOBNAME {{x}} 'q'", "URGENCY": "U"}),
            lambda: _tag(
                "DOFORCEJOB",
                {
                    "TABLE_NAME": self.one(("F", "G", "H")),
                    "NAME": self.one(("", "J1")),
                    "ODATE": self.one(("ODAT", "20260101")),
                },
            ),
            lambda: _tag("DOVARIABLE", {"NAME": self.one(("%%\\G", "%%LOCAL")), "VALUE": "%%ODATE"}),
            lambda: _tag("DOSYSOUT", {"OPTION": self.one("FMPD"), "PAR": "/tmp/x y"}),
        ]
        inside = "".join(self.one(actions)() for _ in range(self.random.randrange(1, 4)))
        code = self.one(
            ("NOTOK", "OK", "COMPSTAT EQ 4", "COMPSTAT GT 2", "*ERR*", "ANY", "RUNCOUNT EQ 2", "EXERR", "JNSUB")
        )
        return _tag("ON", {"STMT": self.one(("*", "*", "*", "step")), "CODE": code}, inside)

    def job(self, is_smart: bool) -> str:
        kind = self.one(("Command",) * 6 + ("Job", "Dummy", "Detached", "External"))
        values: dict[str, object] = {"JOBNAME": self.one(_NAMES), "TASKTYPE": kind}
        if kind != "Dummy":
            values["CMDLINE"] = self.one(COMMANDS).replace("\n", "\n")
        if kind == "Job":
            values |= {"MEMLIB": self.one(("/opt/scripts/", "C:\\s", "")), "MEMNAME": "run.sh", "CMDLINE": ""}
        if self.some(0.1):
            values["APPL_TYPE"] = self.one(
                ("OS", "SAP", "FILE_TRANS", "DATABASE", "WS", "Databricks", "OWN", "ADF", "AIRFLOW", "INF")
            )
        inside = ""
        if is_smart:
            if self.some(0.5):
                inside += _tag("RULE_BASED_CALENDARS", {"NAME": self.one(("*", "RBC0", "RBC1", "!RBC1", "GONE"))})
            if self.some(0.2):
                values |= self.criteria()
        else:
            values |= self.criteria()
        if self.some(0.3):
            values |= {"NODEID": self.one(("h1", "h2")), "RUN_AS": "batch"}
        if self.some(0.2):
            values["TIMEFROM"] = self.time()
        if self.some(0.1):
            values["TIMETO"] = self.one((self.time(), ">"))
        if self.some(0.2):
            values["MAXWAIT"] = self.one(("0", "3", "99"))
        if self.some(0.12):
            values |= {
                "CYCLIC": "1",
                "INTERVAL": self.one(("00005M", "00002H", "00030S", "00000M", "00001D")),
                "MAXRERUN": self.one(("0", "3")),
            }
            values |= {"IND_CYCLIC": self.one(("S", "E", "T")), "CYCLIC_TYPE": self.one(("C", "V", "S"))}
            if values["CYCLIC_TYPE"] == "V":
                values["INTERVAL_SEQUENCE"] = self.one(("+30M,+2H", "+5S", ""))
            if values["CYCLIC_TYPE"] == "S":
                values["SPECIFIC_TIMES"] = self.one(("0800,1200", "0100,2330,0100", ""))
        elif self.some(0.15):
            values["MAXRERUN"] = "2"
        if self.some(0.1):
            values["CONFIRM"] = "1"
        if self.some(0.2):
            values["PRIORITY"] = self.one(("AA", "99", "5", "", "Z9"))
        if self.some(0.05):
            values["CRITICAL"] = "1"
        if self.some(0.05):
            values["TIMEZONE"] = self.one(("EST", "Europe/Paris", "NOWHERE", "HNL"))
        if self.some(0.05):
            values["STRANGE_ATTRIBUTE"] = "x"
        if self.some(0.5):
            inside += self.waits()
        if self.some(0.6):
            inside += self.outs()
        if self.some(0.5):
            inside += self.variables()
        if self.some(0.25):
            inside += self.reaction()
        if self.some(0.1):
            inside += _tag(
                "SHOUT",
                {
                    "WHEN": self.one(("OK", "NOTOK", "LATESUB", "EXECTIME", "RERUN")),
                    "TIME": "0900",
                    "DEST": "OPER",
                    "MESSAGE": "m %%JOBNAME",
                },
            )
        if self.some(0.15):
            inside += _tag(
                "QUANTITATIVE",
                {
                    "NAME": self.one(("R1", "R2", "R é")),
                    "QUANT": self.one(("1", "5", "00003")),
                    "ONFAIL": self.one("RK"),
                },
            )
        if self.some(0.1):
            inside += _tag("CONTROL", {"NAME": self.one(("L1", "L2")), "TYPE": self.one("ES"), "ONFAIL": "R"})
        return _tag("JOB", values, inside)


class JsonCase(_Case):
    """Makes the text of Automation API definitions."""

    def export(self, folders: int) -> str:
        tree: dict[str, Any] = {}
        if self.some(0.3):
            tree["Defaults"] = {
                "Application": "app",
                "Job": {"Host": "h9", "RunAs": "who"},
                "Job:Command": {"Command": "from defaults"},
            }
        for number in range(folders):
            tree[self.one(("F", "G", f"F{number}"))] = self.folder()
        if self.some(0.3):
            tree["RBCX"] = {"Type": "Calendar:RuleBased", "When": self.when(False)}
            tree["CAL1"] = {
                "Type": "Calendar:Regular",
                "When": {"Years": [{"Year": "2026", "JAN": ["1-5", "9"], "MAR": ["31"]}]},
            }
        return json.dumps(tree, indent=2, ensure_ascii=self.some(0.5))

    def folder(self) -> dict[str, Any]:
        found: dict[str, Any] = {"Type": self.one(("Folder", "Folder", "SimpleFolder"))}
        if self.some(0.3):
            found["OrderMethod"] = self.one(("Automatic", "Manual", "PLAN"))
        if self.some(0.4):
            found["When"] = self.when(True)
        if self.some(0.2):
            found["Variables"] = self.variables()
        if self.some(0.2):
            found["Defaults"] = {"Job": {"Host": "inner"}, "RunAs": "deep"}
        if self.some(0.1):
            found["AdjustEvents"] = self.one((True, False, "Bridge", "Dummy"))
        jobs = {self.one(_NAMES): self.job() for _ in range(self.random.randrange(1, 6))}
        if self.some(0.3):
            found["Jobs"] = [{"Name": name, **job} for name, job in jobs.items()]
        else:
            found |= jobs
        if found["Type"] == "Folder" and self.some(0.4):
            found["Sub"] = self.sub(1)
        if self.some(0.4):
            found["flow"] = {"Type": "Flow", "Sequence": self.random.sample(list(jobs), len(jobs))}
        if self.some(0.2):
            found["w"] = {"Type": "WaitForEvents", "Events": self.events()}
        return found

    def sub(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {
            "Type": "SubFolder",
            **{self.one(_NAMES): self.job() for _ in range(self.random.randrange(1, 4))},
        }
        if depth < 3 and self.some(0.4):
            found["Deeper"] = self.sub(depth + 1)
        if self.some(0.3):
            found["w"] = {"Type": "WaitForEvents", "Events": self.events()}
        if self.some(0.3):
            found["a"] = {"Type": "AddEvents", "Events": [{"Event": self.one(CONDITIONS)}]}
        return found

    def when(self, is_folder: bool) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.some(0.5):
            found["WeekDays"] = self.one((["MON", "FRI"], ["ALL"], ["NONE"], ["SAT"], ["D1"]))
        if self.some(0.5):
            found["MonthDays"] = self.one((["ALL"], ["1", "15"], ["L1"], ["NONE"], ["D1"], [1, 2], ["-15"]))
        if self.some(0.3):
            found["Months"] = self.one((["JAN", "JUN"], ["ALL"], ["NONE"]))
        if self.some(0.3):
            found["DaysRelation"] = self.one(("AND", "OR"))
        if self.some(0.3):
            found["FromTime"] = self.time()
        if self.some(0.15):
            found["ToTime"] = self.one((self.time(), ">"))
        if self.some(0.1):
            found["SpecificDates"] = ["12/24", "0101"]
        if self.some(0.1):
            found["ConfirmationCalendars"] = {
                "Calendar": "CAL1",
                "ExceptionPolicy": self.one(("DoNotOrder", "OrderOnNextConfirmedDay", "OrderAnyway")),
                "ShiftBy": "1",
            }
        if self.some(0.2):
            found["RuleBasedCalendars"] = {
                "Included": [self.one(("USE PARENT", "MINE", "GONE", "RBCX"))],
                "Relationship": "OR",
                "MINE": {"Type": "Calendar:RuleBased", "When": {"MonthDays": ["ALL"]}},
            }
        if self.some(0.05):
            found["Schedule"] = "Never"
        if is_folder and self.some(0.1):
            found["MonthDaysCalendar"] = "CAL1"
        return found

    def events(self) -> list[Any]:
        found: list[Any] = []
        for number in range(self.random.randrange(1, 4)):
            if number:
                found.append(self.one(("AND", "OR", "and")))
            event = {"Event": self.one(CONDITIONS)}
            if self.some(0.3):
                event["Date"] = self.one(
                    ("OrderDate", "PreviousOrderDate", "NextOrderDate", "NoDate", "AnyDate", "0131", "OrderDate+2")
                )
            found.append(event)
        if len(found) > 3 and self.some(0.4):
            found = ["(", *found[:3], ")", *found[3:]]
        return found

    def variables(self) -> list[dict[str, str]]:
        return [
            {self.one(("", "%%")) + name: value}
            for name, value in self.random.sample(VARIABLES, self.random.randrange(1, 5))
        ]

    def job(self) -> dict[str, Any]:
        makers: list[Callable[[], dict[str, Any]]] = [
            lambda: {"Type": "Job:Command", "Command": self.one(COMMANDS)},
            lambda: {"Type": "Job:Command", "Command": self.one(COMMANDS)},
            lambda: {
                "Type": "Job:Command",
                "Command": self.one(COMMANDS),
                "PreCommand": "pre %%A",
                "PostCommand": "post %%A",
            },
            lambda: {
                "Type": "Job:Script",
                "FileName": "run %%A.sh",
                "FilePath": self.one(("/opt", "")),
                "Arguments": ["x", "%%ODATE"],
            },
            lambda: {
                "Type": "Job:EmbeddedScript",
                "Script": self.one(("#!/bin/sh\necho %%A\n", "echo one\\necho two", "print(1)")),
                "FileName": self.one(("a.sh", "b.py")),
            },
            lambda: {"Type": "Job:Dummy"},
            lambda: {"Type": "Job:FileWatcher:Create", "Path": "/in/*.csv", "TimeLimit": "10", "MinimalAge": "2Min"},
            lambda: {"Type": "Job:Database:EmbeddedQuery", "ConnectionProfile": "DB", "Query": "select '%%ODATE'"},
            lambda: {
                "Type": "Job:FileTransfer",
                "ConnectionProfileSrc": "S",
                "ConnectionProfileDest": "D",
                "FileTransfers": [{"Src": "/a", "Dest": "/b"}],
            },
            lambda: {"Type": "Job:SLAManagement", "ServiceName": "s", "CompleteBy": {"Time": "12:00"}},
            lambda: {
                "Type": self.one(
                    (
                        "Job:SAP:R3:CREATE",
                        "Job:Own Thing",
                        "Job:AWS Glue",
                        "Job:Azure:Function",
                        "Job",
                        "Job:zOS:Member",
                    )
                )
            },
        ]
        found: dict[str, Any] = self.one(makers)()
        if self.some(0.4):
            found["When"] = self.when(False)
        if self.some(0.3):
            found["w"] = {"Type": "WaitForEvents", "Events": self.events()}
        if self.some(0.4):
            found["a"] = {
                "Type": self.one(("AddEvents", "AddEvents", "DeleteEvents")),
                "Events": [{"Event": self.one(CONDITIONS)} for _ in range(2)],
            }
        if self.some(0.4):
            found["Variables"] = self.variables()
        if self.some(0.3):
            actions = [
                {"Type": "Action:SetToOK"},
                {"Type": "Action:SetToNotOK"},
                {"Type": "Action:Rerun"},
                {"Type": "Action:Mail", "To": "a@b.c", "Subject": "s %%JOBNAME", "Message": "m"},
                {"Type": "Mail", "To": "a@b.c", "Message": "m"},
                {"Type": "Event:Add", "Event": self.one(CONDITIONS), "Date": "OrderDate"},
                {"Type": "Event:Delete", "Event": self.one(CONDITIONS)},
                {"Type": "Action:Set", "Variable": "\\\\P\\V", "Value": "%%ODATE"},
                {"Type": "Run", "Folder": "F", "Job": "J1", "Date": "OrderDate"},
                {"Type": "Action:Run", "Folder": "F", "Variables": [{"A": "1"}]},
                {"Type": "Action:Remedy", "Summary": "s"},
                {"Type": "Action:CaptureOutput", "VariableName": "x", "Search": "y"},
            ]
            block = self.one(
                (
                    {"Type": "If", "CompletionStatus": self.one(("NOTOK", "OK", "3", ">2", "Any", "Even"))},
                    {"Type": "If:CompletionStatus", "CompletionStatus": "NOTOK"},
                    {"Type": "If:Output", "Statement": "*", "Code": "*err*"},
                    {"Type": "If:NumberOfFailures", "NumberOfFailures": "3"},
                    {"Type": "If:VariableValue", "VariableName": "A", "Operator": "EqualTo", "VariableValue": "1"},
                    {"Type": "IfCollection", "Ifs": [{"Type": "If:CompletionStatus", "CompletionStatus": "NOTOK"}]},
                )
            )
            found["if"] = {
                **block,
                **{f"x{number}": self.one(actions) for number in range(self.random.randrange(1, 3))},
            }
        if self.some(0.15):
            found["Rerun"] = {
                "Every": "30",
                "Units": self.one(("Minutes", "Hours", "Seconds")),
                "Times": "3",
                "From": self.one(("Start", "End", "Target")),
            }
        elif self.some(0.1):
            found["RerunLimit"] = {"Times": "2", "Every": "1"}
        elif self.some(0.05):
            found["RerunSpecificTimes"] = {"At": ["0900", "1500"], "Tolerance": 5}
        elif self.some(0.05):
            found["RerunIntervals"] = {"Intervals": ["12m", "1h"], "From": "Start"}
        if self.some(0.1):
            found["Confirm"] = True
        if self.some(0.15):
            found["Priority"] = self.one(("Very High", "High", "Low", "AB"))
        if self.some(0.15):
            found["r"] = {"Type": "Resource:Pool", "Quantity": "2", "IfFail": self.one(("Keep", "Release"))}
        if self.some(0.1):
            found["l"] = {"Type": "Resource:Lock", "LockType": self.one(("Shared", "Exclusive"))}
        if self.some(0.1):
            found["n"] = {
                "Type": self.one(
                    ("Notify:OK", "Notify:NotOK", "Notify:DoesNotStart", "Notify:DoesNotEnd", "Notify:ExecutionTime")
                ),
                "Message": "m",
                "By": "09:00",
                "Criteria": "LessThan",
                "Value": "3",
            }
        if self.some(0.05):
            found["Strange"] = {"Type": "Alien", "x": [1, {"y": 2}]}
        if self.some(0.05):
            found["Odd"] = self.one((None, 5, [1], {"a": 1}, "text"))
        if self.some(0.1):
            found["Host"] = self.one(("h1", ""))
        return found


def write_case(random: Random, folder: Path) -> None:
    """Write one to three files of random definitions."""
    for number in range(random.choice((1, 1, 2, 3))):
        if random.random() < 0.55:
            text = XmlCase(random).export(random.randrange(1, 4))
            encoding = random.choice(("utf-8", "utf-8", "utf-16", "iso-8859-1"))
            text = text.replace("UTF-8", encoding, 1)
            (folder / f"{number}.xml").write_bytes(text.encode(encoding, "xmlcharrefreplace"))
        else:
            (folder / f"{number}.json").write_text(JsonCase(random).export(random.randrange(1, 4)), encoding="utf-8")
