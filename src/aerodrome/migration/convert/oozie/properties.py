"""Job properties and configurations, in Oozie's precedence.

A name is looked up in layers, first wins: the configuration that the parent gives (coordinator, bundle, sub-workflow), the job's
properties, config-default.xml, defaults of <parameters>. A value may use other names: of all layers of its job, for Oozie puts values together
when the job is submitted (5.2: ParameterVerifier, SubmitXCommand, CoordSubmitXCommand: "Resolving all variables in the job properties").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.oozie.el import Function, Literal, Name, Node, Piece, parse
from aerodrome.migration.convert.xmlreading import Element, read_file

if TYPE_CHECKING:
    from aerodrome.migration.convert.oozie.needs import Words

_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_DEPTH = 20
_PARTLY = 6
_LONGEST = 1 << 20


@dataclass(frozen=True)
class Layer:
    """Values from one place. `is_outward`: its values see only the layers behind it (a coordinator's <configuration>)."""

    title: str
    values: Mapping[str, str]
    is_outward: bool = False
    is_default: bool = False  # config-default.xml and <parameters>: values of the job do not see it
    is_fixed: bool = False  # of a workflow that stands in another one's DAG: its values are no params
    is_job: bool = False  # the properties that the job is submitted with
    hidden: int = 0  # only seen by values that are looked up from this layer on
    world: int | None = None  # of a default: the first layer that its values see
    words: Words | None = (
        None  # what functions in its values mean, when that is not what they mean in the workflow itself
    )

    @property
    def is_late(self) -> bool:
        """Tell whether its values are defaults: they are put together with all that the job is given, that of the run included."""
        return self.is_default or self.world is not None


@dataclass(frozen=True)
class Found:
    pieces: tuple[Piece, ...]
    layer: int


@dataclass(frozen=True)
class Scope:
    """The layers of one application."""

    layers: tuple[Layer, ...] = ()
    known: dict[tuple[str, int, bool], str | None] = field(default_factory=dict, compare=False, repr=False)

    def find(self, name: str, start: int = 0, *, is_job_only: bool = False) -> Found | None:
        """Give the value of a name, looked up from a layer on."""
        for number in range(start, len(self.layers)):
            layer = self.layers[number]
            if name in layer.values and not (is_job_only and layer.is_default) and start >= layer.hidden:
                text = layer.values[name]
                try:
                    return Found(parse(text), number)
                except Invalid:
                    return Found((text,), number)
        return None

    @property
    def base(self) -> int:
        """Give the number of layers in front whose values are no params."""
        return next((number for number, layer in enumerate(self.layers) if not layer.is_fixed), len(self.layers))

    def behind(self, found: Found, name: str, inner: str) -> tuple[int, bool]:
        """Tell where to look for a name that a found value uses: the first layer, and whether defaults are left out."""
        layer = self.layers[found.layer]
        if layer.is_outward or name == inner:
            return found.layer + 1, not layer.is_default
        if layer.is_late:
            return layer.world or 0, not layer.is_default
        outward = (number for number in range(found.layer, 0, -1) if self.layers[number - 1].is_outward)
        return next(outward, 0), True

    def constant(self, name: str, start: int = 0, *, is_job_only: bool = False, depth: int = 0) -> str | None:
        """Give the value of a name when it is known now, all names in it put in; else None, also when it grows beyond 1 MiB."""
        key = (name, start, is_job_only)
        if key not in self.known:
            self.known[key] = None  # a value that uses itself is not known
            self.known[key] = self._constant(name, start, is_job_only=is_job_only, depth=depth)
        return self.known[key]

    def _constant(self, name: str, start: int, *, is_job_only: bool, depth: int) -> str | None:
        found = self.find(name, start, is_job_only=is_job_only)
        if found is None or depth > _DEPTH:
            return None
        parts: list[str] = []
        for piece in found.pieces:
            if isinstance(piece, str):
                parts.append(piece)
                continue
            inner = name_in(piece)
            if inner is None:
                return None
            place, is_only = self.behind(found, name, inner)
            value = self.constant(inner, place, is_job_only=is_only, depth=depth + 1)
            if value is None:
                return None
            parts.append(value)
            if sum(map(len, parts)) > _LONGEST:
                return None
        return "".join(parts)

    def text(self, text: str) -> str | None:
        """Put known values into a text; None when one is not known now, or it calls functions."""
        try:
            pieces = parse(text)
        except Invalid:
            return None
        parts: list[str] = []
        for piece in pieces:
            name = None if isinstance(piece, str) else name_in(piece)
            value = piece if isinstance(piece, str) else self.constant(name) if name is not None else None
            if value is None:
                return None
            parts.append(value)
        return "".join(parts)

    def partly(self, text: str, start: int = 0, *, is_job_only: bool = False, depth: int = 0) -> str:
        """Put what is known into a text, also parts of values, and leave the rest as it is written."""

        def one(match: re.Match[str]) -> str:
            name = match[1]
            if known := self.constant(name, start, is_job_only=is_job_only):
                return known
            found = self.find(name, start, is_job_only=is_job_only)
            if found is None or depth > _PARTLY:
                return match[0]
            layer = self.layers[found.layer]
            place, is_only = self.behind(found, name, name if f"${{{name}}}" in layer.values[name] else "")
            inner = self.partly(layer.values[name], place, is_job_only=is_only, depth=depth + 1)
            return inner if len(inner) < _LONGEST else match[0]

        return re.sub(r"\$\{([\w.\-]+)\}", one, text)

    def with_layers(self, *layers: Layer) -> Scope:
        """Give a scope with layers before and defaults kept behind."""
        front = [layer for layer in (*layers, *self.layers) if not layer.is_default]
        back = [layer for layer in (*layers, *self.layers) if layer.is_default]
        return Scope((*front, *back))


def name_in(node: Node) -> str | None:
    """Name the variable that an expression is: `NAME`, or what one of the functions `conf` looks up; None when it is another."""
    match node:
        case Name(name):
            return name
        case Function("wf:conf" | "coord:conf" | "bundle:conf", (Literal(str() as name),)):
            return name
    return None


def parse_properties(text: str) -> dict[str, str]:
    """Read a Java properties file: comments, continued lines, escapes, the three separators."""
    found: dict[str, str] = {}
    lines = iter(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    for raw in lines:
        line = raw.lstrip(" \t\f")
        if not line or line[0] in "#!":
            continue
        while (len(line) - len(line.rstrip("\\"))) % 2:
            line = line[:-1] + next(lines, "").lstrip(" \t\f")
        match = re.match(r"((?:\\.|[^\\\s=:])*)\s*[=:]?\s*(.*)", line, re.DOTALL)
        if match and match[1]:
            found[_unescape(match[1])] = _unescape(match[2]).rstrip()
    return found


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        mark = match[1]
        return chr(int(mark[1:], 16)) if len(mark) == 5 else _ESCAPES.get(mark, mark)

    return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", one, text, flags=re.DOTALL)


def read_properties(path: Path) -> dict[str, str]:
    """Read a properties file, UTF-8 or Latin-1; or a configuration in XML."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return configuration(read_file(path)) if text.lstrip().startswith("<") else parse_properties(text)


def incomplete(element: Element) -> str:
    """Say which property in the <configuration>s below an element lacks its name or its value; nothing when none does.

    The schemas of Oozie ask for both (oozie-workflow-0.5.xsd and its like: CONFIGURATION), for the name also in <parameters>.
    """
    for parent in element.walk():
        if parent.name not in ("configuration", "parameters"):
            continue
        for item in parent.every("property"):
            if item.first("name") is None:
                return f"a <property> in line {item.line} has no <name>"
            if item.first("value") is None and parent.name == "configuration":
                return f"the property {item.value('name')!r} in line {item.line} has no <value>"
    return ""


def configuration(element: Element | None) -> dict[str, str]:
    """Read the <property> children of a <configuration> (or <parameters>) that have a value; later ones win."""
    found: dict[str, str] = {}
    for item in element.every("property") if element is not None else ():
        value = item.first("value")
        if value is not None and (name := item.value("name")):
            found[name] = value.text.strip()
    return found
