"""Functions that Airflow does not have any more: one of the same name takes their place, and raises when it is called.

Without it the file does not import, and all its DAGs are missing, for what one task calls. Where the file itself calls it as it is read nothing would be won: it stays, and is found.
"""

from __future__ import annotations

import ast
import json
import textwrap
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import after_imports
from aerodrome.migration.codemod.gone import MARK, gone_classes
from aerodrome.migration.codemod.imports import drop
from aerodrome.migration.codemod.moves import table
from aerodrome.migration.codemod.rules.moved_names import lost
from aerodrome.migration.codemod.rules.stand_ins import FAILURE, failure_place, imported, split
from aerodrome.migration.codemod.source import Source

_WIDTH = 84
_NOT_IN_TASKS = "airflow.api.common.trigger_dag has other arguments, and opens the database, which tasks may not."
_API = "Ask the REST API: "
_INSTEAD = {
    "trigger_dag": f"Use TriggerDagRunOperator, or the REST API: POST /api/v2/dags/{{dag_id}}/dagRuns. {_NOT_IN_TASKS}",
    "delete_dag": f"{_API}DELETE /api/v2/dags/{{dag_id}}.",
    "get_code": f"{_API}GET /api/v2/dagSources/{{dag_id}}.",
    "get_dag_runs": f"{_API}GET /api/v2/dags/{{dag_id}}/dagRuns.",
    "get_dag_run_state": "Use ti.get_dagrun_state(dag_id=…, run_id=…).",
    "get_task": f"{_API}GET /api/v2/dags/{{dag_id}}/tasks/{{task_id}}.",
    "get_task_instance": f"{_API}GET /api/v2/dags/{{dag_id}}/dagRuns/{{run_id}}/taskInstances/{{task_id}}.",
    "create_pool": f"{_API}POST /api/v2/pools.",
    "delete_pool": f"{_API}DELETE /api/v2/pools/{{pool_name}}.",
    "get_pool": f"{_API}GET /api/v2/pools/{{pool_name}}.",
    "get_pools": f"{_API}GET /api/v2/pools.",
}
"""What does it now, of airflow.api.common.experimental (1.10.15); paths of the API of 3.3.2."""
_OF_API = "airflow.api.common.experimental."
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    yield from _standing(source, options)
    if options.is_keeping_gone:
        return
    found = {
        origin: alias
        for origin, alias in imported(source)
        if _is_gone(origin) and _is_called_later(source, origin, alias)
    }
    if found:
        yield _change(source, found, options)


def _is_gone(origin: str) -> bool:
    known = table()
    return origin in known.gone and origin not in known.moves and origin not in gone_classes()


def _is_called_later(source: Source, origin: str, alias: ast.alias) -> bool:
    """Tell whether a name is that of a function, which the file calls or hands on, and never calls while it is read."""
    name = alias.asname or alias.name
    if not alias.name[:1].islower() or not source.is_free(name, origin):
        return False
    uses = [node for node in source.each(ast.Name) if node.id == name]
    calls = [node for node in uses if getattr(source.parents[node], "func", None) is node]
    is_plain = all(not isinstance(source.parents[node], ast.Attribute) for node in uses)
    return bool(calls) and is_plain and all(_is_within(source, node) for node in calls) and not _decorates(source, name)


def _is_within(source: Source, node: ast.AST) -> bool:
    """Tell whether a node is in the body of a function."""
    while (parent := source.parents.get(node)) is not None:
        if isinstance(parent, _FUNCTIONS):
            body = parent.body if isinstance(parent.body, list) else [parent.body]
            if node in body:
                return True
        node = parent
    return False


def _decorates(source: Source, name: str) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name
        for kind in (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        for owner in source.each(kind)
        for decorator in owner.decorator_list  # type: ignore[attr-defined]
        for node in ast.walk(decorator)
    )


def _standing(source: Source, options: Options) -> Iterator[Spot]:
    """Give a finding for each that stands in, of this upgrade or of one before."""
    if MARK.encode() not in source.text:
        return
    for node in source.each(ast.FunctionDef):
        text = ast.get_docstring(node, clean=False) or ""
        if text.startswith(MARK):
            origin = text.removeprefix("Stands in for ").partition(",")[0]
            yield Spot(
                node.lineno,
                f"{node.name} stands in for `{origin}`, which Airflow {options.major} does not have: what calls it fails.",
                f"{hint(origin, options)} Then delete the function.",
            )


def hint(origin: str, options: Options) -> str:
    """Give what to do instead."""
    word = origin.rpartition(".")[2]
    if origin.startswith(_OF_API) and word in _INSTEAD:
        return _INSTEAD[word]
    return lost(0, *split(origin), options.major).hint


def written(name: str, origin: str, failure: str, options: Options) -> str:
    """Write the function."""
    text = f"{origin} is gone in Airflow {options.major}. {hint(origin, options)}"
    *more, last = textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    lines = [json.dumps(line, ensure_ascii=False) for line in (*(f"{line} " for line in more), last)]
    return "\n".join(
        [
            f"def {name}(*args, **kwargs):",
            f'    """Stands in for {origin}, which is gone: what calls it fails."""',
            f"    raise {failure}(",
            *(f"        {line}" for line in lines),
            "    )",
        ]
    )


def placed(source: Source, texts: list[str]) -> Edit:
    """Put functions after the imports."""
    at = after_imports(source)
    rest = source.text[at:].replace(b"\r\n", b"\n")
    blank = len(rest) - len(rest.lstrip(b"\n"))
    text = "\n\n" + "\n\n\n".join(texts) + "\n" + "\n" * max(0, 2 - blank if rest.strip() else 0)
    return Edit(at, at, text.replace("\n", source.newline.decode()))


def failure_of(source: Source, options: Options) -> tuple[tuple[str, str], str]:
    """Give the import of what is raised, and its name in the file."""
    module = failure_place(options)
    if source.is_free(FAILURE, f"{module}.{FAILURE}"):
        return (module, FAILURE), FAILURE
    return (module, f"{FAILURE} as _{FAILURE}"), f"_{FAILURE}"


def _change(source: Source, found: dict[str, ast.alias], options: Options) -> Change:
    needed, failure = failure_of(source, options)
    texts = [written(alias.asname or alias.name, origin, failure, options) for origin, alias in found.items()]
    return Change((*drop(source, frozenset(found)), placed(source, texts)), (needed,))


RULE = Rule(
    code="gone-function",
    title="Functions that are gone get one of the same name, which raises when a task calls it and says why",
    words=(b"airflow",),
    before="""
from airflow.api.common.experimental.trigger_dag import trigger_dag


def start():
    trigger_dag("sales", run_id="extra")
""",
    after='''
from airflow.sdk.exceptions import AirflowFailException


def trigger_dag(*args, **kwargs):
    """Stands in for airflow.api.common.experimental.trigger_dag.trigger_dag, which is gone: what calls it fails."""
    raise AirflowFailException(
        "airflow.api.common.experimental.trigger_dag.trigger_dag is gone in Airflow 3. Use "
        "TriggerDagRunOperator, or the REST API: POST /api/v2/dags/{dag_id}/dagRuns. "
        "airflow.api.common.trigger_dag has other arguments, and opens the database, which "
        "tasks may not."
    )


def start():
    trigger_dag("sales", run_id="extra")
''',
    find=_find,
    finding="trigger_dag stands in for",
    is_last=True,
)
