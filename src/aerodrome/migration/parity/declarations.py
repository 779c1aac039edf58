"""The file in which people declare data checks, explain known differences and allow what a shadow run may touch.

```yaml
tolerance: {factor: 2.0, seconds: 30, only: [{dag: daily_*, task: load, seconds: 600, numbers: 0.01}]}
allow: {connections: [public_api], hosts: [api.example.org]}
explain:
  - {dag: daily_*, aspect: xcom, task: load, field: return_value, reason: counts rows of a sandbox}
checks:
  - {name: orders, dag: daily_sales, sql: "select * from orders where day = '{ds}'", source: warehouse, target: warehouse}
  - {name: files, dag: daily_sales, files: {source: "/data/{ds}", target: "/sandbox/{ds}"}, pattern: "*.csv"}
  - {name: lake, s3: {source: {connection: lake, bucket: prod}, target: {connection: lake, bucket: test}}, prefix: "sales/{ds}/"}
tests:
  - {name: whole chain, dag: e2e_sales, conf: {day: "2026-01-01"}, timeout_s: 600}
  - {name: unit, command: [python, -m, pytest, -q, tests]}
```
`{ds}`, `{ts}`, `{interval_start}` and `{interval_end}` are those of the compared run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import yaml

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.parity.contract import ASPECTS

HINT = "Mend the file and compare again; docs/guides/compare.md has an example of each field."
SQL_WAYS, FILE_WAYS = ("count", "checksum", "schema"), ("names", "sizes", "checksum")
S3_WAYS = ("names", "sizes", "etags")
_READING = re.compile(r"(?is)^\s*(?:--[^\n]*\n\s*)*(?:select|with|values|table)\b")
LONGEST_FILE = 2_000_000
MOST = 1_000_000


@dataclass(frozen=True)
class Explanation:
    """A difference that people know and accept. All but the reason are patterns as in a shell."""

    dag: str
    aspect: str
    task: str
    field: str
    reason: str


@dataclass(frozen=True)
class Tolerance:
    """How much a task may differ: its duration, and numbers in its XComs (a share, 0.01 is one per cent)."""

    factor: float = 2.0
    seconds: float = 30.0
    numbers: float = 0.0
    dag: str = "*"  # patterns as in a shell
    task: str = "*"


@dataclass(frozen=True)
class DataCheck:
    """One thing outside of Airflow that must be the same on both sides."""

    name: str
    dag: str  # pattern; empty: once per comparison, for no DAG in particular
    kind: str  # sql | files | s3
    ways: tuple[str, ...]
    source: Mapping[str, str]  # sql: connection; files: folder; s3: connection, bucket
    target: Mapping[str, str]
    sql: str = ""
    pattern: str = "*"
    prefix: str = ""


@dataclass(frozen=True)
class EndToEndTest:
    """A test that a promotion runs in the development deployment: a DAG that must succeed, or a command that must end with 0."""

    name: str
    dag: str  # a DAG's id; empty for a command
    conf: Mapping[str, Any]
    command: tuple[str, ...]
    timeout_s: float


@dataclass(frozen=True)
class Declarations:
    """What a comparison file says; without a file the defaults."""

    factor: float = 2.0
    seconds: float = 30.0
    connections: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    checks: tuple[DataCheck, ...] = field(default=())
    tests: tuple[EndToEndTest, ...] = field(default=())
    numbers: float = 0.0
    tolerances: tuple[Tolerance, ...] = ()

    def tolerance(self, dag_id: str, task: str) -> Tolerance:
        """Give what holds for a task: the first of its own that fits, else the general one."""
        for item in self.tolerances:
            if fnmatchcase(dag_id, item.dag) and fnmatchcase(task, item.task):
                return item
        return Tolerance(self.factor, self.seconds, self.numbers)

    def reason(self, dag_id: str, aspect: str, task: str, name: str) -> str | None:
        """Give why a difference is accepted, by the first explanation that fits."""
        for item in self.explanations:
            pairs = ((dag_id, item.dag), (aspect, item.aspect), (task, item.task), (name, item.field))
            if all(fnmatchcase(value, pattern) for value, pattern in pairs):
                return item.reason
        return None

    def checks_of(self, dag_id: str) -> tuple[DataCheck, ...]:
        """Give the checks of a DAG; of no DAG with an empty id."""
        if not dag_id:
            return tuple(check for check in self.checks if not check.dag)
        return tuple(check for check in self.checks if check.dag and fnmatchcase(dag_id, check.dag))


def read_declarations(text: str | None) -> Declarations:
    """Read a comparison file; Invalid names the field, with its place as checks[2].sql, or the line of a syntax error."""
    if not text or not text.strip():
        return Declarations()
    if len(text) > LONGEST_FILE:
        raise _wrong("", f"the file is longer than {LONGEST_FILE:,} characters")
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that there is not
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise Invalid(
            f"Line {line}: the file is not YAML.", code="comparison-file-invalid", hint=HINT, details={"line": line}
        ) from None
    fields = _mapping("", data, ("tolerance", "allow", "explain", "checks", "tests"))
    tolerance = _mapping("tolerance", fields.get("tolerance"), ("factor", "seconds", "numbers", "only"))
    allow = _mapping("allow", fields.get("allow"), ("connections", "hosts"))
    general = _tolerance("tolerance", {key: value for key, value in tolerance.items() if key != "only"}, Tolerance())
    found = Declarations(
        factor=general.factor,
        seconds=general.seconds,
        numbers=general.numbers,
        tolerances=tuple(
            _tolerance(f"tolerance.only[{number}]", item, general)
            for number, item in enumerate(_list("tolerance.only", tolerance.get("only")))
        ),
        connections=_texts("allow.connections", allow.get("connections")),
        hosts=_texts("allow.hosts", allow.get("hosts")),
        explanations=tuple(
            _explanation(f"explain[{number}]", item)
            for number, item in enumerate(_list("explain", fields.get("explain")))
        ),
        checks=tuple(
            _check(f"checks[{number}]", item) for number, item in enumerate(_list("checks", fields.get("checks")))
        ),
        tests=tuple(_test(f"tests[{number}]", item) for number, item in enumerate(_list("tests", fields.get("tests")))),
    )
    for section, names in (("checks", [item.name for item in found.checks]), ("tests", [t.name for t in found.tests])):
        for number, name in enumerate(names):
            if name in names[:number]:
                raise _wrong(f"{section}[{number}].name", f"{name} stands twice")
    return found


def filled(text: str, values: Mapping[str, str]) -> str:
    """Put the moments of the run into a text: `{ds}`, `{ts}`, `{interval_start}`, `{interval_end}`."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _tolerance(place: str, item: Any, general: Tolerance) -> Tolerance:
    fields = _mapping(place, item, ("factor", "seconds", "numbers", "dag", "task"))
    return Tolerance(
        factor=_number(f"{place}.factor", fields.get("factor", general.factor), 1.0),
        seconds=_number(f"{place}.seconds", fields.get("seconds", general.seconds), 0.0),
        numbers=_number(f"{place}.numbers", fields.get("numbers", general.numbers), 0.0),
        dag=_text(f"{place}.dag", fields.get("dag", "*")),
        task=_text(f"{place}.task", fields.get("task", "*")),
    )


