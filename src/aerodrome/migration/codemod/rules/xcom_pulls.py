"""xcom_pull with no key, of no task, of earlier runs and with a default: Airflow 3 refuses the first and means something else by the others.

Read: TaskInstance.xcom_pull and XCom.get_one of 1.10.15, `_xcom_pull` and XCom.get_many of 2.11.2; RuntimeTaskInstance.xcom_pull, GetXCom (its key
is a text), the routes of XComs and XComModel.get_many of 3.3.2. Without `map_indexes` 3.3.2 asks for the values of all runs and knows no default.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import partial

from aerodrome.migration.codemod.contract import Change, Options, Remaining, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, drop_item, has_open_end, keyword, replace
from aerodrome.migration.codemod.rules import dags, pulled_lists, xcoms
from aerodrome.migration.codemod.rules.pulled_tasks import RETURNED, is_expanding, is_unmapped, newest_key
from aerodrome.migration.codemod.rules.written_for import is_for_1, is_for_3
from aerodrome.migration.codemod.rules.xcoms import Verdict, argument
from aerodrome.migration.codemod.source import Source, read
from aerodrome.migration.codemod.templates import rewrite_text

_Ask = Callable[[Source, Source, ast.Call, Options], Verdict | None]
_METHOD = "xcom_pull"
_OWNERS = ("ti", "task_instance", "dag", "dag_run", "self")
_NAME_IT = "Name the key that the task pushes, or leave key out for what it returned."
_NAME_TASKS = "Name the tasks: xcom_pull(task_ids=…)."
_OTHER_WAY = "Take a Variable for what is handed from run to run, or ask the REST API: GET /api/v2/dags/{dag_id}/dagRuns/~/taskInstances/{task_id}/xcomEntries."
_ONE_VALUE = (
    "Where it is one task that is not mapped, say map_indexes=None: the newest value, and default where there is none."
)


def _any_key(source: Source, options: Options) -> Iterator[Change | Spot]:
    if not is_for_3(source, options):
        yield from xcoms.decided(source, _METHOD, partial(_asked, _keyed, source, options))


def _keyed(outer: Source, source: Source, call: ast.Call, options: Options) -> Verdict | None:
    """`outer` is the file; `source` holds the call: the file as well, or the text of a Jinja block."""
    tasks, key = argument(call, "task_ids"), argument(call, "key")
    if tasks is not None and xcoms.is_none(tasks):
        return None  # another finding, xcom-pull-all
    if tasks is not None and getattr(tasks, "value", None) == "":
        why = f"xcom_pull(task_ids={source.code(tasks)}) took the XComs of any task; Airflow 3 does not."
        return Verdict((), why, _NAME_TASKS)
    if key is None or not (xcoms.is_none(key) or getattr(key, "value", None) == "" or _is_unset(source, key)):
        return None
    known = None if has_open_end(call) or not _is_own(outer, call) else _newest(outer, tasks, options)
    item = keyword(call, "key")
    if known == RETURNED and item is not None and not _is_unset(source, key):
        return Verdict((drop_item(source, item),))
    if known is not None and not _is_unset(source, key):
        quote = '"' if "'" in source.code(call.func) + source.code(call) else "'"
        return Verdict((replace(source, key, f"{quote}{known}{quote}"),))
    why = "xcom_pull(key=None) gave the newest XCom of a task, whatever its key; Airflow 3 refuses it, and the task fails."
    return Verdict((), why, _NAME_IT)


def _is_unset(source: Source, key: ast.expr) -> bool:
    """Tell whether a key is an argument that is None unless it is given, and nothing else is done with it."""
    node: ast.AST = key
    while isinstance(key, ast.Name) and node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.FunctionDef):
            named = [*node.args.posonlyargs, *node.args.args]
            defaults = dict(zip([arg.arg for arg in named][::-1], node.args.defaults[::-1], strict=False))
            defaults |= {
                arg.arg: value for arg, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value
            }
            used = [item for item in ast.walk(node) if isinstance(item, ast.Name) and item.id == key.id]
            return xcoms.is_none(defaults.get(key.id)) and len(used) == 1
    return False


def _is_own(outer: Source, call: ast.Call) -> bool:
    """Tell whether a pull is of the DAG itself: no dag_id, its own by the context, or the only one that the file makes."""
    node = argument(call, "dag_id")
    if node is None or xcoms.is_none(node):
        return True
    if isinstance(node, ast.Attribute):
        key = getattr(node.value.slice, "value", "") if isinstance(node.value, ast.Subscript) else ""
        return node.attr == "dag_id" and (getattr(node.value, "id", "") in _OWNERS or key in _OWNERS)
    made = list(dags.calls(outer, dags.ANY))
    item = keyword(made[0], "dag_id") if made else None
    named = item.value if item else made[0].args[0] if made and made[0].args else None
    if len(made) != 1 or named is None:
        return False
    if isinstance(node, ast.Name) and isinstance(named, ast.Name) and node.id == named.id:
        return outer.is_free_below(node.id)
    values = [getattr(dags.constant(outer, part), "value", None) for part in (named, node)]
    return isinstance(values[0], str) and values[0] == values[1]


def _newest(outer: Source, tasks: ast.expr | None, options: Options) -> str | None:
    """Give the key under which the newest XCom of all these tasks stands."""
    if tasks is None:
        return None
    items = tasks.elts if isinstance(tasks, ast.List | ast.Tuple) else [tasks]
    names = [getattr(dags.constant(outer, item), "value", None) for item in items]
    is_only = items != [tasks] and not is_for_1(outer, options)
    keys = {newest_key(outer, name, options, is_only=is_only) if isinstance(name, str) else None for name in names}
    return keys.pop() if len(keys) == 1 else None


def _prior(source: Source, options: Options) -> Iterator[Change | Spot]:
    if not is_for_3(source, options):
        yield from xcoms.decided(source, _METHOD, partial(_asked, _dated, source, options))


def _dated(outer: Source, source: Source, call: ast.Call, options: Options) -> Verdict | None:
    prior, default = argument(call, "include_prior_dates"), argument(call, "default")
    prior = None if xcoms.is_none(prior) or xcoms.is_false(prior) else prior
    default = None if xcoms.is_none(default) else default
    tasks = argument(call, "task_ids")
    if prior is None and default is None:
        return None
    if prior is not None and not _is_own(outer, call):
        why = "xcom_pull(include_prior_dates=True) of another DAG finds nothing in Airflow 3, unless that DAG has a run of the very same run_id."
        return Verdict((), why, _OTHER_WAY)
    if keyword(call, "map_indexes") or has_open_end(call) or tasks is None or xcoms.is_none(tasks):
        return None  # without tasks: another finding
    known = dags.constant(outer, tasks)
    is_old = is_for_1(outer, options)
    if isinstance(known, ast.List | ast.Tuple | ast.Set):
        if prior is None or not is_old:
            return None  # 2.x gave the values of all runs as well, and no default
        return Verdict((add_keyword(source, call, "map_indexes", "None"),))
    if not _is_text(known) or not (is_old or _is_single(outer, known, options)):
        said = "include_prior_dates" if prior is not None else "default"
        why = f"xcom_pull({said}=…) of Airflow 3 gives the values of all runs, in no order, and knows no default, unless map_indexes is said."
        return Verdict((), why, _ONE_VALUE)
    edit = add_keyword(source, call, "map_indexes", "None")
    key = argument(call, "key")
    if default is None or key is None or getattr(key, "value", None) == RETURNED:
        return Verdict((edit,))
    why = "xcom_pull(default=…) of Airflow 3 gives the default also where None was pushed under the key."
    return Verdict((edit,), why, "Look at what is pushed under it; push something else for nothing.")


def _is_text(node: ast.expr) -> bool:
    """Tell whether task_ids is one name: a text, what is made of one, or what a task calls itself."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(node.value)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add | ast.Mod) and (_is_text(node.left) or _is_text(node.right))
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Attribute) and node.attr == "task_id")


