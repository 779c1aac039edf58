"""Drops imports that the fixes made unused, and only those: what nobody used before stays as the author left it."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection

import libcst as cst

GONE_MODULES = re.compile(
    r"airflow\.(contrib|utils\.dates|utils\.apply_defaults|utils\.decorators|utils\.helpers|operators\.\w+_operator"
    r"|operators\.(subdag|dummy)|hooks\.\w+_hook|sensors\.\w+_sensor|hooks\.base_hook|datasets)\b"
)
"""Modules that Airflow 3 does not have: importing them fails even when nothing uses the name."""


def unused_imports(source: str) -> set[str]:
    """Give the names that a file imports from airflow at any level and never uses ("module.name as bound")."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level and node.module.startswith("airflow"):
            for alias in node.names:
                bound[f"{node.module}.{alias.name}"] = alias.asname or alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("airflow"):
                    bound[alias.name] = (alias.asname or alias.name).split(".")[0]
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    exported = set(re.findall(r"\w+", " ".join(_exported(tree))))
    return {origin for origin, name in bound.items() if name not in used and name not in exported and name != "*"}


def _exported(tree: ast.Module) -> list[str]:
    found: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            found += [
                item.value
                for item in ast.walk(node.value)
                if isinstance(item, ast.Constant) and isinstance(item.value, str)
            ]
    return found


class _Remover(cst.CSTTransformer):
    def __init__(self, origins: Collection[str]) -> None:
        super().__init__()
        self._origins = origins

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom | cst.RemovalSentinel:
        if updated_node.module is None or isinstance(updated_node.names, cst.ImportStar):
            return updated_node
        module = cst.Module([]).code_for_node(updated_node.module)
        kept = [item for item in updated_node.names if f"{module}.{item.evaluated_name}" not in self._origins]
        if len(kept) == len(updated_node.names):
            return updated_node
        if not kept:
            return cst.RemoveFromParent()
        if updated_node.names[-1] not in kept:
            kept[-1] = kept[-1].with_changes(comma=updated_node.names[-1].comma)
        return updated_node.with_changes(names=kept)

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import | cst.RemovalSentinel:
        kept = [item for item in updated_node.names if item.evaluated_name not in self._origins]
        if len(kept) == len(updated_node.names):
            return updated_node
        if not kept:
            return cst.RemoveFromParent()
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return updated_node.with_changes(names=kept)


def drop_imports(source: bytes, origins: Collection[str]) -> bytes:
    """Remove these imports."""
    return cst.parse_module(source).visit(_Remover(origins)).bytes
