"""The parts of Automation API folders and jobs as elements: schedules, events, flows, resources, If blocks, notifications."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aerodrome.migration.convert.controlm.definitions.elements import Element

MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS: Final = {"SUN": "=0", "MON": "=1", "TUE": "=2", "WED": "=3", "THU": "=4", "FRI": "=5", "SAT": "=6"}
_DATES: Final = {
    "": "ODAT",
    "ORDERDATE": "ODAT",
    "PREVIOUSORDERDATE": "PREV",
    "PREVIOUSDATE": "PREV",
    "NEXTORDERDATE": "NEXT",
    "NODATE": "STAT",
    "ANYDATE": "****",
    "ANYORDERDATE": "****",
    "DATELESS": "STAT",
}
_SHIFTS: Final = {
    "ignore": "Ignore Job",
    "nextday": "Next Day",
    "priorday": "Prior Day",
    "previousday": "Prior Day",
    "none": "No Confcal",
    "orderanyway": "No Confcal",
    "donotorder": "Ignore Job",
    "orderonnextconfirmedday": "Next Day",
    "orderonpreviousconfirmedday": "Prior Day",
}
_WHEN: Final = {
    "FromTime": "TIMEFROM",
    "ToTime": "TIMETO",
    "StartDate": "ACTIVE_FROM",
    "EndDate": "ACTIVE_TILL",
    "MonthDaysCalendar": "DAYSCAL",
    "MonthsDaysCalendar": "DAYSCAL",
    "DaysCalendar": "DAYSCAL",
    "WeekDaysCalendar": "WEEKSCAL",
    "TimeZone": "TIMEZONE",
    "DaysKeepActive": "MAXWAIT",
}


def scalar(value: Any) -> str:
    """Give a JSON value as an attribute's text; lists and objects as JSON."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def variables_of(value: Any) -> Iterator[Element]:
    """Give VARIABLE elements of a `Variables` list, in its order."""
    for entry in value if isinstance(value, list) else [value] if isinstance(value, dict) else []:
        if isinstance(entry, dict):
            for name, text in entry.items():
                yield Element("VARIABLE", {"NAME": f"%%{name.removeprefix('%%')}", "VALUE": scalar(text)})


def _days(values: Any, names: Mapping[str, str]) -> str:
    items = values if isinstance(values, list) else [values]
    words = [names.get(str(item).upper(), str(item).upper()) for item in items]
    return "" if words == ["NONE"] else ",".join(words)


def add_when(element: Element, when: Mapping[str, Any]) -> None:
    """Turn a `When` into the attributes of a rule. A key that is not known becomes `JSON.When.key`: it stops the schedule."""
    attributes = element.attributes
    for key, value in when.items():
        if key == "WeekDays":
            attributes["WEEKDAYS"] = _days(value, _WEEKDAYS)
        elif key == "MonthDays":
            attributes["DAYS"] = _days(value, {})
        elif key == "Months":
            chosen = {str(month).upper() for month in (value if isinstance(value, list) else [value])}
            if chosen != {"ALL"}:
                attributes |= {month: "1" if month in chosen else "0" for month in MONTHS}
        elif key == "DaysRelation":
            attributes["DAYS_AND_OR"] = "A" if str(value).upper() == "AND" else "O"
        elif key == "SpecificDates":
            attributes["DATE"] = ",".join(str(item).replace("/", "") for item in value)
        elif key == "ConfirmationCalendars" and isinstance(value, dict):
            attributes["CONFCAL"] = scalar(value.get("Calendar", ""))
            policy = str(value.get("ExceptionPolicy", "Ignore"))
            attributes["SHIFT"] = _SHIFTS.get(policy.lower().replace(" ", ""), policy)
            attributes["SHIFTNUM"] = scalar(value.get("ShiftBy", "0"))
        elif key == "Schedule" and str(value).upper() == "NEVER":
            attributes |= {"DAYS": "", "WEEKDAYS": "", "NEVER": "1"}
        elif key == "RuleBasedCalendars" and isinstance(value, dict):
            _add_rules(element, value)
        elif key in _WHEN:
            attributes[_WHEN[key]] = scalar(value)
        else:
            attributes[f"JSON.When.{key}"] = scalar(value)
    if "WEEKDAYS" not in attributes and "DAYS" not in attributes and any(month in when for month in ("Months",)):
        attributes["DAYS"] = "ALL"
    if "MonthDays" in when or "WeekDays" in when:
        chosen_by = ("DAYS", "WEEKDAYS", "DATE", "DAYSCAL", "WEEKSCAL")
        is_chosen = any(attributes.get(name) for name in chosen_by) or _is_following(when)
        attributes |= {} if is_chosen else {"NEVER": "1"}  # NONE is said: it does not leave the dates to its folder


