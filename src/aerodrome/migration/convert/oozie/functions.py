"""The functions of EL: how each is written in Jinja or Python, and what kind of value it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from aerodrome.migration.convert.contract import Code, Symbol
from aerodrome.migration.convert.oozie import errors, frequency, javatext, moments, partitions
from aerodrome.migration.convert.oozie.comparing import unless_null
from aerodrome.migration.convert.oozie.el import (
    Function,
    Literal,
    Node,
)
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.oozie.writing import grouped, string

if TYPE_CHECKING:
    from aerodrome.migration.convert.oozie.compiling import Compiler

_RE: Final = Symbol("re", {"2.11": "", "3.3": ""})
_QUOTE_PLUS: Final = Symbol("quote_plus", {"2.11": "urllib.parse", "3.3": "urllib.parse"})
APP_PATH: Final = "oozie.wf.application.path"
_OF_CLUSTER: Final = ("wf:actionExternalId", "wf:actionTrackerUri")


def _replace_all(compiler: Compiler, text: Node, pattern: Node, new: Node) -> str:
    if not isinstance(pattern, Literal) or not isinstance(new, Literal):
        raise Unsupported("el-regex", "the pattern of replaceAll() is not fixed")
    found = javatext.regex(str(pattern.value), str(new.value))
    if found is None:
        raise Unsupported("el-regex", f"the Java pattern {pattern.value!r} has no equivalent")
    name = compiler.macro("re_sub", Code("re.sub", (_RE,)))
    return f"{name}({string(found[0])}, {string(found[1])}, {compiler.text_of(text)})"


def _append_all(compiler: Compiler, text: Node, more: Node, mark: Node) -> str:
    separator = grouped(compiler.text_of(mark))
    if compiler.language == "jinja":
        parts, tail = f"{grouped(compiler.text_of(text))}.split({separator})", grouped(compiler.text_of(more))
        return f"({parts} | map('replace', '', '') | join({tail} ~ {separator}) ~ {tail})"
    tail = grouped(compiler.text_of(more))
    return f"{separator}.join(part + {tail} for part in {grouped(compiler.text_of(text))}.split({separator}))"


def _of_cluster(name: str) -> Callable[..., str]:
    def made(compiler: Compiler, action: Node) -> str:
        if not compiler.is_message:
            raise Unsupported("el-external", f"{name}() has no equivalent: the log of the task has it")
        del action
        return _unknown(compiler, name)

    return made


def _unknown(compiler: Compiler, name: str) -> str:
    compiler.needs.caveats["external-id"] = f"Airflow does not know {name}(): it is empty, the log of the task has it"
    return '""'


def _first_not_null(compiler: Compiler, first: Node, second: Node) -> str:
    if isinstance(first, Function) and first.name in _OF_CLUSTER:
        _unknown(compiler, first.name)
        return compiler.text_of(second)
    return unless_null(compiler, first, second)


def _timestamp(compiler: Compiler) -> str:
    """Give now as the server writes it (Oozie 4.x/5.x: ELConstantsFunctions.timestamp, by DateUtils.formatDateOozieTZ)."""
    if compiler.language != "jinja":
        raise Unsupported("el-time", "timestamp() is not read in a branch")
    ending = compiler.words.ending
    minutes = int(frequency.distance(ending).utcoffset(None) / timedelta(minutes=1))
    now = f"(macros.datetime.utcnow() + macros.timedelta(minutes={minutes}))" if minutes else "macros.datetime.utcnow()"
    return f'{now}.strftime("%Y-%m-%dT%H:%M{ending}")'


def _json(compiler: Compiler, value: Node) -> str:
    if compiler.kind(value) != "map" or compiler.language != "jinja":
        raise Unsupported("el-map", "toJsonStr() is only given maps of action data")
    return f"({compiler.value(value)} | tojson)"


def _run(compiler: Compiler) -> str:
    compiler.needs.caveats["wf-run"] = "wf:run() is 0: a run that is cleared keeps its number"
    return "0"


def _job_id(compiler: Compiler, name: str) -> str:
    """Give the id of the run without the signs that Oozie's ids lack: HDFS refuses a colon in a name (Hadoop 3.3: DFSUtil.isValidName)."""
    compiler.needs.caveats["job-id"] = (
        f"{name} is the id of the run with - for : and +, which names in HDFS cannot hold"
    )
    if compiler.language == "jinja":
        return '(run_id | replace(":", "-") | replace("+", "-"))'
    return 'run_id.replace(":", "-").replace("+", "-")'


