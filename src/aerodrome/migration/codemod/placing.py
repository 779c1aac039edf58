"""Keeps fixes inside the functions that run in another Python: what these import stays theirs, and what runs under another Airflow is left. Pure."""

from __future__ import annotations

from dataclasses import replace

from aerodrome.migration.codemod.contract import Change, Edit, Spot
from aerodrome.migration.codemod.imports import indent_of, is_alone
from aerodrome.migration.codemod.rules.isolated import Isolated, around, isolated, leading
from aerodrome.migration.codemod.source import Source

_OF_WORKERS = frozenset({"context-key", "isolated-context", "isolated-airflow"})
"""Rules about what the worker hands over, whatever the function runs under."""


def placed(source: Source, code: str, found: Change | Spot) -> Change | Spot | None:
    """Give what of a rule's answer may stay: None when it is all about code that another Airflow runs."""
    if not isolated(source):
        return found
    if isinstance(found, Spot):
        inside = around(source, found.line)
        return found if inside is None or not inside.runs_under or code in _OF_WORKERS else None
    places = [(edit, around(source, source.line_at(edit.start))) for edit in found.edits]
    if code not in _OF_WORKERS:
        places = [(edit, inside) for edit, inside in places if inside is None or not inside.runs_under]
    if not places:
        return None
    edits = tuple(edit for edit, _ in places)
    functions = {inside.function: inside for _, inside in places if inside}
    if not functions or not found.imports:
        return replace(found, edits=edits)
    inner = [item for inside in functions.values() for item in _imports(source, inside, found.imports)]
    is_outside = any(inside is None for _, inside in places)
    return replace(found, edits=(*edits, *inner), imports=found.imports if is_outside else ())


def _imports(source: Source, inside: Isolated, needed: tuple[tuple[str, str], ...]) -> list[Edit]:
    """Write imports into a function, behind those that it begins with."""
    bound = source.scope(inside.function.body[0]).bound
    missing = [
        (module, name)
        for module, name in needed
        if bound.get(name.rpartition(" ")[2] or module.split(".")[0])
        != {f"{module}.{name.partition(' ')[0]}" if name else module}
    ]
    if not missing:
        return []
    lines = [f"from {module} import {name}" if name else f"import {module}" for module, name in missing]
    return [inserted(source, inside, lines)]


def inserted(source: Source, inside: Isolated, lines: list[str]) -> Edit:
    """Put lines behind the imports that a function begins with, else at its beginning."""
    newline = source.newline.decode()
    first, last = leading(inside.function)
    indent = indent_of(source, first)
    if last is not None:
        at = source.line_end(last.end_lineno or last.lineno) if is_alone(source, last) else source.end(last)
        if is_alone(source, last):
            return Edit(at, at, "".join(f"{indent}{line}{newline}" for line in lines))
        return Edit(at, at, "".join(f"; {line}" for line in lines))
    at = source.start(first)
    if source.text[source.line_start(first.lineno) : at].strip():  # `def f(): return x`
        return Edit(at, at, "".join(f"{line}; " for line in lines))
    return Edit(at, at, "".join(f"{line}{newline}{indent}" for line in lines))
