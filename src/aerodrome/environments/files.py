"""Files of connections and variables in the formats of Airflow's own command line, and `.env` files. Pure, values in the clear.

Reading gives one line per object, right or wrong, so that a dry run can show all of them. What is read are the formats of
`airflow connections export|import` (JSON, YAML, .env) and `airflow variables export|import` (JSON, YAML, .env) of 2.11.2 and
3.3.2; writing gives what those read back unchanged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from aerodrome.environments import formats
from aerodrome.environments.contract import Kind
from aerodrome.kernel.errors import AerodromeError, Invalid
from aerodrome.kernel.secret import Secret

Format = Literal["json", "yaml", "env"]
_COMMENT = re.compile(r"\s*#")
_PREFIX = {"connection": "AIRFLOW_CONN_", "variable": "AIRFLOW_VAR_"}


@dataclass(frozen=True)
class Line:
    """One object of a file: its fields, or why it cannot be read."""

    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    description: str | None = None
    problem: str | None = None


def read(kind: Kind, format_: Format, text: str) -> list[Line]:
    """Read a file; Invalid `environment-file-unreadable` when it is not of that format at all."""
    if format_ == "env":
        return _read_env(kind, text)
    data = _load(format_, text)
    if not isinstance(data, dict):
        raise _unreadable(f"is no {format_.upper()} object of names and values")
    if kind == "env":
        return [_value_line(str(name), value) for name, value in data.items()]
    return [_line(kind, str(name), value) for name, value in data.items()]


def write(kind: Kind, format_: Format, items: Sequence[Line]) -> str:
    """Write objects whose fields are in the clear."""
    if format_ == "env":
        return "".join(f"{line.name}={_env_value(kind, line)}\n" for line in items)
    data = {line.name: _data(kind, line) for line in items}
    if format_ == "yaml":
        return str(yaml.safe_dump(data, allow_unicode=True, sort_keys=True))
    return json.dumps(data, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def _load(format_: Format, text: str) -> Any:
    if not text.strip():
        return {}
    try:
        return json.loads(text, object_pairs_hook=_once) if format_ == "json" else yaml.load(text, _PlainLoader)  # noqa: S506 - a SafeLoader
    except _TwiceError as error:
        raise _unreadable(f"holds {error} twice") from None
    except RecursionError:
        raise _unreadable("is nested too deeply") from None
    except (ValueError, yaml.YAMLError) as error:
        place = getattr(error, "problem_mark", None)
        line = getattr(error, "lineno", None) or (place.line + 1 if place else None)
        raise _unreadable(f"is no {format_.upper()}" + (f" (line {line})" if line else "")) from None


class _PlainLoader(yaml.SafeLoader):
    """Reads YAML without references: a few lines of them can stand for terabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "holds a reference", self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


class _TwiceError(ValueError):
    """A name stands in an object twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _TwiceError(repr(name[:80]))
        found[name] = value
    return found


def _line(kind: Kind, name: str, value: Any) -> Line:
    try:
        return _connection(name, value) if kind == "connection" else _variable(name, value)
    except AerodromeError as error:
        return Line(name, problem=f"{error.message} {error.hint}".strip())


def _connection(name: str, value: Any) -> Line:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        text = value.strip()
        if not text.startswith("{"):
            return Line(name, formats.fields_of_uri(text))
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, dict):
        raise Invalid(
            "It is neither a URI nor an object.", code="connection-malformed", hint="Give Airflow's own format."
        )
    description = value.get("description")
    return Line(name, formats.fields_of_data(value), None if description is None else str(description))


def _variable(name: str, value: Any) -> Line:
    description = None
    if isinstance(value, dict) and "value" in value:
        description = value.get("description")
        value = value["value"]
    text = value if isinstance(value, str) else json.dumps(value, indent=2)  # as Variable.set(serialize_json=True)
    return Line(name, {"value": text}, None if description is None else str(description))


def _value_line(name: str, value: Any) -> Line:
    if isinstance(value, dict | list) or value is None:
        return Line(name, problem="An environment variable is a text. Write it in quotes.")
    return Line(name, {"value": value if isinstance(value, str) else json.dumps(value)})


def _read_env(kind: Kind, text: str) -> list[Line]:
    lines: list[Line] = []
    seen: set[str] = set()
    for number, raw in enumerate(text.splitlines(), 1):
        if not raw.strip() or _COMMENT.match(raw):
            continue
        name, separator, value = raw.strip().removeprefix("export ").partition("=")
        name = name.strip()
        if not separator or not name:
            lines.append(Line(name or f"line {number}", problem=f"Line {number} is not NAME=VALUE."))
            continue
        if kind != "env" and name.startswith(_PREFIX[kind]):
            name = name.removeprefix(_PREFIX[kind]).lower()
        if name in seen:
            lines.append(Line(name, problem=f"Line {number} sets {name} again. Keep one of them."))
            continue
        seen.add(name)
        value = _unquoted(value.strip()) if kind == "env" else value
        lines.append(Line(name, {"value": value}) if kind != "connection" else _line(kind, name, value))
    return lines


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        inner = value[1:-1]
        return inner.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\") if value[0] == '"' else inner
    return value


def _data(kind: Kind, line: Line) -> Any:
    fields = {name: _clear(value) for name, value in line.fields.items()}
    if kind == "env":
        return fields["value"]
    if kind == "variable":
        value = _decoded(fields["value"])
        if line.description or (isinstance(value, dict) and "value" in value):
            return {"value": value, "description": line.description or None}
        return value
    data = formats.connection_data(line.fields)
    whole = {
        name: data.get(name) for name in ("conn_type", "description", "login", "password", "host", "port", "schema")
    }
    extra = json.dumps(data["extra"]) if "extra" in data else None
    return whole | {"description": line.description or None, "extra": extra}


def _decoded(text: str) -> Any:
    """Give the JSON value that Airflow would write again exactly like this; else the text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if not isinstance(value, str) and json.dumps(value, indent=2) == text else text


def _env_value(kind: Kind, line: Line) -> str:
    if kind == "connection":
        return formats.uri_of(formats.connection_data(line.fields))
    value = _clear(line.fields["value"])
    if kind == "variable" or not any(letter in value for letter in "\n\"'\\ #"):
        if "\n" in value:
            raise Invalid(
                f"The variable {line.name!r} has several lines, which a .env file of variables cannot hold.",
                code="environment-file-format",
                hint="Export it as JSON or YAML.",
            )
        return str(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _clear(value: Any) -> Any:
    return value.reveal() if isinstance(value, Secret) else value


def _unreadable(what: str) -> Invalid:
    return Invalid(
        f"The file {what}.",
        code="environment-file-unreadable",
        hint="Give a file as Airflow's own command line writes it, and name its format (json, yaml or env).",
        details={"field": "text"},
    )
