"""Names that left the task context, replaced where an exact equal exists: in Jinja templates and in Python."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from aerodrome.airflowkit.code import HINTS_IN_PYTHON, RENAMED_IN_PYTHON, RENAMED_IN_TEMPLATES, dated_functions
from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import replace
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.rules.callables import handed
from aerodrome.migration.codemod.rules.callers import elsewhere
from aerodrome.migration.codemod.rules.given import given_by_all, given_to
from aerodrome.migration.codemod.rules.tasks import CONTEXTS, is_called, is_passed, may_be_context, may_be_value
from aerodrome.migration.codemod.rules.written_for import is_for_1
from aerodrome.migration.codemod.source import Source
from aerodrome.migration.codemod.templates import rewrite_source

_PYTHON = {**RENAMED_IN_PYTHON, "triggering_dataset_events": "triggering_asset_events"}
_TEMPLATES = {**RENAMED_IN_TEMPLATES, "triggering_dataset_events": "triggering_asset_events"}
_TASKS = frozenset({"airflow.decorators.task", "airflow.sdk.task"})
DAYS = ("END_DATE", "end_date", "latest_date")
"""Three more names of `ds` in 1.10.15 (TaskInstance.get_template_context)."""
_NAME = re.compile(rf"(?<![\w.'\"])({'|'.join(sorted(_TEMPLATES, key=len, reverse=True))})\b(?!\s*=[^=])")
_ATTRIBUTES = (
    (re.compile(r"\bdag_run\.execution_date\b"), "dag_run.logical_date"),
    (re.compile(r"\b(?:ti|task_instance)\.execution_date\b"), "logical_date"),
)


def rewrite_inside(text: str, quote: str) -> tuple[str, int]:
    """Replace removed names within a Jinja block."""
    count = 0
    for pattern, new in _ATTRIBUTES:
        text, done = pattern.subn(new, text)
        count += done

    def name(found: re.Match[str]) -> str:
        new = _TEMPLATES[found[1]].format(q=quote)
        is_alone = text.strip() == found[1]
        return new if is_alone or "|" not in new else f"({new})"

    inside, done = _NAME.subn(name, text)
    return inside, count + done


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    equals = {**_PYTHON, **dict.fromkeys(DAYS, "ds")} if is_for_1(source, options) else _PYTHON
    yield from rewrite_source(source, rewrite_inside)
    yield from _keys(source, equals)
    yield from _attributes(source)
    yield from _parameters(source, equals)


def _keys(source: Source, equals: Mapping[str, str]) -> Iterator[Change | Spot]:
    for node in source.each(ast.Subscript):
        if isinstance(node.ctx, ast.Load):
            yield from _key(source, node.value, node.slice, equals)
    for call in source.each(ast.Call):
        func = call.func
        if isinstance(func, ast.Attribute) and func.attr in ("get", "pop") and call.args:
            yield from _key(source, func.value, call.args[0], equals)
    if any(
        isinstance(node.slice, ast.Name) and may_be_context(source, node.value) for node in source.each(ast.Subscript)
    ):
        yield from _keys_as_values(source)


def _key(source: Source, owner: ast.expr, node: ast.expr, equals: Mapping[str, str]) -> Iterator[Change | Spot]:
    """A key that is asked for: renamed, or found where only its context's name hides it from those who look for names."""
    key = str(getattr(node, "value", ""))
    if key not in HINTS_IN_PYTHON and key not in equals:
        return
    if not may_be_context(source, owner, key):
        return
    if edit := _renamed(source, node, equals):
        yield Change((edit,))
    elif key in HINTS_IN_PYTHON and getattr(owner, "id", "") not in CONTEXTS and not is_filled(source, node, key):
        yield Spot(node.lineno, f"`{key}` is no longer in the task context.", HINTS_IN_PYTHON[key])


