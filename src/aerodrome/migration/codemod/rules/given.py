"""Parameters that the callers of a function name: calls of the file, and tasks by op_kwargs. Airflow fills the others."""

from __future__ import annotations

import ast

from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules.callables import handed
from aerodrome.migration.codemod.rules.callers import elsewhere
from aerodrome.migration.codemod.source import Source


def given_to(source: Source, name: str) -> set[str] | None:
    """Give the parameters of a function that its callers name: they are not the context's. None when that cannot be seen."""
    uses = _uses(source, name)
    return None if uses is None else set().union(*uses)


def given_by_all(source: Source, name: str) -> set[str]:
    """Give the parameters of a function that each of its callers names: Airflow never fills them."""
    uses = _uses(source, name)
    return set.intersection(*uses) if uses else set()


def _uses(source: Source, name: str) -> list[set[str]] | None:
    """Give what each use of a function names: calls, and tasks by op_kwargs. None when one cannot be seen."""
    found: list[set[str]] = []
    others = elsewhere(source, name)
    if others is None:
        return None
    passing = list(others)
    for call in source.each(ast.Call):
        if isinstance(call.func, ast.Name) and call.func.id == name:
            if call.args or any(item.arg is None for item in call.keywords):
                return None
            found.append({str(item.arg) for item in call.keywords})
        if call in handed(source).tasks.get(name, ()):
            passing.append(call)
    for call in passing:
        keys: list[ast.expr | None] = []
        if keyword(call, "op_args") is not None:
            return None
        if (item := keyword(call, "op_kwargs")) is not None:
            keys = item.value.keys if isinstance(item.value, ast.Dict) else [None]
        if not all(isinstance(key, ast.Constant) for key in keys):
            return None
        found.append({str(key.value) for key in keys if isinstance(key, ast.Constant)})
    return found
