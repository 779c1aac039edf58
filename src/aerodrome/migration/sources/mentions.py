"""Finds which connections, variables and pools a DAG file names, by reading its syntax tree. Pure: never imports it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from aerodrome.airflowkit import code

_CONN_TEMPLATE = re.compile(r"\bconn\.([A-Za-z_]\w*)\b|\bconn\.get\(\s*['\"]([^'\"]+)")
_VAR_TEMPLATE = re.compile(r"\bvar\.(?:value|json)\.([A-Za-z_]\w*)|\bvar\.(?:value|json)\.get\(\s*['\"]([^'\"]+)")


@dataclass(frozen=True)
class Mentions:
    """Names found in a file; what is computed at run time stays unknown."""

    connections: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()


def mentions(source: str) -> Mentions:
    """Read a file's text; a file that does not parse mentions nothing."""
    tree = code.parse(source)
    return Mentions() if tree is None else mentions_in(code.nodes_of(tree))


def mentions_in(nodes: Iterable[ast.AST]) -> Mentions:
    """Read a file's nodes."""
    connections: set[str] = set()
    variables: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = _constant(node.args[0]) if node.args else None
            if name in ("get_connection", "get_hook", "get_connections") and first:
                connections.add(first)
            if name in ("get", "get_variable") and first and _owner(node.func) == "Variable":
                variables.add(first)
        elif isinstance(node, ast.keyword) and node.arg and node.arg.endswith("conn_id"):
            value = _constant(node.value)
            if value and "{{" not in value:
                connections.add(value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "{{" in node.value:
            connections.update(one or other for one, other in _CONN_TEMPLATE.findall(node.value))
            variables.update(one or other for one, other in _VAR_TEMPLATE.findall(node.value))
    return Mentions(frozenset(connections), frozenset(variables))


def _owner(function: ast.expr) -> str:
    """Give the last name before the method: "Variable" of `models.Variable.get`."""
    owner = function.value if isinstance(function, ast.Attribute) else None
    return owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""


def _constant(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
