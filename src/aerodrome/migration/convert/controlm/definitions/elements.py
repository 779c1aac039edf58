"""Control-M definitions as bare elements, before anything is understood: one vocabulary for XML exports and for JSON.

The words are those of the XML export (`FOLDER`, `JOB`, `INCOND`, ...). An element remembers which of its attributes and children
were read: what nobody read is listed in the report, so nothing is lost without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Element:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    line: int = 0
    read: set[str] = field(default_factory=set)  # names of attributes, and `<TAG>` for tags of children

    def take(self, *names: str, default: str = "") -> str:
        """Give the first of these attributes that is there and not blank, stripped; all of them count as read."""
        self.read.update(names)
        return next((value for name in names if (value := self.attributes.get(name, "").strip())), default)

    def raw(self, name: str) -> str:
        """Give an attribute as it stands, blanks included: command lines, scripts."""
        self.read.add(name)
        return self.attributes.get(name, "")

    def flag(self, name: str) -> bool:
        """Say whether an attribute says yes: 1, Y, YES, TRUE."""
        return self.take(name).upper() in ("1", "Y", "YES", "TRUE")

    def has(self, name: str) -> bool:
        return name in self.attributes

    def take_children(self, *tags: str) -> Iterator[Element]:
        """Give the children with one of these tags, in their order; they count as read."""
        self.read.update(f"<{tag}>" for tag in tags)
        return (child for child in self.children if child.tag in tags)

    def unread_attributes(self) -> list[str]:
        return [name for name in self.attributes if name not in self.read]

    def unread_children(self) -> list[Element]:
        return [child for child in self.children if f"<{child.tag}>" not in self.read]
