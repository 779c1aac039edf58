"""Moments that a Jinja block writes out as text, as pendulum 1 and 2 wrote them: `{{ execution_date }}`, and what is made of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from aerodrome.migration.codemod.rules import written_blocks
from aerodrome.migration.codemod.rules.moments import KEYS, METHODS
from aerodrome.migration.codemod.rules.written_blocks import Named

_MAY_BE_NONE = "prev_"
_DEAD = "prev_execution_date"
"""Nothing takes its place in Airflow 3: the finding about it is no clearer for what would be written around the name."""
_WORDS = re.compile(rf"\b(?:{'|'.join(KEYS)})\b")


def writer() -> Callable[[str], tuple[str, int]]:
    """Give what writes the moments of blocks, one after the other."""
    return written_blocks.writer(lambda node, named: is_moment(node, named) and _root(node) != _DEAD, _as_text, _WORDS)


def is_moment(node: ast.expr, named: Named) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        return is_moment(node.left, named) and not is_moment(node.right, named)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
        return is_moment(node.func.value, named)
    return isinstance(node, ast.Name) and (node.id in KEYS or node.id in named)


def _root(node: ast.expr) -> str:
    return next(item.id for item in ast.walk(node) if isinstance(item, ast.Name) and item.id != "macros")


def _as_text(code: str, node: ast.expr, is_alone: bool) -> str:
    told = f"{code}.isoformat()"
    root = _root(node)
    if root.startswith(_MAY_BE_NONE):
        told = f"{told} if {root} else {root}"
        return told if is_alone else f"({told})"
    return told
