"""The dates of Automation API jobs, read from their `When` alone: what the converter's own reader understands is not asked here.

Folders are found by name in the JSON files, jobs by name inside them. What this reader does not know (calendars, confirmations, defaults with
a schedule) is not compared. Weekdays have names, so the week of the site does not matter.
"""

from __future__ import annotations

import json
from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from aerodrome.migration.convert.controlm.definitions.model import Job
from aerodrome.migration.convert.controlm.world import Plan, World

_WEEK = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_YEAR = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DATES = {"WeekDays", "MonthDays", "Months", "DaysRelation", "SpecificDates", "RuleBasedCalendars", "Schedule"}
_TIMES = {"FromTime", "ToTime", "TimeZone", "DaysKeepActive"}  # they choose no date
_DAYS = 800  # dates that are compared
Test = Callable[[date], bool]


class Missing(Exception):
    """A calendar that no file has: nobody knows the dates."""


class Unread(Exception):
    """Something that this reader does not know."""


def when_changes(corpus: Path, world: World) -> Iterator[str]:
    """Name the jobs that the converter orders on other dates than their `When` says, or on dates that nobody knows."""
    trees = dict(_trees(corpus))
    shared = {
        name: value
        for tree in trees.values()
        for name, value in tree.items()
        if isinstance(value, dict) and value.get("Type") == "Calendar:RuleBased"
    }
    for plan in world.plans:
        tree = trees.get(plan.folder.origin.file, {})
        folder = tree.get(plan.folder.name)
        if isinstance(folder, dict) and folder.get("Type") in ("Folder", "SimpleFolder") and "Defaults" not in tree:
            yield from _of_folder(plan, folder, shared, world.site.horizon.first)


def _trees(corpus: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for file in sorted(corpus.rglob("*.json")) if corpus.is_dir() else [corpus]:
        try:
            tree = json.loads(file.read_text(encoding="utf-8-sig"))
        except ValueError:
            continue
        if isinstance(tree, dict):
            yield str(file.relative_to(corpus if corpus.is_dir() else corpus.parent)), tree


def _of_folder(plan: Plan, folder: Mapping[str, Any], shared: Mapping[str, Any], first: date) -> Iterator[str]:
    days = [first + timedelta(days=number) for number in range(_DAYS)]
    by_hand = str(folder.get("OrderMethod", "Automatic")) not in ("Automatic", "")
    if "Defaults" in folder or by_hand:
        return
    for job in plan.folder.jobs():
        own = folder.get(job.name)
        if len(job.path) != 2 or job.path[1] != job.name or not isinstance(own, dict):
            continue
        found = plan.order.jobs[job.path]
        try:
            test = _test_of(folder, own, shared)
        except Missing as why:
            if found.dates:
                yield f"{'/'.join(job.path)}: {why} is in no file, and the job has dates"
            continue
        except Unread:
            continue
        if found.is_known and (wrong := _first_other(job, days, test, found.dates)):
            yield wrong


def _first_other(job: Job, days: list[date], test: Test, dates: frozenset[date]) -> str:
    for day in days:
        if test(day) != (day in dates):
            return f"{'/'.join(job.path)}: on {day} it is {'not ' * (day not in dates)}ordered, in Control-M otherwise"
    return ""


def _test_of(folder: Mapping[str, Any], job: Mapping[str, Any], shared: Mapping[str, Any]) -> Test:
    """Give the test of the dates of a job: those of its folder, where that is a SMART one, and its own."""
    whole: Test | None = None
    if _is_never(job.get("When")):
        return lambda _: False
    outer = folder.get("When")
    rules = {**shared, **_rules_in(outer)}
    if folder["Type"] == "Folder":
        whole = _chosen(outer, rules, None) if "When" in folder else lambda _: True
        if whole is None:
            return lambda _: False
    inner = job.get("When")
    own = _chosen(inner, {**rules, **_rules_in(inner)}, whole)
    if own is None:
        is_said = isinstance(inner, dict) and bool({"WeekDays", "MonthDays"} & inner.keys())
        return whole if whole is not None and not is_said else lambda _: False
    return own if whole is None else lambda day: whole(day) and own(day)


def _is_never(when: Any) -> bool:
    return isinstance(when, dict) and str(when.get("Schedule", "")).upper() == "NEVER"


def _rules_in(when: Any) -> Mapping[str, Any]:
    calendars = when.get("RuleBasedCalendars") if isinstance(when, dict) else None
    return {name: item for name, item in (calendars or {}).items() if isinstance(item, dict)}


def _chosen(when: Any, rules: Mapping[str, Any], whole: Test | None) -> Test | None:
    """Give the test of a `When`; None where nothing in it chooses a date. `whole`: what USE PARENT means."""
    if not isinstance(when, dict):
        return None
    if when.keys() - _DATES - _TIMES:
        raise Unread
    if _is_never(when):
        return lambda _: False
    calendars = when.get("RuleBasedCalendars") or {}
    included = [_rule(name, rules, whole) for name in calendars.get("Included", [])]
    excluded = [_rule(name, rules, whole) for name in calendars.get("Excluded", [])]
    parts: list[Test] = [lambda day: any(test(day) for test in included)] if included else []
    parts += [own] if (own := _own(when)) is not None else []
    if not parts:
        if not excluded or {"WeekDays", "MonthDays"} & when.keys() or whole is None:
            return None
        parts = [whole]
    every = all if str(calendars.get("Relationship", "OR")).upper() == "AND" else any
    return lambda day: every(part(day) for part in parts) and not any(test(day) for test in excluded)


def _rule(name: str, rules: Mapping[str, Any], whole: Test | None) -> Test:
    if name == "USE PARENT":
        if whole is None:
            raise Unread
        return whole
    if name not in rules:
        raise Missing(name)
    when = rules[name].get("When")
    if not isinstance(when, dict) or when.keys() - _DATES or "RuleBasedCalendars" in when:
        raise Unread
    return _own(when) or (lambda _: False)


def _own(when: Mapping[str, Any]) -> Test | None:
    """Give the test of days, weekdays, months and dates; None where they choose none."""
    if _is_never(when):
        return lambda _: False
    months = [str(item).upper() for item in when.get("Months", ["ALL"])]
    in_month: Test = lambda day: "ALL" in months or _YEAR[day.month - 1] in months  # noqa: E731
    if dates := [str(item).replace("/", "") for item in when.get("SpecificDates", [])]:
        return lambda day: in_month(day) and f"{day:%m%d}" in dates
    tests = [test for key in ("WeekDays", "MonthDays") if (test := _days(when, key)) is not None]
    if not tests:
        is_every = "Months" in when and not {"WeekDays", "MonthDays"} & when.keys()
        return in_month if is_every else None
    every = all if str(when.get("DaysRelation", "OR")).upper() == "AND" else any
    return lambda day: in_month(day) and every(test(day) for test in tests)


def _days(when: Mapping[str, Any], key: str) -> Test | None:
    given = when.get(key, ["NONE"])
    words = [str(item).upper() for item in (given if isinstance(given, list) else [given])]
    if words in ([], ["NONE"]):
        return None
    if words == ["ALL"]:
        return lambda _: True
    if key == "WeekDays":
        if set(words) - set(_WEEK):
            raise Unread
        return lambda day: _WEEK[day.weekday()] in words
    if not all(word.removeprefix("L").isdigit() for word in words):
        raise Unread
    return lambda day: str(day.day) in words or f"L{monthrange(day.year, day.month)[1] - day.day + 1}" in words
