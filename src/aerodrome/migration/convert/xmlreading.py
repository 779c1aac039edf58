"""Reads XML that strangers wrote: names without namespaces, line numbers, and a clear error for what must not be read.

Expat without entity declarations (no entity bombs, no files or addresses fetched), with limits on size and depth. Used by every
converter that reads XML.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from aerodrome.kernel.errors import Invalid

MAX_BYTES: Final = 64 << 20
MAX_DEPTH: Final = 100
MAX_ELEMENTS: Final = 2_000_000


@dataclass
class Element:
    """One element. `name` is local (no namespace); `text` is its own text before and between children, joined."""

    name: str
    attributes: dict[str, str]
    line: int
    namespace: str = ""
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def first(self, name: str) -> Element | None:
        """Give the first child of that name."""
        return next((child for child in self.children if child.name == name), None)

    def every(self, *names: str) -> list[Element]:
        """Give the children of those names, in order."""
        return [child for child in self.children if child.name in names]

    def value(self, name: str, default: str = "") -> str:
        """Give the stripped text of a child."""
        found = self.first(name)
        return found.text.strip() if found is not None else default

    def get(self, name: str, default: str = "") -> str:
        """Give an attribute, stripped."""
        return self.attributes.get(name, default).strip()

    def walk(self) -> Iterator[Element]:
        """Give it and everything below, in document order."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))


def read_file(path: Path, name: str = "") -> Element:
    """Read a file; Invalid names it and the line."""
    shown = name or str(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise _invalid(
                shown, 0, f"it has {size >> 20} MiB; at most {MAX_BYTES >> 20} are read", "xml-too-large", "Split it."
            )
        data = path.read_bytes()
    except OSError as error:
        raise _invalid(
            shown, 0, f"it cannot be read ({error.strerror})", "xml-unreadable", "Check its rights."
        ) from error
    return read(data, shown)


def read(data: bytes, name: str) -> Element:
    """Read a document; Invalid says which file, which line and why."""
    if len(data) > MAX_BYTES:
        raise _invalid(name, 0, f"it has more than {MAX_BYTES >> 20} MiB", "xml-too-large", "Split it.")
    if not data.strip():
        raise _invalid(name, 0, "it is empty", "xml-empty", "Leave it out.")
    reader = _Reader(name)
    try:
        reader.parser.Parse(data.lstrip() if data[:1].isspace() else data, True)
    except expat.ExpatError as error:
        why = expat.errors.messages[error.code]
        raise _invalid(
            name, error.lineno, f"it is not well-formed XML ({why})", "xml-malformed", "Correct it there."
        ) from error
    except (LookupError, ValueError) as error:
        raise _invalid(name, 0, f"its encoding is unknown ({error})", "xml-encoding", "Save it as UTF-8.") from error
    if reader.root is None:
        raise _invalid(name, 0, "it has no element", "xml-empty", "Leave it out.")
    return reader.root


def to_text(element: Element, indent: str = "") -> str:
    """Write an element as XML again, for a person to read."""
    attributes = "".join(f" {key}={quoteattr(value)}" for key, value in element.attributes.items())
    text = escape(element.text.strip())
    if not element.children:
        return (
            f"{indent}<{element.name}{attributes}>{text}</{element.name}>"
            if text
            else f"{indent}<{element.name}{attributes}/>"
        )
    inside = "\n".join(to_text(child, indent + "  ") for child in element.children)
    head = f"{indent}<{element.name}{attributes}>{text}"
    return f"{head}\n{inside}\n{indent}</{element.name}>"


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.root: Element | None = None
        self.open: list[Element] = []
        self.count = 0
        self.parser = expat.ParserCreate(namespace_separator="\n")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.take
        self.parser.EntityDeclHandler = self.refuse
        self.parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.count += 1
        line = self.parser.CurrentLineNumber
        if len(self.open) >= MAX_DEPTH:
            raise _invalid(
                self.name, line, f"it is nested deeper than {MAX_DEPTH} levels", "xml-too-deep", "Leave it out."
            )
        if self.count > MAX_ELEMENTS:
            raise _invalid(self.name, line, f"it has more than {MAX_ELEMENTS} elements", "xml-too-large", "Split it.")
        namespace, _, local = tag.rpartition("\n")
        plain = {key.rpartition("\n")[2]: value for key, value in attributes.items()}
        element = Element(local, plain, line, namespace)
        if self.open:
            self.open[-1].children.append(element)
        elif self.root is None:
            self.root = element
        self.open.append(element)

    def end(self, _tag: str) -> None:
        self.open.pop()

    def take(self, text: str) -> None:
        if self.open:
            self.open[-1].text += text

    def refuse(self, entity: str, *_: object) -> None:
        line = self.parser.CurrentLineNumber
        raise _invalid(
            self.name,
            line,
            f"it declares the entity {entity!r}",
            "xml-entities",
            "Write the text in place of the entity.",
        )


def _invalid(name: str, line: int, why: str, code: str, hint: str) -> Invalid:
    where = f"{name}:{line}" if line else name
    return Invalid(f"{where} is not read: {why}.", code=code, hint=hint, details={"file": name, "line": line})
