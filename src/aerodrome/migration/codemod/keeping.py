"""Keeps what files of a project take from each other: under its old name where it can be imported still, else the users' imports go. Called by upgrade.

Between the first look of our rules with ruff's, and the last: then it can be seen which names the users still need.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from aerodrome.migration.codemod.contract import Change, Edit, Options, Spot
from aerodrome.migration.codemod.editing import after_imports, apply, replace
from aerodrome.migration.codemod.imports import is_alone, is_gone, written
from aerodrome.migration.codemod.moves import table
from aerodrome.migration.codemod.passed_on import OURS
from aerodrome.migration.codemod.passes import Begun
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import gone_functions
from aerodrome.migration.codemod.source import Source, module_of, read
from aerodrome.migration.codemod.tidying import compiles

_RULE = "passed-on-name"
_OLDER = 2


def keep_passed_on(out_dir: Path, project: Project, ours: Mapping[str, Begun], options: Options) -> None:
    """Look at each file that others take names from."""
    major = options.major
    for file in ours:
        takers = project.passed_on.takers(file)
        before = project.source(file) if takers else None
        now = read((out_dir / file).read_bytes()) if before else None
        if before is None or now is None:
            continue
        lines, lost = [], {}
        for name, origin in sorted(_own(before).items()):
            if name not in takers or name in now.top.bound:
                continue
            new = table(major).moves.get(origin, origin)
            if new == origin and is_gone(origin, major):
                lost[name] = origin
            else:
                module, _, there = new.rpartition(".")
                lines.append(f"from {module} import {there if there == name else f'{there} as {name}'}")
        if lines and _write(out_dir / file, _with(now, lines)):
            ours[file].applied[_RULE] += len(lines)
        needed = {
            name: origin
            for name, origin in lost.items()
            if _let_go(out_dir, project, ours, (file, name, origin), set()) and name[:1].islower()
        }
        if needed and major > _OLDER and not options.is_keeping_gone:
            _stand_in(out_dir / file, needed, options)


def _own(source: Source) -> dict[str, str]:
    """Give the names of Airflow's that a file imports itself at its top."""
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in source.each(ast.ImportFrom)
        if not node.level and (node.module or "").split(".")[0] in OURS and source.scope(node) is source.top
        for alias in node.names
        if alias.name != "*"
    }


def _with(source: Source, lines: list[str]) -> bytes:
    at, newline = after_imports(source), source.newline.decode()
    text = "".join(f"{line}{newline}" for line in lines)
    if at and source.text[at - 1 : at] not in (b"\n", b"\r"):
        text = newline + text
    return apply(source, [Change((Edit(at, at, text),))])


def _let_go(
    out_dir: Path, project: Project, ours: Mapping[str, Begun], lost: tuple[str, str, str], seen: set[tuple[str, str]]
) -> bool:
    """Take a name that is gone out of the imports of all that take it, those first that take it from the takers; tell whether one still needs it."""
    file, name, origin = lost
    is_needed = False
    for taker in sorted(project.passed_on.takers(file).get(name, set()) & ours.keys()):
        if (taker, name) in seen or (now := read((out_dir / taker).read_bytes())) is None:
            continue
        seen.add((taker, name))
        imports = list(_imports(now, taker, project, file, name))
        locals_ = {alias.asname or alias.name for _, alias in imports} or {name}
        further = [_let_go(out_dir, project, ours, (taker, local, origin), seen) for local in sorted(locals_)]
        is_handed_on = any(further)
        is_needed = is_needed or is_handed_on
        if not is_handed_on:
            is_needed = _drop(out_dir / taker, now, imports, lost, ours[taker]) or is_needed
    return is_needed


def _drop(
    path: Path, now: Source, imports: list[tuple[ast.ImportFrom, ast.alias]], lost: tuple[str, str, str], ours: Begun
) -> bool:
    """Take a name out of a file's imports; where the file still needs it, say so."""
    file, name, origin = lost
    names = {alias.asname or alias.name for _, alias in imports} or {name}
    before = read(ours.text) or now
    used: list[ast.Name | ast.Attribute] = [item for item in before.each(ast.Name) if item.id in names]
    used += [item for item in before.each(ast.Attribute) if item.attr == name and not imports]
    if used:
        message = f"`{name}` comes from {file}, which took it from `{origin}`: Airflow does not have that any more."
        ours.notes.append((_RULE, Spot(used[0].lineno, message, f"Write something else for it here, or in {file}.")))
    elif imports and _write(path, apply(now, [Change((_without(now, node, alias),)) for node, alias in imports])):
        ours.applied[_RULE] += 1
    return bool(used)


def _stand_in(path: Path, names: Mapping[str, str], options: Options) -> None:
    """Let the import succeed: functions of these names raise when they are called."""
    now = read(path.read_bytes())
    if now is not None:
        needed, failure = gone_functions.failure_of(now, options)
        texts = [gone_functions.written(name, origin, failure, options) for name, origin in names.items()]
        _write(path, apply(now, [Change((gone_functions.placed(now, texts),), (needed,))]))


def _imports(
    source: Source, taker: str, project: Project, file: str, name: str
) -> Iterator[tuple[ast.ImportFrom, ast.alias]]:
    for node in source.each(ast.ImportFrom):
        for alias in node.names:
            if alias.name == name and project.place_of(f"{module_of(node, taker)}.{name}") == (file, name):
                yield node, alias


def _without(source: Source, node: ast.ImportFrom, gone: ast.alias) -> Edit:
    kept = [written(alias) for alias in node.names if alias is not gone]
    if kept:
        return replace(source, node, f"from {'.' * node.level}{node.module or ''} import {', '.join(kept)}")
    parent = source.parents[node]
    if not isinstance(parent, ast.Module) or not is_alone(source, node):
        return replace(source, node, "pass")
    return Edit(source.line_start(node.lineno), source.line_end(node.end_lineno or node.lineno), "")


def _write(path: Path, text: bytes) -> bool:
    if not compiles(text):
        return False
    path.write_bytes(text)
    return True