def _is_following(when: Mapping[str, Any]) -> bool:
    """Say whether rule-based calendars choose dates, of its own or of its folder."""
    calendars = when.get("RuleBasedCalendars")
    return isinstance(calendars, dict) and bool(calendars.get("Included"))


def _add_rules(element: Element, value: Mapping[str, Any]) -> None:
    for name in value.get("Included", []):
        if name != "USE PARENT":
            element.children.append(Element("RULE_BASED_CALENDARS", {"NAME": str(name)}))
        else:
            element.children.append(Element("RULE_BASED_CALENDARS", {"NAME": "*"}))
    for name in value.get("Excluded", []):
        element.children.append(Element("RULE_BASED_CALENDARS", {"NAME": f"!{name}"}))
    if "Relationship" in value:
        element.attributes["RULE_BASED_CALENDAR_RELATIONSHIP"] = (
            "A" if str(value["Relationship"]).upper() == "AND" else "O"
        )
    for name, rule in value.items():
        if isinstance(rule, dict):
            made = Element("RULE_BASED_CALENDAR", {"NAME": name})
            when = rule.get("When")
            add_when(made, when if isinstance(when, dict) else {})
            element.children.append(made)


def add_repetition(element: Element, whole: Mapping[str, Any]) -> None:
    """Turn Rerun, RerunIntervals, RerunSpecificTimes and RerunLimit into the attributes of a cyclic job."""
    starts = {"START": "S", "END": "E", "TARGET": "T"}
    attributes = element.attributes

    def shared(part: Mapping[str, Any], kind: str) -> None:
        attributes["CYCLIC"] = "1"
        attributes["CYCLIC_TYPE"] = kind
        attributes["IND_CYCLIC"] = starts.get(str(part.get("From", "End")).upper(), "E")
        attributes["MAXRUNS"] = scalar(part.get("Times", "0"))

    if isinstance(part := whole.get("Rerun"), dict):
        unit = str(part.get("Units", "Minutes"))[:1].upper()
        shared(part, "C")
        attributes["INTERVAL"] = f"{scalar(part.get('Every', '0'))}{unit}"
    if isinstance(part := whole.get("RerunIntervals"), dict):
        shared(part, "V")
        attributes["INTERVAL_SEQUENCE"] = ",".join(f"+{str(item).upper()}" for item in part.get("Intervals", []))
    if isinstance(part := whole.get("RerunSpecificTimes"), dict):
        shared(part, "S")
        attributes["SPECIFIC_TIMES"] = ",".join(str(item) for item in part.get("At", []))
        attributes["CYCLIC_TOLERANCE"] = scalar(part.get("Tolerance", "0"))
    if isinstance(part := whole.get("RerunLimit"), dict):
        attributes["MAXRERUN"] = scalar(part.get("Times", "0"))
        if "Every" in part:
            attributes["RERUN_INTERVAL"] = f"{scalar(part['Every'])}{str(part.get('Units', 'Minutes'))[:1].upper()}"


