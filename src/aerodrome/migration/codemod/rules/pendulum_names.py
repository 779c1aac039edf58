"""Names of pendulum 1 and 2, which Airflow 1.10 and 2.0 to 2.7 brought: Airflow 3 brings pendulum 3.

Asked name by name of pendulum 1.4.4 and 3.2.0: what moments, durations and functions are called; that `Pendulum(2020, 1, 1)` has the zone UTC and
`DateTime(2020, 1, 1)` none; that `create` took today's month and day where none are given; that 1.4.4 parses what is no ISO 8601 and 3.2.0 raises,
but for `strict=False`; and that `%` in a format of from_format is one of strptime, whose moments are in UTC in both.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, has_open_end, keyword, rename_keyword, replace
from aerodrome.migration.codemod.rules.moments import Moments, pendulum_of
from aerodrome.migration.codemod.rules.written_for import original
from aerodrome.migration.codemod.source import Source

_RENAMED = {"Pendulum": "DateTime", "create": "datetime", "utcnow": "now", "utcfromtimestamp": "from_timestamp"}
_OF_1 = {"Interval": "Duration", "interval": "duration"}
_OF_2 = {"Period": "Interval", "period": "interval"}
"""Pendulum 3 gave the names that a Duration had in 1 to what was a Period in 1 and 2."""
_CALLED = ("Pendulum", "utcnow")
"""What is not called under its new name as it was under the old one."""
_CLASS = "DateTime"
_MODULES = ("pendulum", "pendulum.pendulum")
_CONSTANTS = "pendulum.constants"
_WEEKDAYS = ("SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY")
"""Numbers of days in pendulum.constants of 1 and 2, from 0; pendulum 3 only has them as TM_SUNDAY and so on. Its pendulum.SUNDAY counts from Monday."""
_DATE = ("year", "month", "day")
_PLACE_OF_ZONE = 8
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?")
_SET = "Use set({0}=…)."
_DAYS = {name: at for at, name in enumerate(("mon", "tues", "wednes", "thurs", "fri", "satur", "sun"), 1)}
_TESTS = {f"is_{day}day": f"== {at}" for day, at in _DAYS.items()} | {"is_weekday": "< 6", "is_weekend": "> 5"}  # fmt: skip
_GONE = {
    "strptime": "Use pendulum.DateTime.strptime(text, format).",
    "fromtimestamp": "Use pendulum.from_timestamp(seconds, tz), or DateTime.fromtimestamp.",
    "combine": "Use pendulum.instance(datetime.datetime.combine(date, time)).",
    "fromordinal": "Use pendulum.instance(datetime.datetime.fromordinal(…)).",
    "min": "Use pendulum.DateTime.min.",
    "max": "Use pendulum.DateTime.max.",
    "set_to_string_format": "Format moments where they become texts.",
    "reset_to_string_format": "Format moments where they become texts.",
    "set_formatter": "Use strftime for formats with %.",
    "set_test_now": "Use pendulum.travel_to, or set the time in the test.",
}  # fmt: skip
_OF_CLASS = {
    "parse": "Use pendulum.parse(text).",
    "combine": "Use pendulum.instance(datetime.datetime.combine(date, time)): DateTime.combine of pendulum 3 has no zone.",
    "utcfromtimestamp": "Use pendulum.from_timestamp(seconds): DateTime.utcfromtimestamp of pendulum 3 has no zone.",
    "create_from_format": "Use pendulum.from_format, or DateTime.strptime for formats with %.",
    "create_from_timestamp": "Use pendulum.from_timestamp(seconds).",
    "tomorrow": "Use pendulum.tomorrow(tz).",
    "yesterday": "Use pendulum.yesterday(tz).",
}
_OF_MOMENT = {
    "between": "Compare with < and >.",
    "copy": "Moments never change: use it as it is.",
    "is_today": "Use is_same_day(pendulum.now(tz)).",
    "is_tomorrow": "Use is_same_day(pendulum.tomorrow(tz)).",
    "is_yesterday": "Use is_same_day(pendulum.yesterday(tz)).",
    "seconds_since_midnight": "Use (moment - moment.start_of('day')).total_seconds().",
    "seconds_until_end_of_day": "Use (moment.end_of('day') - moment).total_seconds().",
    "with_date_time": "Use set(year=…, month=…, day=…, hour=…, minute=…, second=…).",
    "with_time_from_string": "Use at(hour, minute, second).",
    "with_timestamp": "Use pendulum.from_timestamp(seconds, tz).",
    "add_timedelta": "Add it by +.",
    "subtract_timedelta": "Subtract it by -.",
    "min_": "Use the builtin min.",
    "max_": "Use the builtin max.",
    "minimum": "Use the builtin min.",
    "maximum": "Use the builtin max.",
    "timestamp_": "Use pendulum.from_timestamp(seconds, tz).",
    "timezone_": "Use set(tz=…).",
    "tz_": "Use set(tz=…).",
} | {f"{name}_": _SET.format(name) for name in ("year", "month", "day", "hour", "minute", "second", "microsecond")}  # fmt: skip


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    major = pendulum_of(original(source, options), options)
    renamed = _RENAMED | _OF_2 | (_OF_1 if major == 1 else {})
    for node in source.each(ast.ImportFrom):
        if not node.level:
            yield from _imported(source, node, renamed)
    for attribute in source.each(ast.Attribute):
        if attribute.attr in _WEEKDAYS and source.means(attribute.value, {_CONSTANTS}):
            end = source.end(attribute)
            yield Change((Edit(end - len(attribute.attr), end, f"TM_{attribute.attr}"),))
        elif source.means(attribute.value, _MODULES) and isinstance(attribute.ctx, ast.Load):
            yield from _of_module(source, attribute, major)
    for call in source.each(ast.Call):
        yield from _called(source, call, major)
    yield from _of_moments(source)


def _imported(source: Source, node: ast.ImportFrom, renamed: dict[str, str]) -> Iterator[Change | Spot]:
    for alias in node.names:
        name = alias.asname or alias.name
        if node.module == _CONSTANTS and alias.name in _WEEKDAYS:
            yield Change((replace(source, alias, f"TM_{alias.name} as {name}"),))
            continue
        new = renamed.get(alias.name) if alias.asname not in _OF_2 else ""
        if node.module in _MODULES and (new or alias.name in _OF_2):
            text = f"{new or _OF_2[alias.name]} as {name}"
            edits = [Edit(source.start(alias), source.end(alias), text)]
            if alias.name in _CALLED:
                edits += [edit for call in source.each(ast.Call) for edit in _as_before(source, call, alias.name)]
            if node.module == _MODULES[1]:
                at = source.start(node) + len("from ")
                edits.append(Edit(at, at + len(_MODULES[1]), "pendulum"))
            yield Change(tuple(edits))
        elif node.module == "pendulum" and alias.name in _GONE:
            yield Spot(node.lineno, f"pendulum 3 has no `{alias.name}`.", _GONE[alias.name])
        elif node.module == "pendulum.tz" and alias.name == "timezone" and len(node.names) == 1:
            yield Change(
                (
                    replace(
                        source, node, f"from pendulum import timezone{f' as {alias.asname}' if alias.asname else ''}"
                    ),
                )
            )


def _as_before(source: Source, call: ast.Call, old: str) -> Iterator[Edit]:
    """Let calls of an imported class or function give what they gave, under the new name's meaning."""
    if not isinstance(call.func, ast.Name) or not source.means(call.func, {f"{module}.{old}" for module in _MODULES}):
        return
    if old == "utcnow":
        end = source.end(call)
        yield Edit(end - 1, end - 1, '"UTC"')
    else:
        end = source.end(call.func)
        yield Edit(end, end, ".create")
        yield from (rename_keyword(source, item, "tz") for item in call.keywords if item.arg == "tzinfo")


