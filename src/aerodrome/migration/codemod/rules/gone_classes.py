"""Classes that nothing continues: a class of the same name takes their place, and its tasks fail when they run, with the reason.

Without it the file does not import, and all its DAGs are missing in the target, their other tasks with them. Nothing is made to look done: a stand-in
raises, every one is a finding in every upgrade of the file, and the proof names its tasks.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Iterable, Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import after_imports, replace
from aerodrome.migration.codemod.gone import GONE, MARK, Gone, gone_classes
from aerodrome.migration.codemod.imports import drop
from aerodrome.migration.codemod.moves import successors, table
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules.moved_names import SAID, lost
from aerodrome.migration.codemod.source import Source

_WIDTH = 100
_BASES = {"operator": "BaseOperator", "sensor": "BaseSensorOperator"}
_IMPORTED = re.compile(rb"from\s+(airflow\.[\w.]+)\s+import")
_SIGNATURE = ("inspect", "signature")
_FAILURE = "AirflowFailException"
_SDK = (3, 2)  # has it in airflow.sdk, too, and from 3.3 on warns of the other place


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
        for node in source.each(ast.ImportFrom)
        if node.module and not node.level and isinstance(source.parents[node], ast.Module)
        for alias in node.names
        if (origin := f"{node.module}.{alias.name}") in gone_classes() and _is_replaceable(source, origin, alias)
    }
    if found and not _is_waiting(source):
        yield _change(source, found, options)


def _by_module(source: Source) -> Iterator[Change]:
    """Import by their names classes that are reached through their module."""
    for node in source.each(ast.Attribute):
        origin = next((meaning for meaning in source.meanings(node) if meaning in gone_classes()), None)
        if origin and isinstance(node.ctx, ast.Load) and source.is_free(node.attr, origin):
            yield Change((replace(source, node, node.attr),), (_split(origin),))


def _standing(source: Source, options: Options) -> Iterator[Spot]:
    """Give a finding for each stand-in that the file has, of this upgrade or of one before."""
    if MARK.encode() not in source.text:
        return
    for node in source.each(ast.ClassDef):
        origin = origin_of(node)
        if origin is None:
            continue
        why = lost(node.lineno, *_split(origin), options.major)
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


def _split(origin: str) -> tuple[str, str]:
    module, _, name = origin.rpartition(".")
    return module, name


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
        f"{node.module}.{alias.name}" in known.moves and alias.name in _BASES.values()
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
        for module, name in ((_place(options), _FAILURE), *_needed(needed))
    )
    names = {name.partition(" as ")[0]: name.rpartition(" ")[2] for _, name in imports}
    texts = [_written(origin, alias, names, options) for origin, alias in needed.items()]
    if not texts:
        return Change(tuple(edits))
    at = after_imports(source)
    rest = source.text[at:].replace(b"\r\n", b"\n")
    blank = len(rest) - len(rest.lstrip(b"\n"))
    text = "\n\n" + "\n\n\n".join(texts) + "\n" + "\n" * max(0, 2 - blank if rest.strip() else 0)
    return Change((*edits, Edit(at, at, text.replace("\n", source.newline.decode()))), tuple(imports))


def _place(options: Options) -> str:
    """Give the module that has the exception in the target."""
    version = tuple(int(word) for word in options.target.split(".")[:2])
    return "airflow.sdk.exceptions" if version >= _SDK else "airflow.exceptions"


def _needed(origins: Iterable[str]) -> Iterator[tuple[str, str]]:
    for origin in origins:
        known = gone_classes()[origin]
        yield from (("airflow.sdk", base) for base in _bases(known))
        if known.is_open:
            yield _SIGNATURE


def _bases(known: Gone) -> list[str]:
    """Give the classes whose constructors a stand-in asks for what they take; what it derives from is the last."""
    if known.kind not in _BASES:
        return []
    return list(dict.fromkeys([*([_BASES["operator"]] if known.is_open else []), _BASES[known.kind]]))


def _written(origin: str, alias: ast.alias, names: dict[str, str], options: Options) -> str:
    """Write the class, and the name that the file calls it by."""
    known = gone_classes()[origin]
    raises = f"raise {names[_FAILURE]}({_reason(origin, known, options)})"
    parts = (
        _hook(alias.name, origin, known, raises)
        if known.kind == "hook"
        else _task(alias.name, origin, known, raises, names)
    )
    text = "\n".join(parts)
    return f"{text}\n\n\n{alias.asname} = {alias.name}" if alias.asname and alias.asname != alias.name else text


def _task(name: str, origin: str, known: Gone, raises: str, names: dict[str, str]) -> Iterator[str]:
    yield f"class {name}({names[_BASES[known.kind]]}):"
    yield f'    """Stands in for {origin}, which is gone: its tasks fail when they run."""'
    yield ""
    if known.fields:
        yield from (*_tuple("template_fields", known.fields), "")
    if known.arguments or known.is_open:
        yield from _folded(
            "    def __init__(",
            ["self", *("*" for _ in known.arguments[:1]), *(f"{one}=None" for one in known.arguments), "**kwargs"],
            "):",
        )
        if known.is_open:
            words = [f"*{names[_SIGNATURE[1]]}({names[base]}).parameters" for base in _bases(known)]
            yield f"        taken = {{{', '.join(words)}}}  # others were ignored"
            yield "        super().__init__(**{name: value for name, value in kwargs.items() if name in taken})"
        else:
            yield "        super().__init__(**kwargs)"
        for some in _chunks(known.arguments):
            yield f"        {', '.join(f'self.{one}' for one in some)} = {', '.join(some)}"
        yield ""
    yield "    def execute(self, context):"
    yield f"        {raises}"


def _hook(name: str, origin: str, known: Gone, raises: str) -> Iterator[str]:
    yield f"class {name}:"
    yield f'    """Stands in for {origin}, which is gone: making one fails."""'
    yield ""
    yield "    def __init__(self, *args, **kwargs):"
    yield f"        {raises}"
    for method, (arguments, code) in known.static.items():
        yield from ("", "    @staticmethod", f"    def {method}({', '.join(arguments)}):", f"        return {code}")


def _tuple(name: str, items: tuple[str, ...]) -> Iterator[str]:
    words = [json.dumps(item) for item in items]
    yield from _folded(f"    {name} = (", [*words[:-1], f"{words[-1]}{',' * (len(words) == 1)}"], ")")


def _folded(head: str, items: list[str], tail: str) -> Iterator[str]:
    """Write items on one line, or filled into as many as they need."""
    line = f"{head}{', '.join(items)}{tail}"
    if len(line) <= _WIDTH:
        yield line
        return
    indent = " " * (len(head) - len(head.lstrip()) + 4)
    yield head
    yield from textwrap.wrap(
        f"{', '.join(items)}{'' if items[-1].startswith('**') else ','}",
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield f"{indent[:-4]}{tail}"


def _chunks(names: tuple[str, ...]) -> Iterator[list[str]]:
    some: list[str] = []
    for name in names:
        if some and sum(2 * len(one) + 9 for one in (*some, name)) > _WIDTH:
            yield some
            some = []
        some.append(name)
    yield some


def _reason(origin: str, known: Gone, options: Options) -> str:
    """Write what the task says: strings that Python puts together. The finding has the successors' modules, too."""
    why = lost(0, *_split(origin), options.major).hint.partition(SAID)[0]
    instead = ", ".join(name.rpartition(".")[2] for name in successors().get(origin, ()))
    text = f"{origin.rpartition('.')[2]} is gone (seen last in {known.package}). {why}{f' See {instead}.' if instead else ''}"
    *more, last = textwrap.wrap(text, _WIDTH - 16, break_long_words=False, break_on_hyphens=False)
    lines = [json.dumps(line, ensure_ascii=False) for line in (*(f"{line} " for line in more), last)]
    return "\n" + "\n".join(f"            {line}" for line in lines) + "\n        "


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