def add_part(element: Element, name: str, item: Mapping[str, Any], line: int) -> None:
    """Add one typed object that stands in a folder or a job."""
    kind = str(item["Type"])
    if kind == "WaitForEvents":
        element.children.extend(_waits(item.get("Events", []), line))
    elif kind in ("AddEvents", "DeleteEvents"):
        sign = "+" if kind == "AddEvents" else "-"
        for event in item.get("Events", []):
            if isinstance(event, dict):
                attributes = {"NAME": scalar(event.get("Event")), "ODATE": date_word(event.get("Date")), "SIGN": sign}
                element.children.append(Element("OUTCOND", attributes, line=line))
    elif kind in ("Resource:Semaphore", "Resource:Pool"):
        attributes = {"NAME": scalar(item.get("Name", name)), "QUANT": scalar(item.get("Quantity", "1"))}
        element.children.append(Element("QUANTITATIVE", attributes | _holding(item), line=line))
    elif kind in ("Resource:Mutex", "Resource:Lock"):
        word = str(item.get("MutexType", item.get("LockType", "Exclusive")))
        attributes = {"NAME": scalar(item.get("Name", name)), "TYPE": word[:1].upper()}
        element.children.append(Element("CONTROL", attributes | _holding(item), line=line))
    elif kind.startswith(("If:", "If", "IfBase")):
        element.children.append(_if_block(item, kind, line))
    elif kind.startswith("Notify"):
        element.children.append(_notification(item, kind, line))
    else:
        element.children.append(Element(f"JSON.{kind}", {"NAME": name, "VALUE": scalar(dict(item))}, line=line))


def _holding(item: Mapping[str, Any]) -> dict[str, str]:
    """Give what becomes of a resource when its job has ended: kept after a failure, discarded after OK."""
    return {
        key: scalar(item[word])[:1].upper() for word, key in (("IfFail", "ONFAIL"), ("IfOk", "ONOK")) if word in item
    }


def date_word(value: Any) -> str:
    """Give the XML word of an event's date: ODAT, PREV, STAT, ****, +001, 0131."""
    text = str(value or "").strip()
    upper = text.upper().replace(" ", "")
    if upper.startswith("ORDERDATE") and upper[9:10] in ("+", "-"):
        return upper[9:]
    return _DATES.get(upper, text)


def _waits(events: Any, line: int) -> Iterator[Element]:
    joins, opens = "A", 0
    last: Element | None = None
    for event in events if isinstance(events, list) else []:
        if isinstance(event, dict):
            attributes = {"NAME": scalar(event.get("Event")), "ODATE": date_word(event.get("Date")), "AND_OR": joins}
            last = Element("INCOND", attributes | {"OP": "(" * opens}, line=line)
            joins, opens = "A", 0
            yield last
            continue
        word = str(event).upper()
        if word in ("AND", "OR"):
            joins = word[0]
        elif word == "(":
            opens += 1
        elif word == ")" and last is not None:
            last.attributes["OP"] += ")"


def _if_block(item: Mapping[str, Any], kind: str, line: int) -> Element:
    word = "CompletionStatus" if kind == "If" and "CompletionStatus" in item else kind.rpartition(":")[2]
    code = {
        "CompletionStatus": scalar(item.get("CompletionStatus", "NOTOK")),
        "NumberOfReruns": f"RUNCOUNT EQ {scalar(item.get('NumberOfReruns', ''))}",
        "NumberOfFailures": f"FAILCOUNT EQ {scalar(item.get('NumberOfFailures', ''))}",
        "JobNotSubmitted": "JNSUB",
        "JobOutputNotFound": "OUTPUTNOTFOUND",
        "Output": scalar(item.get("Code", item.get("Output", "*"))),
        "NumberOfExecutions": f"RUNCOUNT EQ {scalar(item.get('NumberOfExecutions', ''))}",
    }.get(word, f"{kind}")
    block = Element("ON", {"STMT": scalar(item.get("Statement", "*")), "CODE": code}, line=line)
    for name, action in item.items():
        if isinstance(action, dict) and "Type" in action:
            block.children.append(_action(name, action, line))
    return block


