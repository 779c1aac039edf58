"""Which connections, variables, pools and environment variables a project names, by its text alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from aerodrome.parsing.contract import Usage, UsageEntry, UsageKind
from aerodrome.parsing.mentions import Mention, Module, Unit, in_text, read

_TEMPLATE_ENDINGS = {
    ".sql",
    ".hql",
    ".sh",
    ".bash",
    ".j2",
    ".jinja",
    ".jinja2",
    ".json",
    ".yaml",
    ".yml",
    ".html",
    ".txt",
}
_LARGEST = 2 << 20
_ROOTS = ("", "dags", "plugins")  # folders of the project that Python imports from
_SKIPPED = {"__pycache__", ".git", "node_modules", "tests"}


@dataclass(frozen=True)
class _Project:
    modules: Mapping[str, Module]  # file -> what its text says
    by_name: Mapping[str, str]  # dotted name -> file
    templates: Mapping[str, tuple[Mention, ...]]  # other files with template expressions


def usage(project: Path) -> Usage:
    """Give what the project's DAGs name, following imports within the project. Never imports a file, never raises on text."""
    started = time.monotonic()
    known = _load(project)
    found: dict[UsageEntry, set[str]] = {}
    used_templates: set[str] = set()
    for file, module in known.modules.items():
        if not file.startswith("dags/") or not (module.dags or _is_dag_file(module)):
            continue
        for where, mention in _of_dag_file(known, file, module, used_templates):
            entry = UsageEntry(mention.kind, mention.name, (), where, mention.line, mention.is_required, mention.via)
            found.setdefault(entry, set()).update(_dag_ids(module, mention, is_own=where == file))
    for file, mentions in known.templates.items():
        if file not in used_templates:
            for mention in mentions:
                entry = UsageEntry(mention.kind, mention.name, (), file, mention.line, False, mention.via)
                found.setdefault(entry, set())
    entries = [replace(entry, dag_ids=tuple(sorted(ids))) for entry, ids in found.items()]
    entries.sort(key=lambda entry: (entry.kind, entry.name, entry.file, entry.line, entry.via))
    return Usage(tuple(entries), len(known.modules), round(time.monotonic() - started, 3))


def usage_of(usages: Mapping[str, Usage], kind: UsageKind, name: str) -> Mapping[str, tuple[UsageEntry, ...]]:
    """Look up one object in the usages of several deployments: deployment id -> the places that name it."""
    found = {
        key: tuple(entry for entry in value.entries if entry.kind == kind and entry.name == name)
        for key, value in usages.items()
    }
    return {key: entries for key, entries in found.items() if entries}


def _load(project: Path) -> _Project:
    modules: dict[str, Module] = {}
    by_name: dict[str, str] = {}
    templates: dict[str, tuple[Mention, ...]] = {}
    for file in _files(project):
        path = project / file
        is_python = file.endswith(".py")
        if not is_python and path.suffix not in _TEMPLATE_ENDINGS:
            continue
        try:
            if path.stat().st_size > _LARGEST:
                continue
            text = path.read_text(encoding="utf-8-sig", errors="replace")
        except OSError:
            continue
        if not is_python:
            if mentions := tuple(in_text(text)):
                templates[file] = mentions
            continue
        names = _module_names(file)
        package = names[0] if file.endswith("__init__.py") else names[0].rpartition(".")[0]
        modules[file] = read(text, package)
        for name in names:
            by_name.setdefault(name, file)
    return _Project(modules, by_name, templates)


def _files(project: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(project):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED and not name.startswith("."))
        for name in sorted(files):
            yield os.path.relpath(str(Path(folder) / name), project)


def _module_names(file: str) -> list[str]:
    """Give the dotted names under which Python may import the file, the one from the project's top first."""
    parts = file.removesuffix(".py").split("/")
    if parts[-1] == "__init__":
        parts.pop()
    found = []
    for root in _ROOTS:
        if not root:
            found.append(".".join(parts))
        elif parts[:1] == [root] and len(parts) > 1:
            found.append(".".join(parts[1:]))
    return [name for name in found if name] or [file]


def _is_dag_file(module: Module) -> bool:
    return any(target == "airflow" or target.startswith("airflow.") for target, _ in module.imports.values())


def _dag_ids(module: Module, mention: Mention, *, is_own: bool) -> set[str]:
    """Give the DAGs of the file that a mention belongs to: that of its block, else all."""
    blocks = [dag_id for dag_id, first, last in module.dags if first and first <= mention.line <= last]
    return set(blocks) if is_own and blocks else {dag_id for dag_id, _, _ in module.dags}


def _of_dag_file(known: _Project, file: str, module: Module, used_templates: set[str]) -> Iterator[tuple[str, Mention]]:
    """Give everything that the file names, and what it reaches in other files of the project."""
    seen: set[tuple[str, str]] = set()
    waiting = [(file, name) for name in module.units]
    strings: set[str] = set()
    while waiting:
        where, name = waiting.pop()
        if (where, name) in seen:
            continue
        seen.add((where, name))
        here = known.modules[where]
        unit = here.units.get(name)
        if unit is None:
            continue
        strings |= here.strings
        yield from ((where, mention) for mention in unit.mentions)
        waiting.extend((where, other) for other in unit.names if other in here.units)
        waiting.extend(_reached(known, here, unit))
    for template in known.templates:
        name = template.rpartition("/")[2]
        if any(text.endswith(name) for text in strings):
            used_templates.add(template)
            yield from ((template, mention) for mention in known.templates[template])


def _reached(known: _Project, here: Module, unit: Unit) -> Iterator[tuple[str, str]]:
    """Give the units of other files that this one may run."""
    for bound, (target, attribute) in here.imports.items():
        root = bound.partition(".")[0]
        if root not in unit.names:
            continue
        if attribute and (file := known.by_name.get(f"{target}.{attribute}")):
            yield from _of_module(known, file, root, unit)
        elif file := known.by_name.get(target):
            if not attribute:
                yield from _of_module(known, file, bound, unit)
            else:
                yield from ((file, name) for name in _units(known.modules[file], attribute))


def _of_module(known: _Project, file: str, bound: str, unit: Unit) -> Iterator[tuple[str, str]]:
    """Give the units that are reached through the name of a whole module."""
    module = known.modules[file]
    used = {attribute for name, attribute in unit.attributes if name == bound and attribute in module.units}
    yield from ((file, name) for name in ({"", *used} if used else set(module.units)))


def _units(module: Module, attribute: str) -> list[str]:
    if attribute in module.units:
        return ["", attribute]
    if attribute in module.imports or attribute == "*":
        return list(module.units)
    return [""]
