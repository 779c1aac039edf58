"""Days that left the task context and that a function has as parameters: `def load(next_ds)`. Its tasks give them by op_kwargs, which are templates.

Airflow 3 gives nothing to such a parameter: without a default the task fails, with one it silently has the default. Functions in a virtualenv can have it in no
other way: they do not get the interval that the day is made from (2.11.2 gave them next_ds, 3.3.2 does not: BASE_SERIALIZABLE_CONTEXT_KEYS).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, has_open_end, keyword
from aerodrome.migration.codemod.rules.callables import handed
from aerodrome.migration.codemod.rules.callers import elsewhere
from aerodrome.migration.codemod.source import Source

_DAYS = {
    "next_ds": "{{ data_interval_end | ds }}",
    "next_ds_nodash": "{{ data_interval_end | ds_nodash }}",
    "tomorrow_ds": "{{ macros.ds_add(ds, 1) }}",
    "tomorrow_ds_nodash": "{{ macros.ds_add(ds, 1) | replace('-', '') }}",
    "yesterday_ds": "{{ macros.ds_add(ds, -1) }}",
    "yesterday_ds_nodash": "{{ macros.ds_add(ds, -1) | replace('-', '') }}",
}
_OWNERS = frozenset({"airflow.decorators.task", "airflow.sdk.task"})
_NATIVE = b"render_template_as_native_obj"
_BARE = frozenset({"docker", "kubernetes"})
"""Decorators whose functions never got the context."""


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for function in source.each(ast.FunctionDef):
        wanted = [arg.arg for arg in (*function.args.args, *function.args.kwonlyargs) if arg.arg in _DAYS]
        if not wanted or isinstance(source.parents[function], ast.ClassDef):
            continue
        if _NATIVE in source.text:  # 20240301 would be a number
            wanted = [name for name in wanted if not name.endswith("nodash")]
        if wanted and (edits := _given(source, function, wanted)):
            yield Change(tuple(edits))


def _given(source: Source, function: ast.FunctionDef, wanted: list[str]) -> list[Edit]:
    calls = handed(source).calls.get(function.name, [])
    if function.decorator_list:
        ways = [_way(source, item) for item in function.decorator_list]
        is_task = len(ways) == 1 and ways[0] is not None and ways[0] not in _BARE
        names = [node for node in source.each(ast.Name) if node.id == function.name]
        if not is_task or len(names) != len(calls) or any(call.args or has_open_end(call) for call in calls):
            return []
        return [_words(source, call, wanted) for call in calls if not any(keyword(call, name) for name in wanted)]
    tasks = handed(source).tasks.get(function.name, [])
    if not tasks or calls or elsewhere(source, function.name) != ():
        return []
    edits: list[Edit] = []
    for call in tasks:
        if not source.meanings(call.func) or has_open_end(call) or keyword(call, "op_args"):
            return []
        item = keyword(call, "op_kwargs")
        if item is None:
            edits.append(add_keyword(source, call, "op_kwargs", f"{{{_pairs(wanted)}}}"))
        elif isinstance(item.value, ast.Dict) and all(isinstance(key, ast.Constant) for key in item.value.keys):
            said = {getattr(key, "value", "") for key in item.value.keys}
            missing = [name for name in wanted if name not in said]
            if missing:
                at = source.start(item.value) + 1
                edits.append(Edit(at, at, _pairs(missing) + (", " if said else "")))
        else:
            return []
    return edits


def _words(source: Source, call: ast.Call, wanted: list[str]) -> Edit:
    edits = [add_keyword(source, call, name, f'"{_DAYS[name]}"') for name in wanted]
    text = "".join(edit.text for edit in edits) if call.keywords else ", ".join(edit.text for edit in edits)
    return Edit(edits[0].start, edits[0].end, text)


def _pairs(names: list[str]) -> str:
    return ", ".join(f'"{name}": "{_DAYS[name]}"' for name in names)


def _way(source: Source, decorator: ast.expr) -> str | None:
    """Give the word behind `task.` of a decorator, "" for `task` itself, None when it is another decorator."""
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    if source.means(target, _OWNERS):
        return ""
    if isinstance(target, ast.Attribute) and source.means(target.value, _OWNERS):
        return target.attr
    return None


RULE = Rule(
    code="context-parameter",
    title="Days that left the task context and that functions have as parameters are given to them by their tasks",
    words=tuple(name.encode() for name in ("next_ds", "tomorrow_ds", "yesterday_ds")),
    before="""
from airflow.operators.python import PythonVirtualenvOperator


def load(ds, next_ds):
    print(ds, next_ds)


task = PythonVirtualenvOperator(task_id="load", python_callable=load, requirements=["pandas"])
""",
    after="""
from airflow.operators.python import PythonVirtualenvOperator


def load(ds, next_ds):
    print(ds, next_ds)


task = PythonVirtualenvOperator(task_id="load", python_callable=load, requirements=["pandas"], op_kwargs={"next_ds": "{{ data_interval_end | ds }}"})
""",
    find=_find,
)
