"""YAML with places: every value remembers its line, so that an error can name it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from aerodrome.kernel.errors import Invalid

Path = tuple[str | int, ...]
HINT = "Mend the plan file, then run `aerodrome migrate plan NAME --file FILE` again."


@dataclass(frozen=True)
class Document:
    """A parsed plan file."""

    data: Any
    lines: dict[Path, int]  # path -> 1-based line of its key (mappings) or value (lists)
    seen: set[int] = field(default_factory=set, repr=False)  # collections read so far: aliases would repeat them

    def line(self, path: Path) -> int:
        """Give the line of a path, or of its nearest known parent."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def wrong(self, path: Path, message: str, *, code: str = "plan-invalid", hint: str = HINT) -> Invalid:
        """Make the error for this place."""
        name = show(path)
        line = self.line(path)
        where = f"Line {line}, {name}" if name else f"Line {line}"
        return Invalid(f"{where}: {message}", code=code, hint=hint, details={"line": line, "field": name})


def show(path: Path) -> str:
    """Write a path as waves[0].dags[2]."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def parse(text: str) -> Document:
    """Parse YAML; Invalid names the line of a syntax error or of a key that stands twice. Never builds Python objects."""
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise Invalid(
                    "The plan file is empty.",
                    code="plan-empty",
                    hint="Write a fresh one with `aerodrome migrate plan NAME --out FILE`.",
                    details={"line": 1, "field": ""},
                )
            document = Document(None, {})
            return Document(_read(loader, node, (), document), document.lines)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "unreadable"
        raise _no_yaml(mark.line + 1 if mark else 1, reason) from error
    except yaml.reader.ReaderError as error:
        raise _no_yaml(text.count("\n", 0, error.position) + 1, "it holds a control character") from error
    except RecursionError as error:
        raise _no_yaml(1, "it is nested too deeply") from error


def _no_yaml(line: int, reason: str) -> Invalid:
    return Invalid(
        f"Line {line}: this is not YAML: {reason}.",
        code="plan-syntax",
        hint=HINT,
        details={"line": line, "field": ""},
    )


def _read(loader: yaml.SafeLoader, node: yaml.Node, path: Path, document: Document) -> Any:
    if id(node) in document.seen:
        raise document.wrong(path, "anchors and aliases (&, *) are not used in plan files.", code="plan-syntax")
    if isinstance(node, yaml.CollectionNode):
        document.seen.add(id(node))
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else None
            line = key_node.start_mark.line + 1
            if key is None:
                document.lines[(*path, "?")] = line
                raise document.wrong((*path, "?"), "a key must be a plain text.")
            if key in values:
                document.lines[(*path, key)] = line
                raise document.wrong((*path, key), f"{key} stands twice.")
            document.lines[(*path, key)] = line
            values[key] = _read(loader, value_node, (*path, key), document)
        return values
    if isinstance(node, yaml.SequenceNode):
        return [_read(loader, item, (*path, index), document) for index, item in enumerate(node.value)]
    if node.tag.startswith("tag:yaml.org,2002:") and node.tag.rsplit(":", 1)[1] in {
        "str",
        "int",
        "bool",
        "null",
        "float",
    }:
        try:
            return loader.construct_object(node)
        except ValueError:
            return str(node.value)
    return str(node.value)  # dates, merge keys and tags of other tools are plain texts here