def _of_module(source: Source, node: ast.Attribute, major: int) -> Iterator[Change | Spot]:
    call = source.parents[node]
    is_called = isinstance(call, ast.Call) and call.func is node
    start, end = source.end(node) - len(node.attr.encode()), source.end(node)
    if is_called and node.attr == "Pendulum":
        edits = [Edit(start, end, "datetime")]
        edits += [rename_keyword(source, item, "tz") for item in call.keywords if item.arg == "tzinfo"]  # type: ignore[attr-defined]
        yield Change(tuple(edits))
    elif is_called and node.attr == "utcnow":
        yield Change((Edit(start, source.end(call), 'now("UTC")'),))
    elif is_called and node.attr == "create" and not _has_date(call):  # type: ignore[arg-type]
        yield Spot(node.lineno, "`pendulum.create` took today's month or day where none was given; pendulum 3 has no such thing.", "Write year, month and day: pendulum.datetime(…).")  # fmt: skip
    elif is_called and node.attr == "strptime" and len(call.args) == 2:  # type: ignore[attr-defined]
        yield Change((Edit(start, end, f"{_CLASS}.strptime"),))
    elif is_called and node.attr == "interval" and _is_duration(call):  # type: ignore[arg-type]
        yield Change((Edit(start, end, "duration"),))
    elif node.attr == "Period" and major == 1:
        yield Spot(
            node.lineno,
            "`pendulum.Period` is Interval in pendulum 3, which was another class in pendulum 1.",
            "Write pendulum.Interval.",
        )
    elif new := (_RENAMED | _OF_2 | ({"Interval": "Duration"} if major == 1 else {})).get(node.attr):
        yield Change((Edit(start, end, new),))
    elif node.attr in _GONE:
        yield Spot(node.lineno, f"pendulum 3 has no `{node.attr}`.", _GONE[node.attr])


