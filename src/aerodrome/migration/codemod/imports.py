"""Drops imports that the fixes made unused, and only those: what nobody used before stays as the author left it. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from functools import cache

from aerodrome.migration.codemod.contract import Edit
from aerodrome.migration.codemod.editing import import_text
from aerodrome.migration.codemod.moves import table
from aerodrome.migration.codemod.passed_on import OURS, exported
from aerodrome.migration.codemod.source import Source


def repeated_imports(source: Source | None) -> list[tuple[ast.ImportFrom, ast.alias]]:
    """Give what a file imports once more at its top, when the name means nothing else in between."""
    if source is None:
        return []
    seen: set[tuple[str, str, str | None]] = set()
    found: list[tuple[ast.ImportFrom, ast.alias]] = []
    for node in source.tree.body:
        if not isinstance(node, ast.ImportFrom) or node.level or not str(node.module).startswith("airflow"):
            continue
        for alias in node.names:
            key = (str(node.module), alias.name, alias.asname)
            if key in seen and source.has_import(alias.asname or alias.name, f"{node.module}.{alias.name}"):
                found.append((node, alias))
            seen.add(key)
    return found


def drop_repeated(source: Source, repeated: Collection[tuple[ast.ImportFrom, ast.alias]]) -> list[Edit]:
    gone = {alias for _, alias in repeated}
    nodes = dict.fromkeys(node for node, _ in repeated)
    return [_without(source, node, [alias for alias in node.names if alias not in gone]) for node in nodes]


def divided_imports(source: Source | None) -> list[list[ast.ImportFrom]]:
    """Give imports of one module of Airflow that follow each other line by line, in the same block."""
    groups: list[list[ast.ImportFrom]] = []
    if source is None:
        return groups
    for node in sorted(source.each(ast.ImportFrom), key=source.start):
        is_airflows = not node.level and str(node.module).split(".")[0] == "airflow" and is_alone(source, node)
        if not is_airflows or node.names[0].name == "*":
            continue
        line = source.text[source.line_start(node.lineno) : source.line_end(node.end_lineno or node.lineno)]
        if b"#" in line:
            continue
        last = groups[-1][-1] if groups else None
        if (
            last is not None
            and last.module == node.module
            and (last.end_lineno or last.lineno) + 1 == node.lineno
            and source.parents[last] is source.parents[node]
            and last.col_offset == node.col_offset
        ):
            groups[-1].append(node)
        else:
            groups.append([node])
    return [group for group in groups if len(group) > 1]


def joined(source: Source, group: list[ast.ImportFrom]) -> Edit:
    """Write imports of one module as one."""
    names = list(dict.fromkeys(written(alias) for node in group for alias in node.names))
    text = import_text(str(group[0].module), names, indent_of(source, group[0]), source.newline.decode())
    return Edit(source.start(group[0]), source.end(group[-1]), text)


def unused_imports(source: Source | None, left: Collection[tuple[int, int]] = ()) -> dict[str, str]:
    """Give the names that a file imports from airflow and of dates, at any level, and never uses: "module.name" as imported -> the name it is bound to.

    Lines that are `left`, from a first to a last, count for nothing.
    """
    if source is None:
        return {}
    used = {node.id for node in source.each(ast.Name) if not _is_left(node, left)} | exported(source.tree)
    found: dict[str, str] = {}
    for node in source.each(ast.ImportFrom):
        if not _is_left(node, left) and node.module and not node.level and node.module.split(".")[0] in OURS:
            found |= {f"{node.module}.{alias.name}": alias.asname or alias.name for alias in node.names}
    for plain in source.each(ast.Import):
        found |= {
            alias.name: alias.asname or alias.name.split(".")[0]
            for alias in plain.names
            if alias.name.split(".")[0] in OURS and not _is_left(plain, left)
        }
    return {origin: name for origin, name in found.items() if name not in used and name != "*"}


def is_gone(origin: str, major: int = 3) -> bool:
    """Tell whether the target fails to import this, even when nothing uses it."""
    known = table(major)
    return origin in known.gone or known.is_missing(origin.rpartition(".")[0]) or _is_old_module(origin, major)


@cache
def _old_modules(major: int) -> frozenset[str]:
    known = table(major)
    return frozenset(name.rpartition(".")[0] for name in (*known.moves, *known.gone))


def _is_old_module(origin: str, major: int) -> bool:
    """Tell whether this is a module that old code imports by its package: `from airflow.operators import bash_operator`."""
    return origin in _old_modules(major) and table(major).is_missing(origin)


def _is_left(node: ast.stmt | ast.expr, left: Collection[tuple[int, int]]) -> bool:
    return any(first <= node.lineno <= last for first, last in left)


def drop(source: Source, origins: Collection[str], left: Collection[tuple[int, int]] = ()) -> list[Edit]:
    """Take these names out of their imports; a statement left empty goes, in a block that would be empty it becomes `pass`."""
    edits = []
    nodes: list[ast.ImportFrom | ast.Import] = [*source.each(ast.ImportFrom), *source.each(ast.Import)]
    for node in nodes:
        module = node.module if isinstance(node, ast.ImportFrom) else None
        if (isinstance(node, ast.ImportFrom) and (node.level or not module)) or _is_left(node, left):
            continue
        kept = [alias for alias in node.names if (f"{module}.{alias.name}" if module else alias.name) not in origins]
        if len(kept) == len(node.names):
            continue
        edits.append(_without(source, node, kept))
    return edits


def written(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def indent_of(source: Source, node: ast.stmt) -> str:
    start = source.line_start(node.lineno)
    return re.match(rb"[ \t]*", source.text[start : source.start(node)])[0].decode()  # type: ignore[index]


def is_alone(source: Source, node: ast.stmt) -> bool:
    """Tell whether nothing but a comment shares the statement's lines."""
    before = source.text[source.line_start(node.lineno) : source.start(node)]
    after = source.text[source.end(node) : source.line_end(node.end_lineno or node.lineno)].strip()
    return not before.strip() and (not after or after.startswith(b"#"))


def _without(source: Source, node: ast.ImportFrom | ast.Import, kept: list[ast.alias]) -> Edit:
    names = [written(alias) for alias in kept]
    start, end = source.start(node), source.end(node)
    if kept:
        if isinstance(node, ast.Import):
            return Edit(start, end, f"import {', '.join(names)}")
        text = import_text(str(node.module), names, indent_of(source, node), source.newline.decode())
        return Edit(start, end, text)
    parent = source.parents[node]
    siblings = next((body for _, body in ast.iter_fields(parent) if isinstance(body, list) and node in body), [])
    if (len(siblings) == 1 and not isinstance(parent, ast.Module)) or not is_alone(source, node):
        return Edit(start, end, "pass")
    return Edit(source.line_start(node.lineno), source.line_end(node.end_lineno or node.lineno), "")