def _explanation(place: str, item: Any) -> Explanation:
    fields = _mapping(place, item, ("dag", "aspect", "task", "field", "reason"))
    aspect = _text(f"{place}.aspect", fields.get("aspect", "*"))
    if aspect != "*" and aspect not in ASPECTS:
        raise _wrong(f"{place}.aspect", f"one of {', '.join(ASPECTS)}")
    if not fields.get("reason"):
        raise _wrong(f"{place}.reason", "say why the difference is right; it stands in the report")
    return Explanation(
        dag=_text(f"{place}.dag", fields.get("dag", "*")),
        aspect=aspect,
        task=_text(f"{place}.task", fields.get("task", "*")),
        field=_text(f"{place}.field", fields.get("field", "*")),
        reason=_text(f"{place}.reason", fields["reason"]),
    )


def _check(place: str, item: Any) -> DataCheck:
    known = ("name", "dag", "compare", "sql", "source", "target", "files", "pattern", "s3", "prefix")
    fields = _mapping(place, item, known)
    name = _text(f"{place}.name", fields.get("name"))
    kinds = [kind for kind in ("sql", "files", "s3") if kind in fields]
    if len(kinds) != 1:
        raise _wrong(place, "exactly one of sql, files and s3")
    kind = kinds[0]
    ways = {"sql": SQL_WAYS, "files": FILE_WAYS, "s3": S3_WAYS}[kind]
    chosen = _texts(f"{place}.compare", fields.get("compare")) or ways
    if unknown := [way for way in chosen if way not in ways]:
        raise _wrong(f"{place}.compare", f"{unknown[0]} is none of {', '.join(ways)}")
    shared: dict[str, Any] = {
        "name": name,
        "dag": _text(f"{place}.dag", fields.get("dag", ""), may_be_empty=True),
        "kind": kind,
        "ways": chosen,
    }
    if kind == "sql":
        sql = _text(f"{place}.sql", fields["sql"])
        if not _READING.match(sql) or ";" in sql.rstrip().rstrip(";"):
            raise _wrong(f"{place}.sql", "one statement that only reads: SELECT, WITH, VALUES or TABLE")
        sides = {side: {"connection": _text(f"{place}.{side}", fields.get(side))} for side in ("source", "target")}
        return DataCheck(**shared, sql=sql.rstrip().rstrip(";"), source=sides["source"], target=sides["target"])
    both = _mapping(f"{place}.{kind}", fields[kind], ("source", "target"))
    if kind == "files":
        folders = {side: {"folder": _text(f"{place}.files.{side}", both.get(side))} for side in ("source", "target")}
        return DataCheck(
            **shared,
            pattern=_text(f"{place}.pattern", fields.get("pattern", "*")),
            source=folders["source"],
            target=folders["target"],
        )
    buckets: dict[str, Mapping[str, str]] = {}
    for side in ("source", "target"):
        where = f"{place}.s3.{side}"
        part = _mapping(where, both.get(side), ("connection", "bucket"))
        buckets[side] = {name: _text(f"{where}.{name}", part.get(name)) for name in ("connection", "bucket")}
    prefix = _text(f"{place}.prefix", fields.get("prefix", ""), may_be_empty=True)
    return DataCheck(**shared, prefix=prefix, source=buckets["source"], target=buckets["target"])


