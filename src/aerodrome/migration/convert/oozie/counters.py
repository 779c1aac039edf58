"""`hadoop:counters()`: which counters of which map-reduce actions a workflow reads, so that those actions give them.

Oozie's names stand for Hadoop's (HadoopELFunctions, 4.x/5.x): `RECORDS` is the group of task counters, `MAP_IN` and so on are its members.
`mapred job -counter JOB GROUP NAME` prints one of them, 0 when the job never had it. A name that is put together from values of the workflow is
the text of its expression here, `${concat(a, '/part')}`: the job evaluates it, and whoever reads the counter asks for it by that text.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.oozie.el import Binary, Conditional, Function, Index, Literal, Name, Node, Unary, parse
from aerodrome.migration.convert.xmlreading import Element

CONSTANTS: Final[Mapping[str, str]] = {
    "RECORDS": "org.apache.hadoop.mapreduce.TaskCounter",
    "MAP_IN": "MAP_INPUT_RECORDS",
    "MAP_OUT": "MAP_OUTPUT_RECORDS",
    "REDUCE_IN": "REDUCE_INPUT_RECORDS",
    "REDUCE_OUT": "REDUCE_OUTPUT_RECORDS",
    "GROUPS": "REDUCE_INPUT_GROUPS",
}
_PURE: Final = ("concat", "trim", "toLowerCase", "toUpperCase", "wf:conf")
Counter = tuple[str, str]  # group, name


def counters_in(root: Element) -> dict[str, tuple[Counter, ...]]:
    """Give the counters that the texts of a workflow read, by the action that has them, in the order of the source."""
    found: dict[str, dict[Counter, None]] = {}
    for element in root.walk():
        for text in (element.text, *element.attributes.values()):
            if "hadoop:counters" not in text:
                continue
            try:
                pieces = parse(text)
            except Invalid:
                continue
            for piece in pieces:
                if not isinstance(piece, str):
                    for action, counter in _reads(piece):
                        found.setdefault(action, {})[counter] = None
    return {action: tuple(counters) for action, counters in found.items()}


def counter_of(node: Node) -> tuple[str, Counter] | None:
    """Give the action and the counter that an expression reads; None when it is no counter, or one that is not fixed."""
    match node:
        case Index(Index(Function("hadoop:counters", (Literal(str() as action),)), group), name):
            words = _word(group), _word(name)
            if words[0] is not None and words[1] is not None:
                return action, (words[0], words[1])
    return None


def lines_of(counters: Iterable[Counter], word: Callable[[str], str]) -> list[str]:
    """Give the shell lines that print counters of `$job` as JSON: group -> name -> number. `word` compiles a text with expressions."""
    groups: dict[str, list[str]] = {}
    for group, name in counters:
        groups.setdefault(group, []).append(name)
    form = ", ".join(
        f"{_json(group)}: {{{', '.join(f'{_json(name)}: %s' for name in names)}}}" for group, names in groups.items()
    )
    values = [
        f'"$(mapred job -counter "$job" {_argument(group, word)} {_argument(name, word)})"'
        for group, names in groups.items()
        for name in names
    ]
    return [f"printf {shlex.quote('{' + form + '}')} {' '.join(values)}"]


def _json(text: str) -> str:
    return json.dumps(text).replace("\\", "\\\\").replace("%", "%%")


def _argument(text: str, word: Callable[[str], str]) -> str:
    return word(text) if text.startswith("${") else shlex.quote(text)


def _word(node: Node) -> str | None:
    """Give a name, or the text of the expression that gives it; None when only a run can say it."""
    match node:
        case Literal(str() as value):
            return None if value.startswith("${") else value
        case Name(name) if name in CONSTANTS:
            return CONSTANTS[name]
    inner = _source(node)
    return None if inner is None else f"${{{inner}}}"


def _source(node: Node) -> str | None:
    """Write an expression whose value is the same in all of a run."""
    match node:
        case Literal(str() as value):
            marked = value.replace("\\", "\\\\").replace("'", "\\'")
            return f"'{marked}'"
        case Name(name):
            return name
        case Function(name, arguments) if name in _PURE:
            parts = [part for item in arguments if (part := _source(item)) is not None]
            return f"{name}({', '.join(parts)})" if len(parts) == len(arguments) else None
    return None


def _reads(node: Node) -> Iterator[tuple[str, Counter]]:
    if found := counter_of(node):
        yield found
        return
    match node:
        case Function(_, arguments):
            for item in arguments:
                yield from _reads(item)
        case Index(value, key):
            yield from _reads(value)
            yield from _reads(key)
        case Unary(_, value):
            yield from _reads(value)
        case Binary(_, left, right):
            yield from _reads(left)
            yield from _reads(right)
        case Conditional(test, yes, no):
            for item in (test, yes, no):
                yield from _reads(item)
