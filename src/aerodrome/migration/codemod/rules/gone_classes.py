"""Classes that nothing continues: a class of the same name takes their place, and its tasks fail when they run, with the reason.

Without it the file does not import, and all its DAGs are missing in the target, their other tasks with them. Nothing is made to look done: a stand-in
raises, every one is a finding in every upgrade of the file, and the proof names its tasks.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import after_imports, replace
from aerodrome.migration.codemod.gone import GONE, MARK, gone_classes
from aerodrome.migration.codemod.imports import drop
from aerodrome.migration.codemod.moves import table
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules.moved_names import lost
from aerodrome.migration.codemod.rules.stand_ins import BASES, imported, needed_of, split, written
from aerodrome.migration.codemod.rules.subdag_factories import OPERATORS, is_only_called
from aerodrome.migration.codemod.source import Source

_IMPORTED = re.compile(rb"from\s+(airflow\.[\w.]+)\s+import")


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    yield from _standing(source, options)
    yield from _imported(source, options)
    if options.is_keeping_gone:
        return
    if references := list(_by_module(source)):
        yield from references  # imported by name first
        return
    found = {
        origin: alias
        for origin, alias in imported(source)
        if origin in gone_classes()
        and _is_replaceable(source, origin, alias)
        and not (origin in OPERATORS and is_only_called(source, origin))
    }
    if found and not _is_waiting(source):
        yield _change(source, found, options)


def _by_module(source: Source) -> Iterator[Change]:
    """Import by their names classes that are reached through their module."""
    for node in source.each(ast.Attribute):
        origin = next((meaning for meaning in source.meanings(node) if meaning in gone_classes()), None)
        if origin in OPERATORS and is_only_called(source, str(origin)):
            continue
        if origin and isinstance(node.ctx, ast.Load) and source.is_free(node.attr, origin):
            yield Change((replace(source, node, node.attr),), (split(origin),))


def _standing(source: Source, options: Options) -> Iterator[Spot]:
    """Give a finding for each stand-in that the file has, of this upgrade or of one before."""
    if MARK.encode() not in source.text:
        return
    for node in source.each(ast.ClassDef):
        origin = origin_of(node)
        if origin is None:
            continue
        why = lost(node.lineno, *split(origin), options.major)
        known = gone_classes().get(origin)
        what = "making one fails" if known and known.kind == "hook" else "the tasks that it makes fail when they run"
        yield Spot(
            node.lineno,
            f"{node.name} stands in for `{origin}`, which Airflow {options.major} does not have: {what}.",
            f"{why.hint} Then delete the class.",
        )


def origin_of(node: ast.ClassDef) -> str | None:
    """Give what a class stands in for; None for any other class."""
    text = ast.get_docstring(node, clean=False) or ""
    return text.removeprefix("Stands in for ").partition(",")[0] if text.startswith(MARK) else None


def _imported(source: Source, options: Options) -> Iterator[Spot]:
    """Give a finding where a file takes a class from another file of the project, and that class stands on one that is gone."""
    project = options.project
    failing: dict[str, set[str]] = project.once("gone-classes", lambda: _failing(project)) if project else {}
    if project is None or not failing:
        return
    for node in source.each(ast.ImportFrom):
        module = _absolute(node, options.file)
        for alias in node.names:
            place = project.place_of(f"{module}.{alias.name}")
            if place and place[0] != options.file and place[1] in failing.get(place[0], ()):
                yield Spot(
                    alias.lineno,
                    f"{alias.name} of {place[0]} stands in for a class that Airflow {options.major} does not have, or derives from one: the tasks that it makes fail when they run.",
                    f"See the findings of {place[0]}.",
                )


def _absolute(node: ast.ImportFrom, file: str) -> str:
    """Give the module of an import; a relative one as the path from the project's folder, with dots."""
    if not node.level:
        return node.module or ""
    folder = file.split("/")[: -node.level]
    return ".".join([*folder, *([node.module] if node.module else [])])