class _Said(dict[str, str]):
    """The keys of an action in capitals; knows which were read."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        super().__init__({key.upper(): scalar(value) for key, value in item.items() if key != "Type"})
        self.read = {"COMMENT"}

    def get(self, key: str, default: str = "") -> str:  # type: ignore[override]
        self.read.add(key)
        return super().get(key, default)


def _action(name: str, item: Mapping[str, Any], line: int) -> Element:
    """Give an action of an If block as its element; keys that it does not read stay on it as `JSON.KEY`."""
    rest = _Said(item)
    made = _action_of(name, item, rest, line)
    if made.tag != "DOOTHER":
        made.attributes |= {f"JSON.{key}": value for key, value in rest.items() if key not in rest.read}
    return made


def _action_of(name: str, item: Mapping[str, Any], rest: _Said, line: int) -> Element:
    word = str(item["Type"]).removeprefix("Action:").removeprefix("Do:")
    simple = {"SetToOK": "OK", "SetToNotOK": "NOTOK", "Rerun": "RERUN", "StopCyclicRun": "STOPCYCLIC"}
    if word in simple:
        return Element("DOACTION", {"ACTION": simple[word]}, line=line)
    if word == "Mail":
        sent = {
            "DEST": rest.get("TO", ""),
            "CC_DEST": rest.get("CC", ""),
            "ATTACH_SYSOUT": rest.get("ATTACHOUTPUT", "N"),
        }
        return Element(
            "DOMAIL", sent | {key: rest.get(key, "") for key in ("SUBJECT", "MESSAGE", "URGENCY")}, line=line
        )
    if word in ("Event:Add", "Event:Delete", "AddEvent", "DeleteEvent"):
        sign = "+" if "Add" in word else "-"
        return Element(
            "DOCOND", {"NAME": rest.get("EVENT", name), "ODATE": date_word(rest.get("DATE")), "SIGN": sign}, line=line
        )
    if word == "Run":
        return Element(
            "DOFORCEJOB",
            {
                "TABLE_NAME": rest.get("FOLDER", ""),
                "NAME": rest.get("JOB", ""),
                "ODATE": date_word(rest.get("DATE")),
                "VARIABLES": rest.get("VARIABLES", "").removeprefix("[]"),
                "DATACENTER": rest.get("CONTROLMSERVER", ""),
                "REMOTE": "Y" if rest.get("CONTROLMSERVER") else "",
            },
            line=line,
        )
    if word in ("SetVariable", "Set"):
        return Element("DOVARIABLE", {"NAME": rest.get("VARIABLE", ""), "VALUE": rest.get("VALUE", "")}, line=line)
    if word == "Output":
        option = {"COPY": "F", "MOVE": "M"}.get(rest.get("OPERATION", "COPY").upper(), rest.get("OPERATION", ""))
        return Element("DOSYSOUT", {"OPTION": option, "PAR": rest.get("DESTINATION", "")}, line=line)
    if word == "Notify":
        sent = {"DEST": rest.get("DESTINATION", ""), "URGENCY": rest.get("URGENCY", "R")}
        return Element("DOSHOUT", sent | {"MESSAGE": rest.get("MESSAGE", "")}, line=line)
    return Element("DOOTHER", {"ACTION": str(item["Type"])}, line=line)


def _notification(item: Mapping[str, Any], kind: str, line: int) -> Element:
    word = kind.rpartition(":")[2].upper()
    when = {
        "NOTOK": "NOTOK",
        "OK": "OK",
        "EXECUTIONENDSNOTOK": "NOTOK",
        "EXECUTIONENDSOK": "OK",
        "EXECUTIONTIME": "EXECTIME",
        "LATESUBMISSION": "LATESUB",
        "RERUN": "RERUN",
    }.get(word, word)
    rest = {key.upper(): scalar(value) for key, value in item.items()}
    time = " ".join(part for part in (rest.get(key, "") for key in ("CRITERIA", "VALUE", "TIME", "BY", "DAYS")) if part)
    attributes = {"WHEN": when, "TIME": time, "DEST": rest.get("DESTINATION", ""), "MESSAGE": rest.get("MESSAGE", "")}
    return Element("SHOUT", attributes | {"URGENCY": rest.get("URGENCY", "R")}, line=line)
