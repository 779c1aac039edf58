"""Understands the elements of exports: folders, jobs, conditions, actions. What is not understood is put on the account."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final, Literal

from aerodrome.migration.convert.contract import Account, Origin
from aerodrome.migration.convert.controlm.definitions.aws_details import service_details
from aerodrome.migration.convert.controlm.definitions.bookkeeping import BOOKKEEPING, DETAILS
from aerodrome.migration.convert.controlm.definitions.captures import captures
from aerodrome.migration.convert.controlm.definitions.elements import Element
from aerodrome.migration.convert.controlm.definitions.kinds import kind_of, watcher_details
from aerodrome.migration.convert.controlm.definitions.model import (
    Action,
    Cyclic,
    CyclicStart,
    Folder,
    Job,
    Out,
    Reaction,
    Resource,
    Shout,
    Variable,
    Wait,
)
from aerodrome.migration.convert.controlm.definitions.rules_reading import read_rule
from aerodrome.migration.convert.controlm.definitions.times import minutes_of, seconds_of

FOLDER_TAGS: Final = ("FOLDER", "SMART_FOLDER", "TABLE", "SCHED_TABLE", "SMART_TABLE", "SCHED_GROUP", "GROUP")
SUB_TAGS: Final = ("SUB_FOLDER", "SUB_TABLE", "SMART_SUB_FOLDER")
_ACTIONS: Final = {
    "OK": "ok",
    "NOTOK": "notok",
    "RERUN": "rerun",
    "STOPCYCLIC": "stop-cyclic",
    "SPCYC": "stop-cyclic",
    "STOP CYCLIC": "stop-cyclic",
}
_PLUGIN_PREFIXES: Final = (
    "FTP-",
    "FILEWATCH-",
    "UCM-",
    "DB-",
    "UDJ-",
    "SAPR3-",
    "SAP-",
    "WS-",
    "INF-",
    "HDP-",
    "AI-",
    "AFT-",
    "BIM-",
    "AWS-",
    "OS400-",
)


_OF_ACTIONS: Final = (
    *("ACTION", "ATTACH_SYSOUT", "CC_DEST", "DATACENTER", "DEST", "EXP", "FOLDER", "FOLDER_NAME", "MESSAGE", "NAME"),
    *("ODATE", "OPTION", "PAR", "REMOTE", "SIGN", "SUBJECT", "TABLE_NAME", "URGENCY", "VALUE", "VARIABLES", "FROM"),
    "INTO_TABLE_ORDERID",
)  # attributes of DO elements that somebody reads; FROM is of outputs that are not routed here


class Interpreter:
    """Understands the elements of one file; collects what it could not place."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.platform = ""  # of the folder that is read
        self.accounts: list[Account] = []

    def folder(
        self, element: Element, parents: tuple[str, ...] = (), is_mainframe: bool = False, place: str = ""
    ) -> Folder:
        """Understand a folder or sub-folder with everything in it. `place` is its last part of the path, where that is not its name."""
        first = len(self.accounts)
        name = _folder_name(element)
        path = (*parents, place or name)
        platform = element.take("PLATFORM")
        self.platform = platform if not parents else self.platform
        is_mainframe = is_mainframe or platform.upper() == "MVS"
        rules = tuple(read_rule(child) for child in element.take_children("RULE_BASED_CALENDAR", "RULE_BASED_CAL"))
        members = _with_flows(
            self._members(element, path, is_mainframe),
            [(flow.take("NAME"), json.loads(flow.take("SEQUENCE"))) for flow in element.take_children("FLOW")],
            path,
        )
        method: str | None = None
        if not parents and any(element.has(word) for word in ("FOLDER_ORDER_METHOD", "TABLE_USERDAILY", "USER_DAILY")):
            method = element.take("FOLDER_ORDER_METHOD", "TABLE_USERDAILY", "USER_DAILY")
        cyclic = _cyclic(element)
        element.take(
            "TASKTYPE",
            "RUN_AS",
            "NODEID",
            "APPL_TYPE",
            "CYCLIC",
            "INTERVAL",
            "MEMNAME",
            "MEMLIB",
            "IND_CYCLIC",
            "MAXRERUN",
        )
        common = self._common(element, path, name)
        server = element.take("DATACENTER")
        adjusts = element.take("ADJUST_COND").upper()
        is_adjusting = adjusts not in ("", "0", "N", "NO", "FALSE")
        if adjusts == "D":
            text = "ADJUST_COND=D orders jobs that its criteria leave out as dummies, which wait for their own conditions and add theirs; here those that wait for them go on at once."
            self._note(element, path, f"{element.tag}@ADJUST_COND", "conditions-dummies", text)
        elif is_adjusting and parents:
            text = "ADJUST_COND of a sub-folder has no effect: that of its folder counts."
            self._note(element, path, f"{element.tag}@ADJUST_COND", "conditions-adjusted", text)
        if cyclic is not None and parents:
            text = "The sub-folder repeats in Control-M; here it runs once on each date."
            self._note(element, path, f"{element.tag}@CYCLIC", "folder-cyclic", text)
        self._leftovers(element, path)
        accounts = tuple(self.accounts[first:]) if not parents else ()
        return Folder(
            **common,
            members=tuple(members),
            rules=rules,
            is_smart=element.tag not in ("FOLDER", "TABLE", "SCHED_TABLE"),
            order_method=method,
            server=server,
            is_adjusting=is_adjusting,
            accounts=accounts,
            cyclic=None if parents else cyclic,
        )

    def _members(self, element: Element, path: tuple[str, ...], is_mainframe: bool) -> list[Job | Folder]:
        """Understand what stands in a folder. Those of one name get paths of their own: Control-M allows them."""
        seen: Counter[str] = Counter()
        found: list[Job | Folder] = []
        for child in element.take_children("JOB", *SUB_TAGS):
            is_job = child.tag == "JOB"
            name = _job_name(child) if is_job else _folder_name(child)
            seen[name] += 1
            place = f"{name}#{seen[name]}" if seen[name] > 1 else name
            found.append((self.job if is_job else self.folder)(child, path, is_mainframe, place))
        return found

    def job(self, element: Element, parents: tuple[str, ...], is_mainframe: bool = False, place: str = "") -> Job:
        """Understand one job."""
        name = _job_name(element)
        path = (*parents, place or name)
        kind, shown = kind_of(element, self.platform, is_mainframe)
        if element.flag("END_FOLDER"):
            text = "END_FOLDER ends the whole folder after this job; here the other jobs of the run still run."
            self._note(element, path, "JOB@END_FOLDER", "end-folder", text)
        common = self._common(element, path, name)
        plain, details = [], {}
        for variable in common["variables"]:
            if variable.name.upper().startswith(_PLUGIN_PREFIXES):
                details[variable.name] = variable.value
            else:
                plain.append(variable)
        common["variables"] = tuple(plain)
        for attribute in list(element.attributes):
            is_detail = attribute.startswith("JSON.") and not attribute.startswith("JSON.When.")
            if (attribute in DETAILS or is_detail) and (value := element.raw(attribute)):
                details[attribute.removeprefix("JSON.")] = value
        details = service_details(details, kind)
        if kind == "file-watcher" and details.get("CMDLINE"):
            details |= watcher_details(details["CMDLINE"])
        job = Job(
            **common,
            kind=kind,
            type_name=shown,
            details=details,
            host=element.take("NODEID", "NODEGRP", "HOST"),
            run_as=element.take("RUN_AS", "OWNER"),
            cyclic=_cyclic(element),
            max_reruns=_number(element.take("MAXRERUN")),
            rerun_minutes=(seconds_of(element.take("RERUN_INTERVAL", "RERUNINTERVAL", "INTERVAL")) or 0) // 60,
        )
        self._leftovers(element, job.path)
        return job

    def _common(self, element: Element, path: tuple[str, ...], name: str) -> dict[str, Any]:
        time_to = element.take("TIMETO", "TIMEUNTIL")
        for key in [item for item in element.attributes if item.startswith("JSON.When.")]:
            text = f"The schedule says {key.removeprefix('JSON.')}={element.raw(key)}, which is not understood: there is no schedule."
            self._note(element, path, f"{element.tag}/When", "schedule-unknown", text)
        for key in ("TIMEFROM", "TIMETO", "TIMEUNTIL"):
            if (word := element.take(key)) and word != ">" and minutes_of(word) is None:
                text = f"{key}={word} is no time of day and has no effect."
                self._note(element, path, f"{element.tag}@{key}", "time-unknown", text)
        rule = read_rule(element, is_calendar=False)
        names = tuple(child.take("NAME") for child in element.take_children("RULE_BASED_CALENDARS", "TAG_NAMES"))
        names += tuple(f"!{child.take('NAME')}" for child in element.take_children("EXCLUDE_RULE_BASED_CALENDARS"))
        relation = element.take("RULE_BASED_CALENDAR_RELATIONSHIP", "TAG_RELATIONSHIP")
        return {
            "name": name,
            "path": path,
            "rule": rule,
            "rule_names": tuple(item for item in names if item not in ("", "!")),
            "rules_join": "and" if relation.upper().startswith("A") else "or",
            "waits": tuple(_wait(child) for child in element.take_children("INCOND")),
            "outs": tuple(_out(child) for child in element.take_children("OUTCOND")),
            "reactions": (
                *self._reactions(element.take_children("ON", "ON_STMT"), path),
                *captures(element, path[0]),
            ),
            "shouts": tuple(_shout(child) for child in element.take_children("SHOUT")),
            "resources": tuple(_resources(element)),
            "variables": tuple(_variables(element)),
            "time_from": minutes_of(element.take("TIMEFROM")),
            "time_to": minutes_of(time_to),
            "has_open_end": time_to == ">",
            "timezone": element.take("TIMEZONE"),
            "max_wait": _max_wait(element.take("MAXWAIT", "DAYSKEEPACTIVE")),
            "must_confirm": element.flag("CONFIRM"),
            "priority": element.take("PRIORITY"),
            "is_critical": element.flag("CRITICAL"),
            "application": element.take("APPLICATION"),
            "sub_application": element.take("SUB_APPLICATION", "GROUP"),
            "description": element.take("DESCRIPTION"),
            "origin": Origin(self.file, "/".join(path), element.line),
        }

    def _reactions(self, blocks: Iterable[Element], path: tuple[str, ...]) -> Iterator[Reaction]:
        """Give the reactions of ON blocks: one of each, or for any status one for OK and one for NOTOK; blocks that are joined are one."""
        joined: list[str] = []
        for element in blocks:
            actions = []
            for child in element.children:
                element.read.add(f"<{child.tag}>")
                actions.append(_action(child))
                self._leftovers(child, path)
            element.take("PROCS")
            step, join = element.take("PGMS"), element.take("AND_OR")[:1].upper()
            statement, code = element.take("STMT", default="*"), element.take("CODE", default="*")
            if step.upper() not in ("", "*", "ANYSTEP"):
                statement = f"{step} {statement}".removesuffix(" *")
            if join and not actions:
                joined.append(f"{statement}/{code} {'and' if join == 'A' else 'or'}")
                continue
            if joined:
                yield Reaction(f"{' '.join(joined)} {statement}", code, tuple(actions), element.line)
                joined = []
                continue
            for one in ("OK", "NOTOK") if code.upper() == "ANY" else (code,):
                yield Reaction(statement, one, tuple(actions), element.line)

    def _leftovers(self, element: Element, path: tuple[str, ...]) -> None:
        """Put on the account what nobody read: attributes and elements that are neither understood nor bookkeeping."""
        for name in element.unread_attributes():
            if name in BOOKKEEPING or not element.attributes[name].strip() or name.startswith(("XMLNS", "XSI")):
                continue
            text = f"{name.removeprefix('JSON.')}={element.attributes[name][:80]!r} is not known to the converter and has no effect."
            self._note(element, path, f"{element.tag}@{name.removeprefix('JSON.')}", "unknown-attribute", text)
        for child in element.children:
            if f"<{child.tag}>" in element.read and child.tag not in ("JOB", "ON", "ON_STMT", "FLOW", *SUB_TAGS):
                self._leftovers(child, path)
        for child in element.unread_children():
            if child.tag == "ADDITIONAL_FOLDER_DETAILS" and not child.attributes:
                continue
            text = f"<{child.tag.removeprefix('JSON.')}> with {json.dumps(child.attributes, sort_keys=True)[:120]} is not known to the converter and has no effect."
            self._note(child, path, child.tag, "unknown-element", text)

    def _note(self, element: Element, path: tuple[str, ...], what: str, code: str, text: str) -> None:
        origin = Origin(self.file, "/".join(path), element.line)
        self.accounts.append(Account(what, "caveat", origin, code, text, path[-1]))