def _fs(name: str, flag: str = "") -> Callable[..., str]:
    return lambda compiler, path: compiler.probe(name, flag, path)


CALLS: Final[Mapping[str, Callable[..., str]]] = {
    "wf:id": lambda c: _job_id(c, "wf:id()"),
    "wf:name": lambda c: c.named(c.words.app_name),
    "wf:appPath": lambda c: c.name(APP_PATH),
    "wf:conf": lambda c, *given: c.conf(*given),
    "wf:user": lambda c: c.name("user.name"),
    "wf:group": lambda c: c.name("group.name"),
    "wf:run": _run,
    "wf:actionData": lambda c, *given: c.action_data(*given),
    "wf:lastErrorNode": errors.last_error_node,
    "wf:errorMessage": errors.error_message,
    "wf:errorCode": errors.error_code,
    **{name: _of_cluster(name) for name in _OF_CLUSTER},
    "concat": lambda c, *given: c.joined(*given),
    "trim": lambda c, text: c.filtered(text, "trim", "strip()"),
    "toLowerCase": lambda c, text: c.filtered(text, "lower", "lower()"),
    "toUpperCase": lambda c, text: c.filtered(text, "upper", "upper()"),
    "replaceAll": _replace_all,
    "appendAll": _append_all,
    "firstNotNull": _first_not_null,
    "urlEncode": lambda c, text: f"{c.macro('quote_plus', Code('quote_plus', (_QUOTE_PLUS,)))}({c.text_of(text)})",
    "timestamp": _timestamp,
    "toJsonStr": _json,
    "fs:exists": _fs("hdfs_test", "-e"),
    "fs:isDir": _fs("hdfs_test", "-d"),
    "fs:dirSize": _fs("hdfs_size", "-d"),
    "fs:fileSize": _fs("hdfs_size", "-e"),
    "coord:nominalTime": moments.nominal,
    "coord:actualTime": moments.actual,
    "coord:dateOffset": moments.offset,
    "coord:dateTzOffset": moments.in_zone,
    "coord:formatTime": moments.formatted,
    "coord:epochTime": lambda c, time, millis: (
        f"{moments.instant_of(c, time)}.int_timestamp"
        + (" * 1000" if millis == Literal("true") or millis == Literal(True) else "")
    ),
    "coord:user": lambda c: c.name("user.name"),
    "coord:name": lambda c: c.named(c.words.coordinator_name or c.words.app_name),
    "coord:actionId": lambda c: _job_id(c, "coord:actionId()"),
    "coord:conf": lambda c, *given: c.conf(*given),
    "bundle:conf": lambda c, *given: c.conf(*given),
    "coord:dataIn": lambda c, name: c.uris(name),
    "coord:dataOut": lambda c, name: c.uris(name, is_output=True),
    **partitions.CALLS,
}
KINDS: Final = {
    "wf:actionData": "map",
    "wf:run": "number",
    "fs:exists": "truth",
    "fs:isDir": "truth",
    "fs:dirSize": "number",
    "fs:fileSize": "number",
    "coord:nominalTime": "time",
    "coord:actualTime": "time",
    "coord:dateOffset": "time",
    "coord:dateTzOffset": "time",
    "coord:epochTime": "number",
}
