"""Streams the elements of a Control-M XML export: one folder or calendar at a time, so that 100 MB need little memory.

Refuses document types with entities (an export needs none) and nesting that no export has.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat  # entity declarations are refused below

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.controlm.definitions.elements import Element

ROOTS = ("DEFTABLE", "DEFCAL", "DEFJOB")
UNITS = (
    "FOLDER",
    "SMART_FOLDER",
    "TABLE",
    "SCHED_TABLE",
    "SMART_TABLE",
    "SCHED_GROUP",
    "GROUP",
    "CALENDAR",
    "RBC",
    "JOB",
)
_DEPTH = 64
_BLANK_SAYS = (
    "FOLDER_ORDER_METHOD",
    "TABLE_USERDAILY",
    "USER_DAILY",
)  # other blank attributes say nothing, and exports have dozens
_BLOCK = 1 << 16


def looks_like_export(head: bytes) -> bool:
    """Say whether the first bytes of a file are those of a Control-M export, in UTF-8 or UTF-16."""
    text = head.replace(b"\x00", b"").upper()
    return any(f"<{root}".encode() in text for root in ROOTS)


def stream_export(path: Path) -> Iterator[Element]:
    """Give the folders and calendars of an export in their order. Invalid (file, line) when it is not well-formed."""
    reader = _Reader(path)
    with path.open("rb") as source:
        while block := source.read(_BLOCK):
            reader.feed(block)
            yield from reader.ready()
        reader.finish()
        yield from reader.ready()


class _Reader:
    """Keeps the stack of open elements; a unit that closes right below the root leaves the stack for good."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack: list[Element] = []
        self._done: list[Element] = []
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = self._entity

    def feed(self, block: bytes) -> None:
        try:
            self._parser.Parse(block, False)
        except expat.ExpatError as error:
            raise self._broken(error) from error

    def finish(self) -> None:
        try:
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise self._broken(error) from error

    def ready(self) -> list[Element]:
        done, self._done = self._done, []
        return done

    def _broken(self, error: expat.ExpatError) -> Invalid:
        what = expat.ErrorString(error.code)
        return Invalid(
            f"{self._path.name} is not well-formed XML: {what}, line {error.lineno}.",
            code="xml-malformed",
            hint="Export it again, or repair the line.",
            details={"line": error.lineno},
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._stack) >= _DEPTH:
            raise Invalid(
                f"{self._path.name} nests deeper than {_DEPTH} elements, line {self._parser.CurrentLineNumber}.",
                code="xml-too-deep",
                hint="No Control-M export does; check the file.",
                details={"line": self._parser.CurrentLineNumber},
            )
        kept = {name.upper(): value for name, value in attributes.items() if value or name.upper() in _BLANK_SAYS}
        element = Element(tag.rpartition(":")[2].upper(), kept)
        element.line = self._parser.CurrentLineNumber
        if len(self._stack) > 1 or (self._stack and self._stack[0].tag in UNITS):
            self._stack[-1].children.append(element)
        self._stack.append(element)

    def _end(self, _tag: str) -> None:
        element = self._stack.pop()
        is_below_root = len(self._stack) == 1 and self._stack[0].tag not in UNITS
        if is_below_root or (not self._stack and element.tag in UNITS):
            self._done.append(element)

    def _entity(self, *_declaration: object) -> None:
        raise Invalid(
            f"{self._path.name} declares XML entities, line {self._parser.CurrentLineNumber}.",
            code="xml-entities",
            hint="A Control-M export needs none; remove the declarations.",
            details={"line": self._parser.CurrentLineNumber},
        )
