"""Access to the metadata database from tasks, which Airflow 3 refuses: the Task SDK's own way where it means the same, else a finding.

Rewritten is only what stands in a function that Airflow calls with the context, and only where a missing row fails in both ways.
A variable or connection is then looked for in the secrets backends first, as everywhere else in Airflow.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword, replace
from aerodrome.migration.codemod.rules.database_functions import opening
from aerodrome.migration.codemod.rules.database_models import WAYS, model_of
from aerodrome.migration.codemod.rules.tasks import context_value, task_instance
from aerodrome.migration.codemod.source import Source

_FINDERS = ("find", "find_duplicate", "get_one", "get_many", "get_dagmodel", "get_current", "get_pool", "get_pools", "get_latest_runs", "active_runs_of_dags", "get_run", "clear")  # fmt: skip
_SESSIONS = frozenset(
    {"airflow.settings.Session", "airflow.utils.session.create_session", "airflow.utils.db.create_session", "airflow.settings.engine", "airflow.settings.engine.connect"}
)  # fmt: skip
_PROVIDERS = frozenset({"airflow.utils.session.provide_session", "airflow.utils.db.provide_session"})
_FIELDS = frozenset(
    {"conn_id", "conn_type", "host", "login", "password", "schema", "port", "extra", "extra_dejson", "get_uri"}
)
_KEYS = {"Variable": "key", "Connection": "conn_id"}
_FILTERS = {"dag_id", "state", "run_id", "execution_date", "logical_date", "session"}


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    fixed: set[ast.AST] = set()
    for call in source.each(ast.Call):
        change = _runs(source, call) or _row(source, call) or _state(source, call)
        if change:
            fixed |= set(ast.walk(call))
            yield change
    yield from _sessions(source)
    seen: set[int] = set()
    for node in source.each(ast.Call):
        if node in fixed:
            continue
        found = _access(source, node)
        if found and node.lineno not in seen:
            seen.add(node.lineno)
            yield found


def _is_find(source: Source, node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "find"
        and model_of(source, node.func.value) == "DagRun"
    )


def _runs(source: Source, call: ast.Call) -> Change | None:
    """`len(DagRun.find(…))` counts, `DagRun.find(…)[0].state` asks for one state."""
    if not _is_find(source, call) or call.args:
        return None
    given = {str(item.arg): item.value for item in call.keywords}
    owner = task_instance(source, call)
    if owner is None or set(given) - _FILTERS or not _is_text(given.get("dag_id")):
        return None
    dag_id = source.code(given["dag_id"])
    parent = source.parents[call]
    if isinstance(parent, ast.Call) and parent.args == [call] and getattr(parent.func, "id", "") == "len":
        more = _lists(source, given)
        if more is None:
            return None
        return Change((replace(source, parent, f"{owner}.get_dr_count({', '.join([f'dag_id={dag_id}', *more])})"),))
    outer = source.parents[parent]
    is_first = isinstance(parent, ast.Subscript) and getattr(parent.slice, "value", None) == 0
    is_state = isinstance(outer, ast.Attribute) and outer.attr == "state" and isinstance(outer.ctx, ast.Load)
    if is_first and is_state and set(given) <= {"dag_id", "run_id", "session"} and _is_text(given.get("run_id")):
        text = f"{owner}.get_dagrun_state(dag_id={dag_id}, run_id={source.code(given['run_id'])})"
        return Change((replace(source, outer, text),))
    return None


def _lists(source: Source, given: dict[str, ast.expr]) -> list[str] | None:
    """Write what narrows the runs as lists, None when it cannot be seen that a value is one and no list."""
    found: list[str] = []
    for name, new in (
        ("state", "states"),
        ("run_id", "run_ids"),
        ("execution_date", "logical_dates"),
        ("logical_date", "logical_dates"),
    ):
        if (value := given.get(name)) is None:
            continue
        is_member = any(".State." in item or ".DagRunState." in item for item in source.meanings(value))
        is_date = new == "logical_dates" and context_value(source, value) in ("execution_date", "logical_date")
        if not (is_date or is_member or (new != "logical_dates" and _is_text(value))):
            return None
        found.append(f"{new}=[{source.code(value)}{'.value' if is_member else ''}]")
    return found


def _is_text(node: ast.expr | None) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Attribute) and node.attr in ("dag_id", "run_id"))


def _row(source: Source, call: ast.Call) -> Change | None:
    """`session.query(Variable).filter(Variable.key == key).first().val`, and the same of a connection."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("first", "one") or call.args:
        return None
    narrowed = call.func.value
    query = narrowed.func.value if isinstance(narrowed, ast.Call) and isinstance(narrowed.func, ast.Attribute) else None
    if not isinstance(query, ast.Call) or getattr(query.func, "attr", "") != "query" or len(query.args) != 1:
        return None
    model = model_of(source, query.args[0])
    key = _key(source, narrowed, model) if model in _KEYS and isinstance(narrowed, ast.Call) else None
    parent = source.parents[call]
    if key is None or not isinstance(parent, ast.Attribute) or not isinstance(parent.ctx, ast.Load):
        return None
    if model == "Variable":
        outer: ast.AST = parent
        if parent.attr == "get_val" and isinstance(source.parents[parent], ast.Call):
            outer = source.parents[parent]
        elif parent.attr != "val":
            return None
        return Change((replace(source, outer, f"{source.code(query.args[0])}.get({key})"),))
    if parent.attr not in _FIELDS or not source.is_free("BaseHook", "airflow.sdk.BaseHook"):
        return None
    return Change((replace(source, call, f"BaseHook.get_connection({key})"),), (("airflow.sdk", "BaseHook"),))


