"""Reads scheduling criteria from attributes, and calendars from DEFCAL exports and JSON."""

from __future__ import annotations

import json
from calendar import isleap
from datetime import date, timedelta

from aerodrome.migration.convert.controlm.definitions.elements import Element
from aerodrome.migration.convert.controlm.definitions.json_parts import MONTHS
from aerodrome.migration.convert.controlm.definitions.model import ALL_MONTHS, Calendar, Rule, Shift
from aerodrome.migration.convert.controlm.definitions.times import day_of

_SHIFTS: dict[str, Shift] = {
    "": "ignore",
    "IGNORE JOB": "ignore",
    "IGNOREJOB": "ignore",
    "NEXT DAY": "next",
    "NEXTDAY": "next",
    ">": "next",
    "PRIOR DAY": "prior",
    "PRIORDAY": "prior",
    "PREV DAY": "prior",
    "<": "prior",
    "NO CONFCAL": "none",
    "NOCONFCAL": "none",
    "@": "none",
}


def read_rule(element: Element, *, is_calendar: bool = True) -> Rule:
    """Read the criteria of a job, a folder or a rule-based calendar; months that nobody names are all of them."""
    named = [month for month in MONTHS if element.has(month)]
    chosen = frozenset(
        number for number, month in enumerate(MONTHS, 1) if element.take(month).upper() in ("1", "Y", "YES")
    )
    if months := element.take("MONTHS"):
        named = months.upper().replace(" ", "").split(",")
        chosen = frozenset(_month(word) for word in named if word != "ALL") or ALL_MONTHS
    dates = element.take("DATE", "DATES") or ",".join(child.take("DATE") for child in element.take_children("DATE"))
    words = [word for word in dates.replace(" ", "").replace("/", "").split(",") if word]
    shift, confirm = element.take("SHIFT"), element.take("CONFCAL", "CONF_CAL")
    unknown = [key.removeprefix("JSON.") for key in unknown_when(element)]
    unknown += [f"DATE={word}" for word in words if len(word) != 4 or not word.isdigit()]
    unknown += [f"SHIFT={shift}"] if confirm and shift.upper() not in _SHIFTS else []
    return Rule(
        name=element.take("NAME") if is_calendar else "",
        days=f"({unknown[0]})" if unknown else element.take("DAYS").upper().replace(" ", ""),
        weekdays=element.take("WEEKDAYS", "WDAYS").upper().replace(" ", ""),
        is_and=element.take("DAYS_AND_OR").upper().startswith("A"),
        months=chosen if named else ALL_MONTHS,
        dates=()
        if unknown
        else tuple(_month_day(word) for word in dates.replace(" ", "").split(",") if len(word) == 4 and word.isdigit()),
        days_calendar=element.take("DAYSCAL", "DAYS_CAL"),
        weeks_calendar=element.take("WEEKSCAL", "WEEKS_CAL", "WDAYSCAL"),
        confirm_calendar=confirm,
        shift=_SHIFTS.get(shift.upper(), "ignore"),
        shift_days=_signed(element.take("SHIFTNUM", "SHIFT_NUM")),
        active_from=day_of(element.take("ACTIVE_FROM")),
        active_till=day_of(element.take("ACTIVE_TILL")),
        is_retroactive=element.flag("RETRO"),
        is_never=element.flag("NEVER"),
    )


def unknown_when(element: Element) -> list[str]:
    """Give the keys of a JSON `When` that are not understood; they count as read."""
    found = [name for name in element.attributes if name.startswith("JSON.When.")]
    element.read.update(found)
    return found


def read_calendar(element: Element) -> Calendar | Rule | None:
    """Read a CALENDAR element: a regular calendar, a rule-based one, or None for kinds that are not read (periodic, relative)."""
    name = element.take("NAME", "CALENDAR_NAME")
    kind = element.take("TYPE", default="Regular").upper().replace("_", "").replace(" ", "").replace("-", "")
    rules = list(element.take_children("RULE_BASED_CALENDAR", "RULE"))
    if kind.startswith("RULE") or rules:
        rule = read_rule(rules[0]) if rules else read_rule(element)
        return rule if rule.name else read_rule_named(rules[0] if rules else element, name)
    if kind not in ("REGULAR", "STANDARD", ""):
        return None
    days: set[date] = set()
    years: list[int] = []
    for year in element.take_children("YEAR"):
        number = int(year.take("NAME", "YEAR", "VALUE") or 0)
        if not 1900 <= number <= 2200:
            continue
        years.append(number)
        first = date(number, 1, 1)
        if months := year.raw("MONTHS"):
            days.update(_by_month(number, json.loads(months)))
            continue
        marks = year.take("DAYS", "VALUE").replace(" ", "")
        length = 366 if isleap(number) else 365
        days.update(first + timedelta(days=at) for at, mark in enumerate(marks[:length]) if mark.upper() in ("Y", "1"))
    if not years:
        return None
    return Calendar(name, frozenset(days), date(min(years), 1, 1), date(max(years), 12, 31))


def read_rule_named(element: Element, name: str) -> Rule:
    """Read a rule-based calendar whose name stands on the element around it."""
    element.attributes["NAME"] = name
    return read_rule(element)


def _by_month(year: int, months: dict[str, list[str]]) -> set[date]:
    days = set()
    for month, words in months.items():
        if month.upper() not in MONTHS:
            continue
        for word in words:
            first, _, last = word.partition("-")
            for day in range(int(first), int(last or first) + 1):
                days.add(date(year, MONTHS.index(month.upper()) + 1, day))
    return days


def _month(word: str) -> int:
    return int(word) if word.isdigit() else MONTHS.index(word[:3]) + 1 if word[:3] in MONTHS else 0


def _month_day(word: str) -> tuple[int, int]:
    return int(word[:2]), int(word[2:])


def _signed(text: str) -> int:
    digits = text.strip()
    return int(digits) if digits.lstrip("+-").isdigit() else 0
