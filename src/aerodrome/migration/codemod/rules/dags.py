"""Finds the calls that make DAGs, and what they are given. Shared by the rules about DAGs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.editing import has_open_end
from aerodrome.migration.codemod.source import Source

CLASSES = frozenset({"airflow.DAG", "airflow.models.DAG", "airflow.models.dag.DAG"})
DECORATORS = frozenset({"airflow.decorators.dag", "airflow.decorators.dag.dag", "airflow.models.dag.dag"})
OLD = CLASSES | DECORATORS
"""2.x spellings only: what imports from airflow.sdk was written for 3.x and means what it says."""
ANY = OLD | {"airflow.sdk.DAG", "airflow.sdk.dag"}
SCHEDULES = ("schedule", "schedule_interval", "timetable")
_POSITIONAL = 2  # dag_id and description; a third would be the schedule


def calls(source: Source, names: frozenset[str]) -> Iterator[ast.Call]:
    for node in source.each(ast.Call):
        if source.means(node.func, names):
            yield node


def is_open(call: ast.Call) -> bool:
    """Tell whether the schedule may stand where it cannot be seen."""
    return has_open_end(call) or len(call.args) > _POSITIONAL


def dictionaries(source: Source, names: frozenset[str]) -> Iterator[tuple[ast.Dict, str]]:
    """Give dict literals that reach a DAG: ("default_args" or "**"), through a name of the file or directly."""
    assigned: dict[str, list[ast.Dict]] = {}
    for node in source.each(ast.Assign):
        if isinstance(node.value, ast.Dict):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    assigned.setdefault(target.id, []).append(node.value)
    for annotated in source.each(ast.AnnAssign):
        if isinstance(annotated.value, ast.Dict) and isinstance(annotated.target, ast.Name):
            assigned.setdefault(annotated.target.id, []).append(annotated.value)
    seen: set[ast.Dict] = set()
    for call in calls(source, names):
        for item in call.keywords:
            if item.arg not in (None, "default_args"):
                continue
            found = (
                [item.value] if isinstance(item.value, ast.Dict) else assigned.get(getattr(item.value, "id", ""), [])
            )
            for value in found:
                if value not in seen:
                    seen.add(value)
                    yield value, item.arg or "**"


def entry(mapping: ast.Dict, name: str) -> tuple[ast.Constant, ast.expr] | None:
    """Give key and value of a dict entry."""
    for key, value in zip(mapping.keys, mapping.values, strict=True):
        if isinstance(key, ast.Constant) and key.value == name:
            return key, value
    return None