def _test(place: str, item: Any) -> EndToEndTest:
    fields = _mapping(place, item, ("name", "dag", "conf", "command", "timeout_s"))
    if ("dag" in fields) == ("command" in fields):
        raise _wrong(place, "exactly one of dag and command")
    conf = fields.get("conf", {})
    if not isinstance(conf, dict) or ("conf" in fields and "command" in fields):
        raise _wrong(f"{place}.conf", "a mapping, for the run of a DAG")
    command = _texts(f"{place}.command", fields.get("command"))
    if "command" in fields and not command:
        raise _wrong(f"{place}.command", "a list: the program and its arguments")
    return EndToEndTest(
        name=_text(f"{place}.name", fields.get("name")),
        dag=_text(f"{place}.dag", fields["dag"]) if "dag" in fields else "",
        conf=conf,
        command=command,
        timeout_s=_number(f"{place}.timeout_s", fields.get("timeout_s", 600), 1.0),
    )


def _mapping(place: str, value: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(place, f"a mapping with {', '.join(known)}")
    if unknown := [name for name in value if name not in known]:
        raise _wrong(f"{place}.{unknown[0]}".lstrip("."), f"no such field; known here: {', '.join(known)}")
    return value


def _list(place: str, value: Any) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise _wrong(place, "a list")
    return value or []


def _texts(place: str, value: Any) -> tuple[str, ...]:
    return tuple(_text(f"{place}[{number}]", item) for number, item in enumerate(_list(place, value)))


def _text(place: str, value: Any, *, may_be_empty: bool = False) -> str:
    if not isinstance(value, str) or not (value.strip() or may_be_empty):
        raise _wrong(place, "a text that is not empty")
    return value


def _number(place: str, value: Any, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= MOST:
        raise _wrong(place, f"a number from {least:g} to {MOST:g}")
    return float(value)


def _wrong(place: str, message: str) -> Invalid:
    where = place or "the file"
    return Invalid(f"{where}: {message}.", code="comparison-file-invalid", hint=HINT, details={"field": place})
