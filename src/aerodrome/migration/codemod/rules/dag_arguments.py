"""Arguments of DAGs and tasks that Airflow 3 calls otherwise, or does not take."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, keyword, rename_keyword, replace
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.rules.shared_dictionaries import unmended
from aerodrome.migration.codemod.source import Source

_RENAMED = {
    "schedule_interval": "schedule",
    "timetable": "schedule",
    "concurrency": "max_active_tasks",
    "fail_stop": "fail_fast",
}
_DROPPED = ("default_view", "orientation", "full_filepath")
_NONE = frozenset({"default_args", "owner_links", "dag_display_name"})
"""Arguments that were None for nothing; DAG of Airflow 3.3.2 takes their types only, and leaving them out means the same."""
_TASK_RENAMED = {"task_concurrency": "max_active_tis_per_dag"}
_RULES = {"dummy": "always", "none_failed_or_skipped": "none_failed_min_one_success"}
_RULE_NAMES = {"DUMMY": "ALWAYS", "NONE_FAILED_OR_SKIPPED": "NONE_FAILED_MIN_ONE_SUCCESS"}
_TRIGGERS = frozenset({"airflow.utils.trigger_rule.TriggerRule", "airflow.sdk.TriggerRule"})
_BASH = "airflow.providers.standard.operators.bash.BashOperator"


def _quoted(source: Source, node: ast.AST, text: str) -> str:
    quote = source.code(node)[-1]
    return f"{quote}{text}{quote}"


_POSITIONS = ("dag_id", "description", "schedule", "start_date", "end_date")
"""Of DAG in 1.10 to 2.1; 2.2 put `timetable` fourth, which nobody passes so."""


def _positional(source: Source, call: ast.Call) -> Change | Spot | None:
    """Airflow 3 takes the dag_id alone by its position."""
    if len(call.args) < 2 or any(isinstance(arg, ast.Starred) for arg in call.args):
        return None
    names = _POSITIONS[1 : len(call.args)]
    if len(call.args) > len(_POSITIONS) or any(keyword(call, name) for name in names):
        return Spot(call.lineno, "Airflow 3 takes the dag_id alone by its position.", "Name the other arguments.")
    return Change(
        tuple(
            Edit(source.start(arg), source.start(arg), f"{name}=")
            for arg, name in zip(call.args[1:], names, strict=True)
        )
    )


def _dag_arguments(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for call in dags.calls(source, dags.ANY):
        named = _positional(source, call)
        if named and source.means(call.func, dags.CLASSES | {"airflow.sdk.DAG"}):
            yield named
        for item in call.keywords:
            old = [name for name in unmended(source, item.value, dags.ANY) if name in _RENAMED or name in _DROPPED]
            if item.arg is None and old:
                yield Spot(
                    item.value.lineno,
                    f"{source.code(item.value)} of another file gives the DAG `{'`, `'.join(old)}`, which Airflow 3 does not take by that name.",
                    f"Change it there, and what else asks for it: {', '.join(f'{name} is {_RENAMED[name]}' if name in _RENAMED else f'{name} is gone' for name in old)}.",
                )
    reached = [call for call, way in dags.dict_calls(source, dags.ANY) if way == "**"]
    for call in [*dags.calls(source, dags.ANY), *reached]:
        lost = _superseded({str(item.arg): item.value for item in call.keywords})
        if lost:
            yield _one_schedule(source, call, lost)
        for item in call.keywords:
            new = _RENAMED.get(item.arg or "")
            if lost and item.arg in dags.SCHEDULES:
                continue
            if new and keyword(call, new):  # 2.x took the new name; ruff would write it twice
                yield Change((drop_item(source, item),))
            elif new:
                yield Change((rename_keyword(source, item, new),))
            elif item.arg in _DROPPED or (item.arg in _NONE and _is_none(item.value)):
                yield Change((drop_item(source, item),))
    for mapping, way in dags.dictionaries(source, dags.ANY):
        if way == "**":
            pairs = list(zip(mapping.keys, mapping.values, strict=True))
            lost = _superseded({str(getattr(key, "value", "")): value for key, value in pairs})
            for key, value in pairs:
                name = key.value if isinstance(key, ast.Constant) else None
                new = _RENAMED.get(str(name))
                if key is not None and name in lost:
                    yield Change((drop_item(source, value, first=source.start(key)),))
                    continue
                if lost and new == "schedule":
                    continue  # the next round, when the others are gone
                is_idle = name in _DROPPED or (name in _NONE and _is_none(value))
                if key is not None and (is_idle or (new and dags.entry(mapping, new))):
                    yield Change((drop_item(source, value, first=source.start(key)),))
                elif key is not None and new:
                    yield Change((replace(source, key, _quoted(source, key, new)),))
        elif found := dags.entry(mapping, "schedule_interval"):
            # in default_args it never had an effect on the DAG: BaseOperator of 2.x took and ignored it
            yield Change((drop_item(source, found[1], first=source.start(found[0])),))


def _superseded(given: Mapping[str, ast.expr]) -> set[str]:
    """Give the arguments that lose where a DAG is told more than one schedule: 2.x took a timetable that is not None, else the schedule_interval, None or not."""
    told = {name: given[name] for name in dags.SCHEDULES if name in given}
    if len(told) <= 1:
        return set()
    timetable, schedule = told.get("timetable"), told.get("schedule")
    is_said = isinstance(schedule, ast.Constant) and bool(
        schedule.value
    )  # then the timetable was None, or 2.x refused the DAG
    if timetable is not None and not _is_none(timetable) and not is_said:
        return set(told) - {"timetable"}
    return set(told) - {"schedule_interval" if "schedule_interval" in told else "schedule"}


def _one_schedule(source: Source, call: ast.Call, lost: set[str]) -> Change:
    edits = [drop_item(source, item) for item in call.keywords if item.arg in lost]
    edits += [
        rename_keyword(source, item, "schedule")
        for item in call.keywords
        if item.arg in _RENAMED and item.arg in dags.SCHEDULES and item.arg not in lost
    ]
    return Change(tuple(edits))


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _is_operator(call: ast.Call) -> bool:
    return keyword(call, "task_id") is not None


def _task_arguments(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for call in source.each(ast.Call):
        if not _is_operator(call):
            continue
        for item in call.keywords:
            if new := _TASK_RENAMED.get(item.arg or ""):
                yield Change((drop_item(source, item) if keyword(call, new) else rename_keyword(source, item, new),))
            elif (
                item.arg == "xcom_push" and isinstance(item.value, ast.Constant) and isinstance(item.value.value, bool)
            ):
                yield Change((rename_keyword(source, item, "do_xcom_push"),))
    for mapping, _ in dags.dictionaries(source, dags.ANY):
        for old, new in _TASK_RENAMED.items():
            if found := dags.entry(mapping, old):
                yield Change((replace(source, found[0], _quoted(source, found[0], new)),))


def _own_parameters(source: Source, name: str) -> set[str]:
    """Give the functions and classes of the file that take an argument of this name themselves."""
    found = set()
    for node in source.each(ast.FunctionDef):
        if name in {arg.arg for arg in (*node.args.args, *node.args.kwonlyargs)}:
            parent = source.parents[node]
            found.add(parent.name if node.name == "__init__" and isinstance(parent, ast.ClassDef) else node.name)
    return found


def _provide_context(source: Source, _options: Options) -> Iterator[Change | Spot]:
    own = _own_parameters(source, "provide_context")
    for call in source.each(ast.Call):
        if getattr(call.func, "id", getattr(call.func, "attr", "")) in own:
            continue
        if item := keyword(call, "provide_context"):
            yield Change((drop_item(source, item),))
    for mapping in source.each(ast.Dict):
        if found := dags.entry(mapping, "provide_context"):
            yield Change((drop_item(source, found[1], first=source.start(found[0])),))


def _trigger_rules(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for call in source.each(ast.Call):
        if (
            (item := keyword(call, "trigger_rule"))
            and isinstance(item.value, ast.Constant)
            and item.value.value in _RULES
        ):
            yield Change((replace(source, item.value, _quoted(source, item.value, _RULES[str(item.value.value)])),))
    for mapping in source.each(ast.Dict):
        if (
            (found := dags.entry(mapping, "trigger_rule"))
            and isinstance(found[1], ast.Constant)
            and found[1].value in _RULES
        ):
            yield Change((replace(source, found[1], _quoted(source, found[1], _RULES[str(found[1].value)])),))
    for node in source.each(ast.Attribute):
        if node.attr in _RULE_NAMES and source.means(node.value, _TRIGGERS):
            end = source.end(node)
            yield Change((Edit(end - len(node.attr), end, _RULE_NAMES[node.attr]),))


DAG_ARGUMENTS = Rule(
    code="dag-argument",
    title="Arguments of a DAG get their new names; those without effect on Airflow 3 are dropped",
    words=(
        b"schedule_interval",
        b"timetable",
        b"concurrency",
        b"fail_stop",
        b"default_view",
        b"orientation",
        b"full_filepath",
        b"DAG",
    ),
    before="""