def _is_single(outer: Source, node: ast.expr, options: Options) -> bool:
    if isinstance(node, ast.Constant):
        return is_unmapped(outer, str(node.value), options)
    return not is_expanding(outer, options)


def _asked(ask: _Ask, outer: Source, options: Options, source: Source, call: ast.Call) -> Verdict | None:
    return ask(outer, source, call, options)


def in_template(text: str, name: str, options: Options) -> tuple[str, dict[str, int], tuple[Remaining, ...]]:
    """Do the same for a file that tasks render: its text, how often each rule was applied, and what remains."""
    nothing = read(b"")
    if _METHOD not in text or nothing is None or options.source_version.startswith("3"):
        return text, {}, ()
    rules: dict[str, int] = {}
    found: list[Remaining] = []
    for rule, ask in ((ANY_KEY, _keyed), (PRIOR, _dated), (pulled_lists.RULE, pulled_lists.asked)):
        said: list[Verdict] = []
        decide = partial(_asked, ask, nothing, options)
        text, count = rewrite_text(text, xcoms.inside(_METHOD, decide, said))
        if count:
            rules[rule.code] = count
        line = text[: text.index(_METHOD)].count("\n") + 1
        found += [Remaining(rule.code, name, line, item.why, item.hint) for item in said if item.why]
    return text, rules, tuple(found)