def _has_date(call: ast.Call) -> bool:
    return not has_open_end(call) and all(len(call.args) > at or keyword(call, name) for at, name in enumerate(_DATE))


def _is_duration(call: ast.Call) -> bool:
    """Tell whether it is the function of pendulum 1: that of 3 takes two moments."""
    return len(call.args) == 1 or (
        not call.args and bool(call.keywords) and not {item.arg for item in call.keywords} & {"start", "end", None}
    )


def _called(source: Source, call: ast.Call, major: int) -> Iterator[Change | Spot]:
    meanings = source.meanings(call.func)
    if "pendulum.from_format" in meanings:
        yield from _from_format(source, call)
    elif "pendulum.parse" in meanings and major == 1 and not has_open_end(call) and keyword(call, "strict") is None:
        given = call.args[0] if call.args else None
        if given is not None and not (isinstance(given, ast.Constant) and _ISO.fullmatch(str(given.value))):
            yield Change((add_keyword(source, call, "strict", "False"),))
    elif "pendulum.tz.timezone" in meanings and isinstance(call.func, ast.Attribute):
        owner = source.code(call.func.value).rpartition(".")[0]
        if owner:
            yield Change((replace(source, call.func, f"{owner}.timezone"),))
    for meaning in meanings if major == 1 else ():
        owner, _, name = meaning.rpartition(".")
        if owner in ("pendulum.Pendulum", "pendulum.DateTime") and name in _OF_CLASS:
            yield Spot(call.lineno, f"A class of pendulum 3 has no `{name}` that does the same.", _OF_CLASS[name])


def _from_format(source: Source, call: ast.Call) -> Iterator[Change | Spot]:
    """Formats with %, which pendulum 1 took: strptime of both give the same moment."""
    form = call.args[1] if len(call.args) > 1 else getattr(keyword(call, "fmt"), "value", None)
    if not isinstance(form, ast.Constant) or "%" not in str(form.value):
        return
    if isinstance(call.func, ast.Attribute) and len(call.args) == 2 and not call.keywords:
        end = source.end(call.func)
        yield Change((Edit(end - len("from_format"), end, f"{_CLASS}.strptime"),))
    else:
        yield Spot(
            call.lineno,
            "from_format of pendulum 3 takes no format with %.",
            "Write the format in pendulum's tokens, as YYYY-MM-DD.",
        )


def _of_moments(source: Source) -> Iterator[Change | Spot]:
    moments: Moments | None = None
    for node in source.each(ast.Attribute):
        if node.attr not in _OF_MOMENT and node.attr not in _TESTS:
            continue
        moments = moments or Moments(source)
        if not moments.has(node.value):
            continue
        call = source.parents[node]
        if node.attr in _TESTS and isinstance(call, ast.Call) and not call.args:
            value = source.code(node.value)
            value = f"({value})" if isinstance(node.value, ast.BinOp) else value
            yield Change((replace(source, call, f"({value}.isoweekday() {_TESTS[node.attr]})"),))
        elif node.attr in _OF_MOMENT:
            yield Spot(node.lineno, f"A moment of pendulum 3 has no `{node.attr}`.", _OF_MOMENT[node.attr])


RULE = Rule(
    code="pendulum-name",
    title="Names of pendulum 1 and 2 become those of pendulum 3",
    words=(b"pendulum",),
    before="""
import pendulum
from airflow.operators.python_operator import PythonOperator
from pendulum import Pendulum

start = pendulum.create(2020, 1, 1)
end = Pendulum(2021, 1, 1)
day = pendulum.from_format("2020-02-03", "%Y-%m-%d")
is_open = pendulum.utcnow().is_weekday()
wait = pendulum.interval(hours=2)
given = pendulum.parse(text)
midnight = pendulum.create(2020)
""",
    after="""
import pendulum
from airflow.operators.python_operator import PythonOperator
from pendulum import DateTime as Pendulum

start = pendulum.datetime(2020, 1, 1)
end = Pendulum.create(2021, 1, 1)
day = pendulum.DateTime.strptime("2020-02-03", "%Y-%m-%d")
is_open = (pendulum.now("UTC").isoweekday() < 6)
wait = pendulum.duration(hours=2)
given = pendulum.parse(text, strict=False)
midnight = pendulum.create(2020)
""",
    find=_find,
    is_for_2=True,
    finding="`pendulum.create` took today's month or day",
)