def is_filled(source: Source, node: ast.AST, key: str) -> bool:
    """Tell whether op_kwargs give a function's context a value of this name: those of its own task, or of any where the task is not known."""
    around = node
    while around in source.parents and not isinstance(around, ast.FunctionDef):
        around = source.parents[around]
    if isinstance(around, ast.FunctionDef) and (around.name in handed(source).tasks or _is_task(source, around)):
        given = given_to(source, around.name)
        if given is not None:
            return key in given
    mappings = [item.value for call in source.each(ast.Call) for item in call.keywords if item.arg == "op_kwargs"]
    return any(
        getattr(name, "value", "") == key for item in mappings if isinstance(item, ast.Dict) for name in item.keys
    )


def filled_names(source: Source) -> set[tuple[int, str]]:
    """Give line and name of what looks as if read from Airflow's context: a key of another mapping, what op_kwargs or a caller fill."""
    found = set()
    asked = [(node.value, node.slice) for node in source.each(ast.Subscript)]
    asked += [
        (call.func.value, call.args[0])
        for call in source.each(ast.Call)
        if isinstance(call.func, ast.Attribute) and call.args
    ]
    for owner, key in asked:
        name = str(getattr(key, "value", ""))
        if name in HINTS_IN_PYTHON and (
            _is_always_filled(source, key, name) or not may_be_context(source, owner, name)
        ):
            found |= {(owner.lineno, name), (key.lineno, name)}
    dated, macros = _dated_elsewhere(source), _macros(source)
    for function in source.each(ast.FunctionDef):
        if function.name in dated and function.args.args and function.name not in handed(source).tasks:
            first = function.args.args[0]
            found.add((first.lineno, first.arg))
        wanted = [arg for arg in (*function.args.args, *function.args.kwonlyargs) if arg.arg in HINTS_IN_PYTHON]
        given = given_by_all(source, function.name) if wanted else set()
        is_macro = function.name in macros and function.name not in handed(source).tasks
        is_own = is_macro or _is_of_file(source, function)
        found |= {(arg.lineno, arg.arg) for arg in wanted if arg.arg in given or is_own}
    return found


def _dated_elsewhere(source: Source) -> frozenset[str]:
    """Give the names of functions that other files of the project hand to sensors as execution_date_fn, and none to tasks."""
    project = source.project
    if project is None:
        return frozenset()

    def look() -> frozenset[str]:
        files = (project.source(file) for file in project.mentioning(b"execution_date_fn"))
        dated = {name for file in files if file for name in dated_functions(file.each(ast.keyword))}
        others = (project.source(file) for file in project.mentioning(b"python_callable")) if dated else ()
        return frozenset(dated.difference(*(handed(file).tasks for file in others if file)))

    found: frozenset[str] = project.once("execution_date_fn", look)
    return found


def _macros(source: Source) -> frozenset[str]:
    """Give the names of functions that templates of the project call, with what they write there: macros and filters of DAGs and plugins."""
    project = source.project
    if project is None:
        return _macros_of(source)

    def look() -> frozenset[str]:
        files = {*project.mentioning(b"user_defined_"), *project.mentioning(b"macros")}
        return frozenset().union(*(_macros_of(found) for file in files if (found := project.source(file))))

    found: frozenset[str] = project.once("macros", look)
    return found


def _macros_of(source: Source) -> frozenset[str]:
    values: list[ast.expr] = []
    for call in source.each(ast.Call):
        for item in call.keywords:
            if item.arg in ("user_defined_macros", "user_defined_filters"):
                mapping = dags.constant(source, item.value)
                values += mapping.values if isinstance(mapping, ast.Dict) else []
    for node in source.each(ast.ClassDef):
        for part in node.body:
            is_list = isinstance(part, ast.Assign) and isinstance(part.value, ast.List)
            if is_list and getattr(part.targets[0], "id", "") == "macros":  # type: ignore[attr-defined]
                values += part.value.elts  # type: ignore[attr-defined]
    return frozenset(
        source.code(value).rpartition(".")[2] for value in values if isinstance(value, ast.Name | ast.Attribute)
    )


def _is_of_file(source: Source, function: ast.FunctionDef) -> bool:
    """Tell whether only calls of the file fill a function's parameters."""
    is_seen = elsewhere(source, function.name) == () and function.name in handed(source).calls
    return is_seen and not is_called(source, function) and function.name not in handed(source).tasks