def _failing(project: Project) -> dict[str, set[str]]:
    """Give per file of a project the classes that will raise: imported ones that are gone, stand-ins, and what derives from either."""
    modules = {name.rpartition(".")[0].encode() for name in gone_classes()}
    found: dict[str, set[str]] = {}
    for file in project.mentioning(b"airflow"):
        text = project.text(file)
        is_concerned = MARK.encode() in text or not modules.isdisjoint(_IMPORTED.findall(text))
        source = project.source(file) if is_concerned else None
        if source is None:
            continue
        names = {
            alias.asname or alias.name
            for node in source.each(ast.ImportFrom)
            for alias in node.names
            if f"{node.module}.{alias.name}" in gone_classes()
        }
        classes = sorted(source.each(ast.ClassDef), key=lambda node: node.lineno)
        for node in classes:
            if origin_of(node) or any(isinstance(base, ast.Name) and base.id in names for base in node.bases):
                names.add(node.name)
        if names:
            found[file] = names
    return found


def _is_replaceable(source: Source, origin: str, alias: ast.alias) -> bool:
    """Tell whether the name means nothing else in the file, and no `try` looks after its absence."""
    for node in source.each(ast.ImportFrom):
        is_other = not any(f"{node.module}.{item.name}" == origin for item in node.names)
        if not is_other and isinstance(source.parents[node], ast.Try | ast.If):
            return False
    return source.is_free(alias.asname or alias.name, origin) and source.is_free(alias.name, origin)


def _is_waiting(source: Source) -> bool:
    """Tell whether names that a stand-in needs are imported from where they were before: they move first."""
    known = table()
    return any(
        f"{node.module}.{alias.name}" in known.moves and alias.name in BASES.values()
        for node in source.each(ast.ImportFrom)
        for alias in node.names
    )


def _change(source: Source, found: dict[str, ast.alias], options: Options) -> Change:
    used = {node.id for node in source.each(ast.Name)}
    is_package = options.file.endswith("__init__.py")
    needed = {origin: alias for origin, alias in found.items() if is_package or (alias.asname or alias.name) in used}
    edits = drop(source, frozenset(found))
    imports = dict.fromkeys(
        (module, f"{name} as _{name}" if not source.is_free(name, f"{module}.{name}") else name)
        for module, name in needed_of(needed, options)
    )
    names = {name.partition(" as ")[0]: name.rpartition(" ")[2] for _, name in imports}
    texts = [written(origin, alias, names, options) for origin, alias in needed.items()]
    if not texts:
        return Change(tuple(edits))
    at = after_imports(source)
    rest = source.text[at:].replace(b"\r\n", b"\n")
    blank = len(rest) - len(rest.lstrip(b"\n"))
    text = "\n\n" + "\n\n\n".join(texts) + "\n" + "\n" * max(0, 2 - blank if rest.strip() else 0)
    return Change((*edits, Edit(at, at, text.replace("\n", source.newline.decode()))), tuple(imports))


RULE = Rule(
    code=GONE,
    title="What nothing continues gets a stand-in of the same name, whose tasks fail when they run and say why",
    words=(b"airflow",),
    before="""
from airflow import DAG
from airflow.providers.google.cloud.operators.life_sciences import LifeSciencesRunPipelineOperator

with DAG("genomes", schedule=None):
    LifeSciencesRunPipelineOperator(task_id="align", body=BODY, location="us-central1", project_id="lab")
""",
    after='''
from airflow import DAG
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk import BaseOperator


class LifeSciencesRunPipelineOperator(BaseOperator):
    """Stands in for airflow.providers.google.cloud.operators.life_sciences.LifeSciencesRunPipelineOperator, which is gone: its tasks fail when they run."""

    template_fields = ("body", "gcp_conn_id", "api_version", "impersonation_chain")

    def __init__(
        self, *, body=None, location=None, project_id=None, gcp_conn_id=None, api_version=None,
        impersonation_chain=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.body, self.location, self.project_id = body, location, project_id
        self.gcp_conn_id, self.api_version = gcp_conn_id, api_version
        self.impersonation_chain = impersonation_chain

    def execute(self, context):
        raise AirflowFailException(
            "LifeSciencesRunPipelineOperator is gone (seen last in "
            "apache-airflow-providers-google 15.1.0). Cloud Life Sciences is shut down since July "
            "2025: use Batch (airflow.providers.google.cloud.operators.cloud_batch)."
        )


with DAG("genomes", schedule=None):
    LifeSciencesRunPipelineOperator(task_id="align", body=BODY, location="us-central1", project_id="lab")
''',
    find=_find,
    finding="stands in for",
    is_last=True,
)