from airflow import DAG

dag = DAG("sales", "what is sold", schedule_interval=None, default_view="graph", concurrency=4, default_args=None, tags=["a"])
""",
    after="""
from airflow import DAG

dag = DAG("sales", description="what is sold", schedule=None, max_active_tasks=4, tags=["a"])
""",
    find=_dag_arguments,
)
TASK_ARGUMENTS = Rule(
    code="task-argument",
    title="Arguments of tasks get their new names",
    words=(b"task_concurrency", b"xcom_push"),
    before="""
run = BashOperator(task_id="run", bash_command="date", task_concurrency=1, xcom_push=True)
""",
    after="""
run = BashOperator(task_id="run", bash_command="date", max_active_tis_per_dag=1, do_xcom_push=True)
""",
    find=_task_arguments,
    is_for_2=True,
)
PROVIDE_CONTEXT = Rule(
    code="provide-context",
    title="provide_context is dropped: the context is always given",
    words=(b"provide_context",),
    before="""
task = PythonOperator(
    task_id="load",
    python_callable=load,
    provide_context=True,
)
""",
    after="""
task = PythonOperator(
    task_id="load",
    python_callable=load,
)
""",
    find=_provide_context,
)
TRIGGER_RULES = Rule(
    code="trigger-rule",
    title="The trigger rules dummy and none_failed_or_skipped get their new names",
    words=(b"dummy", b"DUMMY", b"none_failed_or_skipped", b"NONE_FAILED_OR_SKIPPED"),
    before="""
join = EmptyOperator(task_id="join", trigger_rule="none_failed_or_skipped")
""",
    after="""
join = EmptyOperator(task_id="join", trigger_rule="none_failed_min_one_success")
""",
    find=_trigger_rules,
)