def _cyclic(element: Element) -> Cyclic | None:
    times = ",".join(child.take("TIME", "SPECIFIC_TIME") for child in element.take_children("SPECIFIC_TIMES"))
    steps = ",".join(child.take("INTERVAL") for child in element.take_children("INTERVAL_SEQUENCE"))
    kind = element.take("CYCLIC_TYPE")[:1].upper()
    times, steps = (
        times or element.take("SPECIFIC_TIMES", "CYCLIC_TIMES_SEQUENCE"),
        steps or element.take("INTERVAL_SEQUENCE", "CYCLIC_INTERVAL_SEQUENCE"),
    )
    interval = element.take("INTERVAL")
    starts: dict[str, CyclicStart] = {"S": "start", "E": "end", "T": "target"}
    start = starts.get(element.take("IND_CYCLIC")[:1].upper(), "start")
    runs = _number(element.take("MAXRUNS")) or (_number(element.take("MAXRERUN")) if element.flag("CYCLIC") else 0)
    if not element.flag("CYCLIC") and "CYCLIC" not in element.take("TASKTYPE").upper():
        return None
    if kind == "S" and times:
        found = [minutes_of(word) for word in times.replace(" ", "").split(",") if word]
        return Cyclic("times", () if None in found else tuple(item for item in found if item is not None), start, runs)
    if kind == "V" and steps:
        seconds = [seconds_of(word) for word in steps.replace(" ", "").split(",") if word]
        is_whole = all(item is not None and item % 60 == 0 for item in seconds)
        return Cyclic("sequence", tuple((item or 0) // 60 for item in seconds), start, runs, is_whole)
    length = seconds_of(interval) or 0
    return Cyclic("interval", (length // 60,), start, runs, length % 60 == 0)


def _folder_name(element: Element) -> str:
    return element.take(
        "FOLDER_NAME",
        "TABLE_NAME",
        "SCHED_TABLE_NAME",
        "GROUP_NAME",
        "JOBNAME",
        "SUB_FOLDER_NAME",
        "SUB_TABLE_NAME",
        "GROUP",
        default="folder",
    )


def _job_name(element: Element) -> str:
    return element.take("JOBNAME", "MEMNAME", default="job")


def _with_flows(
    members: list[Job | Folder], flows: Iterable[tuple[str, list[str]]], path: tuple[str, ...]
) -> list[Job | Folder]:
    """Turn `Flow` sequences into conditions: that of the flow, for which the next job waits, and `A-TO-B` for whoever else does.

    A flow is the order of jobs of its folder: jobs of the same names in flows of other folders are not meant. Its condition has the name that
    Control-M gives it, by which people add it themselves (`FLOW_from_FOLDER_folder_job_A_to_FOLDER_folder_job_B`; so it is used in BMC's
    community samples of the Automation API, a train of cyclic jobs that a dummy job starts).
    """
    around = "/".join(path)
    waits: dict[str, list[Wait]] = {}
    outs: dict[str, list[Out]] = {}
    for flow, steps in flows:
        for before, after in pairwise(steps):
            name = f"{flow}_from_{around}_folder_job_{before}_to_{around}_folder_job_{after}"
            outs.setdefault(before, []).extend((Out(name), Out(f"{before}-TO-{after}", is_alias=True)))
            waits.setdefault(after, []).append(Wait(name))
            outs.setdefault(after, []).append(Out(name, sign="-"))
    return [_replace(member, waits.get(member.name, []), outs.get(member.name, [])) for member in members]


def _replace(member: Job | Folder, waits: list[Wait], outs: list[Out]) -> Job | Folder:
    return replace(member, waits=(*member.waits, *waits), outs=(*member.outs, *outs)) if waits or outs else member


def _number(text: str) -> int:
    digits = text.strip().lstrip("+")
    return int(digits) if digits.isdigit() else 0


def _max_wait(text: str) -> int | None:
    if text.lower() == "forever":
        return 99
    return int(text) if text.isdigit() else None


def _wait(element: Element) -> Wait:
    marks = element.take("OP")
    joins: Literal["A", "O"] = "O" if element.take("AND_OR").upper().startswith("O") else "A"
    return Wait(
        element.take("NAME"),
        element.take("ODATE", default="ODAT").upper(),
        joins,
        marks.count("("),
        marks.count(")"),
        element.line,
    )


def _out(element: Element) -> Out:
    sign: Literal["+", "-"] = "-" if element.take("SIGN", "EFFECT").upper() in ("-", "DEL", "DELETE") else "+"
    return Out(element.take("NAME"), element.take("ODATE", default="ODAT").upper(), sign, element.line)


def _shout(element: Element) -> Shout:
    element.take("DAYSOFFSET")
    return Shout(
        element.take("WHEN").upper(),
        element.take("TIME"),
        element.take("DEST"),
        element.raw("MESSAGE"),
        element.take("URGENCY", default="R"),
        element.line,
    )


def _resources(element: Element) -> Iterable[Resource]:
    for child in element.take_children("QUANTITATIVE"):
        is_kept = _is_kept(child)
        yield Resource(child.take("NAME"), max(_number(child.take("QUANT")), 1), "quantitative", child.line, is_kept)
    for child in element.take_children("CONTROL"):
        kind: Literal["exclusive", "shared"] = "shared" if child.take("TYPE").upper().startswith("S") else "exclusive"
        yield Resource(child.take("NAME"), 1, kind, child.line, _is_kept(child))


def _is_kept(element: Element) -> bool:
    return element.take("ONFAIL").upper()[:1] == "K" or element.take("ONOK").upper()[:1] == "D"


def _variables(element: Element) -> Iterable[Variable]:
    for child in element.take_children("VARIABLE", "AUTOEDIT2", "AUTOEDIT"):
        name, value = child.take("NAME"), child.raw("VALUE")
        if not name and (expression := child.raw("EXP")):
            name, _, value = expression.partition("=")
        yield Variable(name.strip().removeprefix("%%"), value, child.line)


def _action(element: Element) -> Action:
    values = {name: element.raw(name) for name in element.attributes if name in _OF_ACTIONS}
    if element.tag == "DOFORCEJOB" and (given := list(_variables(element))):
        values["VARIABLES"] = ", ".join(f"%%{item.name}={item.value}" for item in given)
    word = values.get("ACTION", "").upper().strip()
    kind = {
        "DOCOND": "cond",
        "DOMAIL": "mail",
        "DOSHOUT": "shout",
        "DOFORCEJOB": "force",
        "DOVARIABLE": "variable",
        "DOAUTOEDIT2": "variable",
        "DOAUTOEDIT": "variable",
        "DOREMEDY": "remedy",
        "DOSYSOUT": "output",
        "DOOUTPUT": "output",
        "DOIFRERUN": "rerun",
    }.get(element.tag)
    if element.tag in ("DO", "DOACTION"):
        kind = _ACTIONS.get(word, "other")
    if kind == "variable" and not values.get("NAME") and (expression := values.get("EXP")):
        name, _, value = expression.partition("=")
        values |= {"NAME": name.strip(), "VALUE": value}
    values["TAG"] = element.tag
    return Action(kind or "other", values, element.line)
