"""Random Control-M exports as Automation API JSON, with what the field has and what hurts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bench.controlm_words import COMMANDS, CONDITIONS, NAMES, VARIABLES, Case


class JsonCase(Case):
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
        jobs = {self.one(NAMES): self.job() for _ in range(self.random.randrange(1, 6))}
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
            **{self.one(NAMES): self.job() for _ in range(self.random.randrange(1, 4))},
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
            if self.some(0.4):
                found["RuleBasedCalendars"]["Excluded"] = [self.one(("FIRSTS", "GONE", "RBCX"))]
                found["RuleBasedCalendars"]["FIRSTS"] = {"Type": "Calendar:RuleBased", "When": {"MonthDays": ["1"]}}
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
