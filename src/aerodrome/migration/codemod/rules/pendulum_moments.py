"""What pendulum 3 does otherwise without an error, written as pendulum 1 and 2 did it.

Measured with pendulum 1.4.4 (Airflow 1.10.15), 2.1.2 (2.2.5) and 3.2.0 (3.3.2) on Sunday 2020-09-06: `day_of_week` 0, 0, 6; `str()`
"2020-09-06T04:30:00+00:00" with a space instead of the T in 3; of 1 alone `format("%Y")` "2020", later "%2020", and
`to_iso8601_string()` with "+00:00", later with "Z".
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.rules.moments import KEYS, METHODS, NEWEST_PENDULUM, Moments, pendulum_of
from aerodrome.migration.codemod.rules.written_moments import writer
from aerodrome.migration.codemod.rules.written_texts import is_text, texts
from aerodrome.migration.codemod.source import Source
from aerodrome.migration.codemod.templates import Inner, rewrite_source

_NAMES = "|".join(sorted(KEYS, key=len, reverse=True))
_WHOLE = rf"(?<![\w.])((?:{_NAMES})(?:\.(?:{'|'.join(METHODS)})\([^()]*\))*|\((?:{_NAMES})\b(?:[^()|]|\([^()|]*\))*\)(?:\.(?:{'|'.join(METHODS)})\([^()]*\))*)"
_WEEKDAY = re.compile(rf"{_WHOLE}\.day_of_week\b")
_FORMAT = re.compile(rf"{_WHOLE}\.format\((?=\s*(?:['\"]|\\['\"])[^'\"]*%)")
_ISO = re.compile(rf"{_WHOLE}\.to_iso8601_string\(\)")
_WEEKDAYS = frozenset(f"pendulum.{name}DAY" for name in ("MON", "TUES", "WEDNES", "THURS", "FRI", "SATUR", "SUN"))
_COUNTED = "`day_of_week` counts from Monday, 0, since pendulum 3; before from Sunday, 0."


def inside(major: int) -> Inner:
    """Give what rewrites a Jinja block of a source with pendulum 1 or 2."""
    write = writer()

    def rewrite(text: str, _quote: str) -> tuple[str, int]:
        text, count = write(text)
        text, done = _WEEKDAY.subn(r"(\1.isoweekday() % 7)", text)
        count += done
        if major == 1:
            text, formats = _FORMAT.subn(r"\1.strftime(", text)
            text, moments = _ISO.subn(r"\1.isoformat()", text)
            count += formats + moments
        return text, count

    return rewrite


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    major = pendulum_of(source.text, options)
    if major >= NEWEST_PENDULUM:
        return
    moments = Moments(source)
    yield from rewrite_source(source, inside(major))
    yield from _weekdays(source, moments)
    yield from texts(source, moments.has, _as_text)
    if major == 1:
        yield from _formats(source, moments)


def _weekdays(source: Source, moments: Moments) -> Iterator[Change | Spot]:
    uses_names = any(source.means(node, _WEEKDAYS) for node in source.each(ast.Name, ast.Attribute))
    for node in source.each(ast.Attribute):
        if node.attr != "day_of_week" or not isinstance(node.ctx, ast.Load) or _is_column(node.value):
            continue
        parent = source.parents[node]
        if isinstance(parent, ast.Compare) and uses_names and _is_of_names(source, parent):
            continue  # both sides changed
        if uses_names or not moments.has(node.value):
            yield Spot(node.lineno, _COUNTED, "Write `.isoweekday() % 7` where a moment of pendulum is meant.")
            continue
        start, end = source.start(node), source.end(node)
        is_operand = isinstance(parent, ast.BinOp | ast.UnaryOp | ast.Attribute) or (
            isinstance(parent, ast.Subscript) and parent.value is node
        )
        opening = (Edit(start, start, "("),) if is_operand else ()
        text = f"isoweekday() % 7{')' if is_operand else ''}"
        yield Change((*opening, Edit(end - len(node.attr), end, text)))


def _is_column(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "dt"  # of pandas


def _is_of_names(source: Source, compare: ast.Compare) -> bool:
    others = [item for item in (compare.left, *compare.comparators) if getattr(item, "attr", "") != "day_of_week"]
    names = [
        part for item in others for part in (item.elts if isinstance(item, ast.Tuple | ast.List | ast.Set) else [item])
    ]
    return bool(names) and all(source.means(name, _WEEKDAYS) for name in names)


def _as_text(code: str, node: ast.expr) -> str:
    is_whole = isinstance(node, ast.BinOp | ast.BoolOp | ast.IfExp)
    return f"({code}).isoformat()" if is_whole else f"{code}.isoformat()"


def _formats(source: Source, moments: Moments) -> Iterator[Change | Spot]:
    for call in source.each(ast.Call):
        func = call.func
        if not isinstance(func, ast.Attribute) or func.attr not in ("format", "to_iso8601_string"):
            continue
        if not moments.has(func.value):
            continue
        if func.attr == "to_iso8601_string":
            yield Change((Edit(source.end(func) - len(func.attr), source.end(func), "isoformat"),))
        elif len(call.args) == 1 and not call.keywords and is_text(call.args[0]) and "%" in source.code(call.args[0]):
            yield Change((Edit(source.end(func) - len(func.attr), source.end(func), "strftime"),))
        else:
            yield Spot(
                call.lineno,
                "`format` of pendulum 1 takes the directives of strftime; since pendulum 2 it takes tokens as YYYY.",
                "Write `.strftime(...)` where the text has directives as %Y.",
            )


RULE = Rule(
    code="pendulum-moment",
    title="Moments of pendulum 1 and 2 go on as texts and weekdays as they were",
    words=(b"day_of_week", b"_date", b"data_interval", b"pendulum"),
    before="""
from airflow.operators.bash_operator import BashOperator

load = BashOperator(task_id="load", bash_command="load.sh {{ execution_date }} {{ execution_date.format('%d.%m.%Y') }}")


def choose(**context):
    moment = context["execution_date"]
    name = f"shop/{moment}.csv"
    return ["rest", "work"][moment.day_of_week > 0], str(context["execution_date"]), name
""",
    after="""
from airflow.operators.bash_operator import BashOperator

load = BashOperator(task_id="load", bash_command="load.sh {{ execution_date.isoformat() }} {{ execution_date.strftime('%d.%m.%Y') }}")


def choose(**context):
    moment = context["execution_date"]
    name = f"shop/{moment.isoformat()}.csv"
    return ["rest", "work"][moment.isoweekday() % 7 > 0], context["execution_date"].isoformat(), name
""",
    find=_find,
)
