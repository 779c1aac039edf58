"""Moments that a Jinja block writes out as text, as pendulum 1 and 2 wrote them: `{{ execution_date }}`, sums of it, and what filters make text of.

A block is read as Python, which most of Jinja's expressions are: `~` stands as `@`, a filter as `|`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from aerodrome.migration.codemod.rules.moments import KEYS, METHODS
from aerodrome.migration.codemod.rules.xcoms import bare
from aerodrome.migration.codemod.source import Source, read

_MAY_BE_NONE = "prev_"
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
_WORDS = re.compile(rf"\b(?:{'|'.join(KEYS)})\b")


def writer() -> Callable[[str], tuple[str, int]]:
    """Give what writes the moments of a block; it remembers names that blocks before it set to moments."""
    named: set[str] = set()

    def write(text: str) -> tuple[str, int]:
        if not named and not _WORDS.search(text):
            return text, 0
        if (setting := _SET.match(text)) is not None:
            found = read(bare(text[setting.end() :].strip("- \t\r\n").replace("~", "@")).encode())
            value = _only(found)
            (named.add if value is not None and _is_moment(value, named) else named.discard)(setting[2])
            return text, 0
        start = _EDGE.match(text).end()  # type: ignore[union-attr]
        source = read(bare(text[start:].rstrip("- \t\r\n").replace("~", "@")).encode())
        expression = _only(source)
        if source is None or expression is None:
            return text, 0
        data = text[start:].encode()
        nodes = sorted(set(_written(source, expression, named)), key=source.start, reverse=True)
        for node in nodes:
            data = _as_text(source, data, node, is_alone=node is expression)
        return text[:start] + data.decode(), len(nodes)

    return write


def _only(source: Source | None) -> ast.expr | None:
    body = source.tree.body if source else []
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None


def _is_moment(node: ast.expr, named: set[str]) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        return _is_moment(node.left, named) and not _is_moment(node.right, named)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
        return _is_moment(node.func.value, named)
    return isinstance(node, ast.Name) and (node.id in KEYS or node.id in named)


def _written(source: Source, node: ast.expr, named: set[str]) -> Iterator[ast.expr]:
    """Give the moments that become text where an expression is written out."""
    if _is_moment(node, named):
        yield node
    elif isinstance(node, ast.IfExp):
        yield from _written(source, node.body, named)
        if ast.unparse(node.test) != ast.unparse(node.orelse):  # else it is None there
            yield from _written(source, node.orelse, named)
    elif isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        for value in node.values:
            yield from _written(source, value, named)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        yield from _written(source, node.left, named)
        yield from _written(source, node.right, named)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _filtered(source, node, named)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and _is_text(node.left):
        given = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
        yield from (item for item in given if _is_moment(item, named))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "format" and _is_text(node.func.value):
            given = [*node.args, *(item.value for item in node.keywords)]
            yield from (item for item in given if _is_moment(item, named))
        else:
            yield from _inner(source, node.func.value, named)


def _inner(source: Source, node: ast.expr, named: set[str]) -> Iterator[ast.expr]:
    """Look into what a method is called on: only texts are made there."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.MatMult | ast.Mod):
        yield from _written(source, node, named)


def _filtered(source: Source, node: ast.BinOp, named: set[str]) -> Iterator[ast.expr]:
    name = getattr(node.right.func if isinstance(node.right, ast.Call) else node.right, "id", "")
    given = node.right.args if isinstance(node.right, ast.Call) else []
    is_sum = isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Add | ast.Sub)
    if is_sum and not _is_in_parentheses(source.text, source, node.left):
        return  # a filter is of its last part alone
    if name in _TO_TEXT or name in _HANDING_ON:
        yield from _written(source, node.left, named)
    elif isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.BitOr):
        yield from _filtered(source, node.left, named)
    if name == "format" and _is_text(node.left):
        yield from (item for item in given if _is_moment(item, named))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_in_parentheses(data: bytes, source: Source, node: ast.expr) -> bool:
    start, end = source.start(node), source.end(node)
    return data[start - 1 : start] == b"(" and data[end : end + 1] == b")"


def _as_text(source: Source, data: bytes, node: ast.expr, *, is_alone: bool) -> bytes:
    start, end = source.start(node), source.end(node)
    if isinstance(node, ast.BinOp) and _is_in_parentheses(source.text, source, node):
        start, end = start - 1, end + 1
        whole = data[start:end]
    else:
        whole = b"(%s)" % data[start:end] if isinstance(node, ast.BinOp) else data[start:end]
    told = whole + b".isoformat()"
    root = next(
        item.id for item in ast.walk(node) if isinstance(item, ast.Name) and (item.id in KEYS or item.id != "macros")
    )
    if root.startswith(_MAY_BE_NONE):
        told += b" if %s else %s" % (root.encode(), root.encode())
        told = told if is_alone else b"(%s)" % told
    return data[:start] + told + data[end:]
