"""Drops the imports of a file that its upgrade made unused, or made twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from aerodrome.migration.codemod.contract import Change
from aerodrome.migration.codemod.editing import apply
from aerodrome.migration.codemod.imports import (
    divided_imports,
    drop,
    drop_repeated,
    is_gone,
    joined,
    repeated_imports,
    unused_imports,
)
from aerodrome.migration.codemod.moves import table
from aerodrome.migration.codemod.rules.isolated import bodies_left
from aerodrome.migration.codemod.rules.providers import REPLACED
from aerodrome.migration.codemod.source import read
from aerodrome.migration.codemod.workers import Held


def drop_unused(path: Path, name: str, held: Held, applied: Counter[str]) -> None:
    """Drop imports that were used before and are not now, unused ones of names that are gone, and what became one import twice."""
    original, major = held.project.text(name), held.options.major
    taken = held.project.passed_on.takers(name)
    if b"airflow" not in path.read_bytes():
        return
    _drop_repeated(path, original, applied)
    data = path.read_bytes()
    source = read(data, name, held.project)
    left = bodies_left(source)
    unused = unused_imports(source, left)
    if source is None or not unused:
        return
    former = read(original, name, held.project)
    before = unused_imports(former, bodies_left(former))
    known = {*before, *(table(major).moves.get(origin, origin) for origin in before)}
    names = set(before.values())
    gone = {
        origin
        for origin, name in unused.items()
        if (origin not in known and name not in names and name not in taken)
        or origin in REPLACED
        or is_gone(origin, major)
    }
    if not gone:
        return
    cleaned = apply(source, [Change(tuple(drop(source, gone, left)))])
    if cleaned != data and compiles(cleaned):
        path.write_bytes(cleaned)
        applied["unused-import"] += len(gone)


def join_imports(path: Path, name: str, held: Held) -> None:
    """Write imports of one module as one where the upgrade put them below each other."""
    source = read(path.read_bytes(), name, held.project)
    former = read(held.project.text(name))
    own = {node.module for group in divided_imports(former) for node in group}
    left = bodies_left(source)
    groups = [
        group
        for group in divided_imports(source)
        if group[0].module not in own and not any(first <= group[0].lineno <= last for first, last in left)
    ]
    if source is None or not groups:
        return
    made = apply(source, [Change(tuple(joined(source, group) for group in groups))])
    if compiles(made):
        path.write_bytes(made)


def _drop_repeated(path: Path, original: bytes, applied: Counter[str]) -> None:
    data = path.read_bytes()
    source = read(data)
    repeated = repeated_imports(source)
    if source is None or not repeated or repeated_imports(read(original)):
        return
    cleaned = apply(source, [Change(tuple(drop_repeated(source, repeated)))])
    if compiles(cleaned):
        path.write_bytes(cleaned)
        applied["repeated-import"] += len(repeated)


def compiles(source: bytes) -> bool:
    try:
        compile(source, "<upgraded>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True
