"""The times of coordinators in EL: nominal and actual time, offsets, zones, formats. Oozie hands them on as texts of its server."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from aerodrome.migration.convert.contract import Code, Symbol
from aerodrome.migration.convert.oozie import frequency, javatext
from aerodrome.migration.convert.oozie.el import Function, Literal, Node
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.oozie.writing import string

if TYPE_CHECKING:
    from aerodrome.migration.convert.oozie.compiling import Compiler

_PENDULUM: Final = Symbol("pendulum", {"2.11": "", "3.3": ""})
_STARTED: Final = "dag_run.start_date"


def time_of(compiler: Compiler, node: Node) -> str:
    """Compile to a datetime."""
    if compiler.kind(node) == "time":
        return compiler.value(node)
    if compiler.language != "jinja":
        raise Unsupported("el-time", "a time that is a text cannot be read in a branch")
    read = compiler.macro("read_time", Code("pendulum.parse", (_PENDULUM,)))
    return by_server(compiler, f"{read}({compiler.text_of(node)})")


def by_server(compiler: Compiler, moment: str) -> str:
    """Put a time into the zone of the server, in which Oozie writes and counts times (4.x/5.x: DateUtils.formatDateOozieTZ, getCalendar)."""
    return moment if server(compiler) == '"UTC"' else f"{movable(compiler, moment)}.in_timezone({server(compiler)})"


def movable(compiler: Compiler, moment: str) -> str:
    """Write a time as pendulum's: the start of a run is a plain datetime in Airflow ≥ 3."""
    if moment != _STARTED:
        return moment
    return f"{compiler.macro('instance', Code('pendulum.instance', (_PENDULUM,)))}({moment})"


def server(compiler: Compiler) -> str:
    """Write the zone of the server as pendulum takes it: a name, or hours."""
    zone = frequency.server_zone(compiler.words.ending)
    if ":" not in zone:
        return string(zone)
    return repr(frequency.distance(compiler.words.ending).utcoffset(None) / timedelta(hours=1))


def instant_of(compiler: Compiler, node: Node) -> str:
    """Compile to a datetime that is the time which its text names: Oozie hands times on as texts of its server."""
    moment = movable(compiler, time_of(compiler, node))
    is_shifted = isinstance(node, Function) and node.name == "coord:dateTzOffset"
    return f"{moment}.set(tz={server(compiler)})" if is_shifted else moment


def nominal(compiler: Compiler) -> str:
    """Compile `coord:nominalTime()`."""
    return by_server(compiler, "logical_date")


def actual(compiler: Compiler) -> str:
    """Compile `coord:actualTime()`."""
    compiler.needs.caveats["actual-time"] = "coord:actualTime() is the start of the run"
    return by_server(compiler, _STARTED)


def offset(compiler: Compiler, time: Node, amount: Node, unit: Node) -> str:
    """Compile `coord:dateOffset()`."""
    word = {
        "MINUTE": "minutes",
        "HOUR": "hours",
        "DAY": "days",
        "WEEK": "weeks",
        "MONTH": "months",
        "YEAR": "years",
    }
    if not isinstance(unit, Literal) or str(unit.value).upper() not in word:
        raise Unsupported("el-unit", "the unit of coord:dateOffset() is not fixed")
    whole = compiler.whole(amount)
    method, whole = ("subtract", whole[1:]) if re.fullmatch(r"-\d+", whole) else ("add", whole)
    return f"{instant_of(compiler, time)}.{method}({word[str(unit.value).upper()]}={whole})"


def in_zone(compiler: Compiler, time: Node, zone: Node) -> str:
    """Compile `coord:dateTzOffset()`."""
    return f"{instant_of(compiler, time)}.in_timezone({compiler.text_of(zone)})"


def formatted(compiler: Compiler, time: Node, pattern: Node) -> str:
    """Compile `coord:formatTime()`."""
    if not isinstance(pattern, Literal):
        raise Unsupported("el-pattern", "the pattern of coord:formatTime() is not fixed")
    code = javatext.strftime(str(pattern.value), compiler.words.ending)
    if code is None:
        raise Unsupported("el-pattern", f"the pattern {pattern.value!r} of coord:formatTime() has no equivalent")
    moment = instant_of(compiler, time) if "%z" in code else time_of(compiler, time)
    return f"{moment}.strftime({string(code)})"
