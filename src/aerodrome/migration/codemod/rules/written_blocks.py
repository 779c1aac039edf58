"""Values that a Jinja block writes out as text: `{{ x }}`, what filters make text of, `~`. Shared by rules whose values are written otherwise now.

A block is read as Python, which most of Jinja's expressions are: `~` stands as `@`, a filter as `|`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from aerodrome.migration.codemod.rules.xcoms import bare
from aerodrome.migration.codemod.source import Source, read

Named = frozenset[str]
_Known = Callable[[ast.expr], bool]
Has = Callable[[ast.expr, Named], bool]
"""Tell whether an expression is such a value, when blocks before it set these names to one."""
Told = Callable[[str, ast.expr, bool], str]
"""An expression's code (sums in parentheses), its node, and whether it is all of its block -> the code that gives its text."""

_TO_TEXT = frozenset(
    {
        "string", "replace", "trim", "upper", "lower", "title", "capitalize", "truncate", "urlencode", "e", "escape",
        "forceescape", "safe", "center", "indent", "wordwrap", "striptags", "length", "count",
    }
)  # fmt: skip
"""Filters of Jinja that take the text of what they are given."""
_HANDING_ON = frozenset({"default", "d"})
_SET = re.compile(r"(-?\s*set\s+)(\w+)(\s*=\s*)(?!=)")
_EDGE = re.compile(r"-?\s*")


def writer(has: Has, told: Told, words: re.Pattern[str]) -> Callable[[str], tuple[str, int]]:
    """Give what writes the values of a block; it remembers names that blocks before it set to one. `words`: what a block must name."""
    named: set[str] = set()

    def write(text: str) -> tuple[str, int]:
        if not named and not words.search(text):
            return text, 0
        if (setting := _SET.match(text)) is not None:
            found = read(bare(text[setting.end() :].strip("- \t\r\n").replace("~", "@")).encode())
            value = _only(found)
            (named.add if value is not None and has(value, frozenset(named)) else named.discard)(setting[2])
            return text, 0
        start = _EDGE.match(text).end()  # type: ignore[union-attr]
        source = read(bare(text[start:].rstrip("- \t\r\n").replace("~", "@")).encode())
        expression = _only(source)
        if source is None or expression is None:
            return text, 0
        data = text[start:].encode()
        known = lambda node: has(node, frozenset(named))  # noqa: E731
        nodes = sorted(set(_written(source, expression, known)), key=source.start, reverse=True)
        for node in nodes:
            data = _replaced(source, data, node, told, is_alone=node is expression)
        return text[:start] + data.decode(), len(nodes)

    return write


def _only(source: Source | None) -> ast.expr | None:
    body = source.tree.body if source else []
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None


def _written(source: Source, node: ast.expr, has: _Known) -> Iterator[ast.expr]:
    """Give the values that become text where an expression is written out."""
    if has(node):
        yield node
    elif isinstance(node, ast.IfExp):
        yield from _written(source, node.body, has)
        if ast.unparse(node.test) != ast.unparse(node.orelse):  # else it is None there
            yield from _written(source, node.orelse, has)
    elif isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        for value in node.values:
            yield from _written(source, value, has)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        yield from _written(source, node.left, has)
        yield from _written(source, node.right, has)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _filtered(source, node, has)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and _is_text(node.left):
        given = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
        yield from (item for item in given if has(item))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "format" and _is_text(node.func.value):
            given = [*node.args, *(item.value for item in node.keywords)]
            yield from (item for item in given if has(item))
        else:
            yield from _inner(source, node.func.value, has)


def _inner(source: Source, node: ast.expr, has: _Known) -> Iterator[ast.expr]:
    """Look into what a method is called on: only texts are made there."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.MatMult | ast.Mod):
        yield from _written(source, node, has)


def _filtered(source: Source, node: ast.BinOp, has: _Known) -> Iterator[ast.expr]:
    name = getattr(node.right.func if isinstance(node.right, ast.Call) else node.right, "id", "")
    given = node.right.args if isinstance(node.right, ast.Call) else []
    is_sum = isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Add | ast.Sub)
    if is_sum and not _is_in_parentheses(source.text, source, node.left):
        return  # a filter is of its last part alone
    if name in _TO_TEXT or name in _HANDING_ON:
        yield from _written(source, node.left, has)
    elif isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.BitOr):
        yield from _filtered(source, node.left, has)
    if name == "format" and _is_text(node.left):
        yield from (item for item in given if has(item))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_in_parentheses(data: bytes, source: Source, node: ast.expr) -> bool:
    start, end = source.start(node), source.end(node)
    return data[start - 1 : start] == b"(" and data[end : end + 1] == b")"


def _replaced(source: Source, data: bytes, node: ast.expr, told: Told, *, is_alone: bool) -> bytes:
    start, end = source.start(node), source.end(node)
    if isinstance(node, ast.BinOp) and _is_in_parentheses(source.text, source, node):
        start, end = start - 1, end + 1
        code = data[start:end].decode()
    else:
        code = f"({data[start:end].decode()})" if isinstance(node, ast.BinOp) else data[start:end].decode()
    return data[:start] + told(code, node, is_alone).encode() + data[end:]