def _key(source: Source, narrowed: ast.Call, model: str) -> str | None:
    field = _KEYS[model]
    name = getattr(narrowed.func, "attr", "")
    if name == "filter_by" and not narrowed.args and len(narrowed.keywords) == 1 and narrowed.keywords[0].arg == field:
        return source.code(narrowed.keywords[0].value)
    if name != "filter" or len(narrowed.args) != 1 or narrowed.keywords:
        return None
    test = narrowed.args[0]
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq):
        return None
    is_field = (
        isinstance(test.left, ast.Attribute) and test.left.attr == field and model_of(source, test.left.value) == model
    )
    return source.code(test.comparators[0]) if is_field else None


def _state(source: Source, call: ast.Call) -> Change | None:
    """`dag_run.get_task_instance("load").state`."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "get_task_instance":
        return None
    item = keyword(call, "task_id")
    task_id = item.value if item and not call.args and len(call.keywords) == 1 else None
    if len(call.args) == 1 and not call.keywords:
        task_id = call.args[0]
    owner = task_instance(source, call)
    if owner is None or context_value(source, call.func.value) != "dag_run" or not isinstance(task_id, ast.Constant):
        return None
    outer: ast.AST = source.parents[call]
    if (
        isinstance(outer, ast.Attribute)
        and outer.attr == "current_state"
        and isinstance(source.parents[outer], ast.Call)
    ):
        outer = source.parents[outer]
    elif not (isinstance(outer, ast.Attribute) and outer.attr == "state" and isinstance(outer.ctx, ast.Load)):
        return None
    code, run = source.code(task_id), f"{owner}.run_id"
    text = f"{owner}.get_task_states(dag_id={owner}.dag_id, task_ids=[{code}], run_ids=[{run}])[{run}][{code}]"
    return Change((replace(source, outer, text),))


def _sessions(source: Source) -> Iterator[Change | Spot]:
    """A function that asks for a session and never uses it needs none."""
    for function in source.each(ast.FunctionDef):
        for decorator in function.decorator_list:
            if not source.means(decorator, _PROVIDERS):
                continue
            body = [node for item in function.body for node in ast.walk(item)]
            if any(isinstance(node, ast.Name) and node.id == "session" for node in body):
                yield Spot(
                    decorator.lineno,
                    f"`{function.name}` opens the metadata database, which tasks of Airflow 3 may not reach.",
                    _way(source, body),
                )
                continue
            if _is_optional(function, "session"):
                start = source.line_start(decorator.lineno)
                yield Change((Edit(start, source.line_end(decorator.end_lineno or decorator.lineno), ""),))


def _is_optional(function: ast.FunctionDef, name: str) -> bool:
    """Tell whether a function can be called without an argument."""
    args = function.args
    needed = [arg.arg for arg in args.args[: len(args.args) - len(args.defaults)]]
    needed += [arg.arg for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True) if default is None]
    return name not in needed


def _access(source: Source, call: ast.Call) -> Spot | None:
    func = call.func
    if source.means(func, _SESSIONS):
        name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        body = list(ast.walk(_around(source, call)))
        return Spot(
            call.lineno,
            f"`{name}` opens the metadata database, which tasks of Airflow 3 may not reach.",
            _way(source, body),
        )
    if found := opening(source, call):
        return found
    if isinstance(func, ast.Attribute) and func.attr in _FINDERS and (model := model_of(source, func.value)) in WAYS:
        if model == "XCom" and func.attr == "get_one":
            return None  # of the Task SDK, too
        return Spot(
            call.lineno,
            f"`{model}.{func.attr}` reads the metadata database, which tasks of Airflow 3 may not reach.",
            WAYS[model],
        )
    return None


def _around(source: Source, node: ast.AST) -> ast.AST:
    while node in source.parents and not isinstance(node, ast.FunctionDef):
        node = source.parents[node]
    return node


def _way(source: Source, nodes: list[ast.AST]) -> str:
    """Say what to do by the models that stand there."""
    models = {model_of(source, node) for node in nodes if isinstance(node, ast.Name | ast.Attribute)}
    ways = [WAYS[model] for model in sorted(models) if model in WAYS]
    return " ".join(ways) or "Use the REST API, or the task context, instead of the ORM."


RULE = Rule(
    code="orm-access",
    title="Reads of the metadata database become those of the Task SDK where they mean the same; the others are found, with what takes their place",
    words=(
        b"session",
        b"Session",
        b"DagRun",
        b"XCom",
        b"Pool",
        b"DagModel",
        b"get_task_instance",
        b"airflow.api",
        b"DagBag",
    ),
    before="""
from airflow.models import DagRun, Variable
from airflow.operators.python import PythonOperator
from airflow.utils.session import create_session, provide_session


@provide_session
def rate(session=None):
    return session.query(Variable).filter(Variable.key == "rate").one().val


def busy(**context):
    state = context["dag_run"].get_task_instance("load").state
    return state, len(DagRun.find(dag_id="sales", state="running"))


def forget():
    with create_session() as session:
        session.query(DagRun).delete()


ask = PythonOperator(task_id="ask", python_callable=busy)
""",
    after="""
from airflow.models import DagRun, Variable
from airflow.operators.python import PythonOperator
from airflow.utils.session import create_session, provide_session


def rate(session=None):
    return Variable.get("rate")


def busy(**context):
    state = context["ti"].get_task_states(dag_id=context["ti"].dag_id, task_ids=["load"], run_ids=[context["ti"].run_id])[context["ti"].run_id]["load"]
    return state, context["ti"].get_dr_count(dag_id="sales", states=["running"])


def forget():
    with create_session() as session:
        session.query(DagRun).delete()


ask = PythonOperator(task_id="ask", python_callable=busy)
""",
    find=_find,
    finding="`create_session` opens the metadata database",
)