def _is_always_filled(source: Source, node: ast.AST, key: str) -> bool:
    around = node
    while around in source.parents and not isinstance(around, ast.FunctionDef):
        around = source.parents[around]
    return isinstance(around, ast.FunctionDef) and key in given_by_all(source, around.name)


def _keys_as_values(source: Source) -> Iterator[Change | Spot]:
    """Find names of the context that tasks are given, where a function of the file looks into its context by a variable."""
    for call in source.each(ast.Call):
        for item in call.keywords:
            if item.arg not in ("op_args", "op_kwargs"):
                continue
            for node in ast.walk(item.value):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in HINTS_IN_PYTHON:
                    yield Spot(
                        node.lineno,
                        f"`{node.value}` is no longer in the task context, and a function of this file looks there by the name it is given.",
                        HINTS_IN_PYTHON[node.value],
                    )


def _renamed(source: Source, node: ast.expr, equals: Mapping[str, str]) -> Edit | None:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node.value not in equals:
        return None
    if is_filled(source, node, node.value):
        return None
    quote = source.code(node)[-1]
    return replace(source, node, f"{quote}{equals[node.value]}{quote}")


def _attributes(source: Source) -> Iterator[Change | Spot]:
    for node in source.each(ast.Attribute):
        if node.attr != "execution_date" or not isinstance(node.ctx, ast.Load):
            continue
        end = source.end(node)
        if may_be_value(source, node.value, "dag_run"):
            yield Change((Edit(end - len(node.attr), end, "logical_date"),))
        elif (name := _task_instance(source, node.value)) is not None:
            yield Change((replace(source, node, name),))


def _task_instance(source: Source, node: ast.expr) -> str | None:
    """A task instance of Airflow 3 has no date of its own; the context it comes from has."""
    is_key = isinstance(node, ast.Subscript) and getattr(node.slice, "value", None) in ("ti", "task_instance")
    if is_key and isinstance(node.value, ast.Name) and may_be_context(source, node.value, "ti"):  # type: ignore[attr-defined]
        quote = source.code(node.slice)[-1]  # type: ignore[attr-defined]
        return f"{node.value.id}[{quote}logical_date{quote}]"  # type: ignore[attr-defined]
    return None


def _parameters(source: Source, equals: Mapping[str, str]) -> Iterator[Change | Spot]:
    """`def load(execution_date, **kwargs)`, called by a PythonOperator: the parameter gets its new name, and its uses."""
    for function in source.each(ast.FunctionDef):
        if not _is_task(source, function) and not is_passed(source, function.name):
            continue
        given = given_to(source, function.name)
        if given is None:
            continue
        arguments = [*function.args.args, *function.args.kwonlyargs]
        taken = {arg.arg for arg in arguments}
        names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
        for arg in arguments:
            new = equals.get(arg.arg)
            if new is None or arg.arg in given or new in taken or any(node.id == new for node in names):
                continue
            at = source.start(arg)
            edits = [Edit(at, at + len(arg.arg), new)]
            edits += [replace(source, node, new) for node in names if node.id == arg.arg]
            yield Change(tuple(edits))


def _is_task(source: Source, function: ast.FunctionDef) -> bool:
    for item in function.decorator_list:
        target = item.func if isinstance(item, ast.Call) else item
        if isinstance(target, ast.Attribute) and not source.means(target, _TASKS):
            target = target.value  # `task.virtualenv`
        if source.means(target, _TASKS):
            return True
    return False


RULE = Rule(
    code="context-key",
    title="Names that left the task context are replaced by their equals",
    words=(b"_date", b"END_DATE", b"_ds", b"triggering_dataset_events"),
    before="""
command = "load {{ execution_date }} {{ next_ds }} {{ macros.ds_add(yesterday_ds, 1) }}"


def load(**context):
    return context["execution_date"], context["dag_run"].execution_date, context["ti"].execution_date
""",
    after="""
command = "load {{ logical_date }} {{ data_interval_end | ds }} {{ macros.ds_add(macros.ds_add(ds, -1), 1) }}"


def load(**context):
    return context["logical_date"], context["dag_run"].logical_date, context["logical_date"]
""",
    find=_find,
)