ANY_KEY = Rule(
    code="xcom-any-key",
    title="xcom_pull without a key names the one that the file shows, else it is found",
    words=(b"xcom_pull",),
    before="""
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator


def measure(ti):
    ti.xcom_push(key="rows", value=3)


def read(ti):
    return ti.xcom_pull(key=None, task_ids="measure"), ti.xcom_pull(key=None, task_ids=NAME)


PythonOperator(task_id="measure", python_callable=measure)
BashOperator(task_id="list", bash_command="ls")
BashOperator(task_id="tell", bash_command="echo {{ ti.xcom_pull(key=None, task_ids='list') }}")
""",
    after="""
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator


def measure(ti):
    ti.xcom_push(key="rows", value=3)


def read(ti):
    return ti.xcom_pull(key='rows', task_ids="measure"), ti.xcom_pull(key=None, task_ids=NAME)


PythonOperator(task_id="measure", python_callable=measure)
BashOperator(task_id="list", bash_command="ls")
BashOperator(task_id="tell", bash_command="echo {{ ti.xcom_pull(task_ids='list') }}")
""",
    find=_any_key,
    finding="xcom_pull(key=None) gave the newest XCom",
)
PRIOR = Rule(
    code="xcom-prior-date",
    title="xcom_pull of earlier runs, or with a default, gives one value again",
    words=(b"xcom_pull",),
    before="""
def read(ti):
    return ti.xcom_pull(task_ids="load", key="rows", include_prior_dates=True)


command = "echo {{ ti.xcom_pull('load', include_prior_dates=True) or ti.xcom_pull('load', default=0) }}"


def ask(ti):
    return ti.xcom_pull(dag_id="sales", task_ids="load", include_prior_dates=True)
""",
    after="""
def read(ti):
    return ti.xcom_pull(task_ids="load", key="rows", include_prior_dates=True, map_indexes=None)


command = "echo {{ ti.xcom_pull('load', include_prior_dates=True, map_indexes=None) or ti.xcom_pull('load', default=0, map_indexes=None) }}"


def ask(ti):
    return ti.xcom_pull(dag_id="sales", task_ids="load", include_prior_dates=True)
""",
    find=_prior,
    finding="of another DAG finds nothing",
)
