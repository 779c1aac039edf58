"""Reads DAG code by its syntax tree and names what matters when Airflow changes its major version.

Complements ruff's rules (airflowkit.lint): what they do not see. Pure; never imports what it reads, never gives its text.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

REMOVED_CONTEXT = {
    "execution_date": "Use logical_date.",
    "next_ds": "Use data_interval_end | ds.",
    "next_ds_nodash": "Use data_interval_end | ds_nodash.",
    "next_execution_date": "Use data_interval_end.",
    "prev_ds": "There is no equal; prev_data_interval_start_success comes near.",
    "prev_ds_nodash": "There is no equal; prev_data_interval_start_success comes near.",
    "prev_execution_date": "There is no equal; prev_data_interval_start_success comes near.",
    "prev_execution_date_success": "Use prev_data_interval_start_success.",
    "tomorrow_ds": "Use macros.ds_add(ds, 1).",
    "tomorrow_ds_nodash": "Use macros.ds_add(ds, 1).",
    "yesterday_ds": "Use macros.ds_add(ds, -1).",
    "yesterday_ds_nodash": "Use macros.ds_add(ds, -1).",
    "conf": "Use airflow.configuration.conf in code; the context key conf is gone.",
}
"""Template variables that Airflow 3 removed (task-sdk context, 3.3.2)."""

HINTS_IN_PYTHON = {
    **REMOVED_CONTEXT,
    "next_ds": 'Use data_interval_end.strftime("%Y-%m-%d").',
    "next_ds_nodash": 'Use data_interval_end.strftime("%Y%m%d").',
    "tomorrow_ds_nodash": 'Use macros.ds_add(ds, 1).replace("-", "").',
    "yesterday_ds_nodash": 'Use macros.ds_add(ds, -1).replace("-", "").',
}
"""The same, as code says it that is no template."""

RENAMED_IN_PYTHON = {
    "execution_date": "logical_date",
    "next_execution_date": "data_interval_end",
    "prev_execution_date_success": "prev_data_interval_start_success",
}
"""Keys of the context that have an exact equal."""

RENAMED_IN_TEMPLATES = {
    **RENAMED_IN_PYTHON,
    "next_ds": "data_interval_end | ds",
    "next_ds_nodash": "data_interval_end | ds_nodash",
    "yesterday_ds": "macros.ds_add(ds, -1)",
    "tomorrow_ds": "macros.ds_add(ds, 1)",
    "yesterday_ds_nodash": "macros.ds_add(ds, -1) | replace({q}-{q}, {q}{q})",
    "tomorrow_ds_nodash": "macros.ds_add(ds, 1) | replace({q}-{q}, {q}{q})",
}
"""Names in Jinja and their equals, for runs of a data-interval timetable: every cron and timedelta schedule of 2.x.

`{q}` is a quote that the surrounding string does not use.
"""

_SESSION_NAMES = {"create_session", "provide_session", "NEW_SESSION"}
_BASE_CLASSES = {
    "BaseOperator": "operator",
    "BaseSensorOperator": "sensor",
    "BaseHook": "hook",
    "BaseTrigger": "trigger",
}
_SECRET_NAME = re.compile(r"(?i)(passwo?r?d|passwd|secret|api_?key|token|private_?key|credential)")
_NOT_SECRET_NAME = re.compile(r"(?i)(_id|_name|_path|_file|_url|_key_name|_conn|_env|_var|_field|_type|_header)$")
_NOT_SECRET_VALUE = re.compile(
    r"^$|\{\{|^\$|^<|^[A-Z_]+$|^(none|null|true|false|changeme|xxx+|\*+)$|^(token|password|secret)$", re.IGNORECASE
)
_URI_PASSWORD = re.compile(r"[a-z][\w+.-]*://[^\s:/@]*:([^\s@/{}]+)@")
_JINJA = re.compile(r"\{[{%](.*?)[%}]\}", re.DOTALL)
_OLD_CLI = re.compile(
    r"\bairflow\s+(?:(?:trigger_dag|initdb|upgradedb|resetdb|webserver|dags\s+backfill|db\s+init|db\s+upgrade|tasks\s+run"
    r"|list_dags|list_tasks|list_dag_runs|dag_state|task_state|task_failed_deps|delete_dag|show_dag|next_execution"
    r"|create_user|delete_user|list_users|kerberos_renewer)\b|(?:variables|connections|pool)\s+-{1,2}\w)"
)
_OLD_API = re.compile(
    r"(?i)/api/experimental/|/api/v1/(?:dags|pools|variables|eventLogs|importErrors|dagSources|dagWarnings|dagStats|datasets)\b"
    r"|(?:airflow|webserver|:8080\b)[^\s'\"?]*/api/v1/"
    r"|(?:^|[\s'\"}]|\$\w+)/api/v1/(?:$|[\s'\"{]|(?:connections|config|health|version|plugins|providers|roles|users|permissions)\b)"
)
"""Calls of Airflow's own API: others have a /api/v1/, too, so the host or the path must be one that Airflow has."""


SHORTEST_SECRET = 4


@dataclass(frozen=True)
class CodeFact:
    """One place in a file."""

    rule: str
    line: int
    message: str
    hint: str


@dataclass(frozen=True)
class PlainSecret:
    """A literal that looks like a secret. `value` is for masking only and must not be shown."""

    line: int
    name: str
    value: str


def calls_old_api(text: str) -> bool:
    """Tell whether a text names an address of Airflow's REST API v1 or the experimental one."""
    return _OLD_API.search(text) is not None


def parse(source: str) -> ast.Module | None:
    """Parse a file's text; None when it is not Python 3."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def facts(source: str) -> tuple[CodeFact, ...]:
    """Give the facts of one file, by line."""
    tree = parse(source)
    return () if tree is None else facts_in(nodes_of(tree))


def nodes_of(tree: ast.Module) -> list[ast.AST]:
    """Give a file's nodes as `ast.walk` does, contexts left out: walked once, read many times."""
    found: list[ast.AST] = [tree]
    for node in found:
        for value in vars(node).values():
            if isinstance(value, list):
                found.extend([item for item in value if isinstance(item, ast.AST)])
            elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
                found.append(value)
    return found


def facts_in(nodes: Sequence[ast.AST]) -> tuple[CodeFact, ...]:
    """Give the facts of one file by its nodes (the module first), by line."""
    found = {
        *_imports(nodes), *_calls(nodes), *_classes(nodes), *_strings(nodes), *_contexts(nodes), *_at_parse_time(nodes),
    }  # fmt: skip
    for secret in _secrets(nodes):
        found.add(
            CodeFact(
                "plain-secret",
                secret.line,
                f"{secret.name} looks like a secret that stands in the code.",
                "Move it into a connection or a secret environment variable, and change the value.",
            )
        )
    return tuple(sorted(found, key=lambda fact: (fact.line, fact.rule, fact.message)))


def plain_secrets(tree: ast.Module) -> Iterator[PlainSecret]:
    """Give literals that are assigned or passed under a secret's name, and passwords within URLs."""
    return _secrets(nodes_of(tree))


def _secrets(nodes: Sequence[ast.AST]) -> Iterator[PlainSecret]:
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                name = target.id if isinstance(target, ast.Name) else getattr(target, "attr", "")
                yield from _secret(name, node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield from _secret(node.target.id, node.value)
        elif isinstance(node, ast.keyword) and node.arg:
            yield from _secret(node.arg, node.value)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield from _secret(key.value, value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            for match in _URI_PASSWORD.finditer(node.value):
                yield PlainSecret(node.lineno, "The password within a URL", match[1])


def _secret(name: str, value: ast.expr) -> Iterator[PlainSecret]:
    if not (isinstance(value, ast.Constant) and isinstance(value.value, str)):
        return
    text = value.value
    is_named = _SECRET_NAME.search(name) and not _NOT_SECRET_NAME.search(name)
    if is_named and len(text) >= SHORTEST_SECRET and " " not in text and not _NOT_SECRET_VALUE.search(text):
        yield PlainSecret(value.lineno, name, text)


def _imports(nodes: Sequence[ast.AST]) -> Iterator[CodeFact]:
    for node in nodes:
        if not isinstance(node, ast.ImportFrom) or not node.module or not node.module.startswith("airflow"):
            continue
        for alias in node.names:
            full = f"{node.module}.{alias.name}"
            if alias.name in _SESSION_NAMES or full in ("airflow.settings.Session", "airflow.settings.engine"):
                yield _orm(node.lineno, alias.name)
            if "subdag" in node.module or alias.name == "SubDagOperator":
                yield CodeFact("subdag", node.lineno, "SubDagOperator is gone in Airflow 3.", "Use a TaskGroup.")
            if alias.name == "*":
                yield CodeFact(
                    "star-import",
                    node.lineno,
                    f"Names come from `{node.module}` by a star.",
                    "Import names one by one.",
                )
            if alias.name == "AirflowPlugin":
                yield CodeFact(
                    "plugin",
                    node.lineno,
                    "The file defines an Airflow plugin.",
                    "Check it on Airflow 3: Flask views, menu links and operators lists are no longer taken.",
                )
            if node.module.startswith("airflow.contrib"):
                yield CodeFact(
                    "contrib", node.lineno, f"`{full}` is an Airflow 1.10 path.", "Import it from its provider."
                )


def _orm(line: int, name: str) -> CodeFact:
    return CodeFact(
        "orm-access",
        line,
        f"`{name}` opens the metadata database, which tasks of Airflow 3 may not reach.",
        "Use the REST API, or the task context, instead of the ORM.",
    )


def _calls(nodes: Sequence[ast.AST]) -> Iterator[CodeFact]:
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr in ("Session", "engine") and _names(node.value, "settings"):
            yield _orm(node.lineno, f"settings.{node.attr}")
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "xcom_pull" and _is_of_all(node):
            yield _pull(node.lineno)
        for keyword in node.keywords:
            if keyword.arg in ("sla", "sla_miss_callback") and not _is_none(keyword.value):
                yield _sla(keyword.value.lineno)
            if keyword.arg == "python_callable" and name == "TriggerDagRunOperator":
                yield CodeFact(
                    "trigger-callable",
                    node.lineno,
                    "TriggerDagRunOperator(python_callable=…) is gone.",
                    "Use conf=, or call the REST API from a task.",
                )
    for node in nodes:
        if isinstance(node, ast.Dict):
            keys = [key for key in node.keys if isinstance(key, ast.Constant)]
            yield from (_sla(key.lineno) for key in keys if key.value == "sla")


def _is_of_all(pull: ast.Call) -> bool:
    """Tell whether a pull names no task, or None in the place of one."""
    given = [item.value for item in pull.keywords if item.arg == "task_ids"] or pull.args[:1]
    return not given or (isinstance(given[0], ast.Constant) and given[0].value is None)


def _pull(line: int) -> CodeFact:
    return CodeFact(
        "xcom-pull-all",
        line,
        "xcom_pull without task_ids reads only the task's own XComs in Airflow 3.",
        "Name the tasks: xcom_pull(task_ids=…).",
    )


def _pulls(line: int, inside: str) -> Iterator[CodeFact]:
    """Look at the calls of xcom_pull in a block of Jinja: the shortest text that Python can read as a call."""
    for match in re.finditer(r"\bxcom_pull\(", inside):
        ends = (at.end() for at in re.finditer(r"\)", inside[match.start() :]))
        trees = (parse(inside[match.start() :][:end]) for end in ends)
        tree = next((tree for tree in trees if tree is not None), None)
        if tree is not None and any(fact.rule == "xcom-pull-all" for fact in _calls(nodes_of(tree))):
            yield _pull(line)


def _names(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _sla(line: int) -> CodeFact:
    return CodeFact(
        "sla",
        line,
        "SLAs are ignored by Airflow 3: nobody is told when the task is late.",
        "Use a deadline alert (airflow.sdk DeadlineAlert) or an alert rule of the platform.",
    )


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _classes(nodes: Sequence[ast.AST]) -> Iterator[CodeFact]:
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
                kind = _BASE_CLASSES.get(name) or ("operator" if name.endswith("Operator") else None)
                if kind:
                    yield CodeFact(
                        f"custom-{kind}",
                        node.lineno,
                        f"{node.name}: {kind} of your own.",
                        "Run a DAG that uses it on the target before its wave.",
                    )
                    break


def facts_of_template(text: str) -> tuple[CodeFact, ...]:
    """Give what a file that tasks render asks for and Airflow 3 does not have."""
    found: dict[CodeFact, None] = {}
    for block in _JINJA.finditer(
        re.sub(r"\{#.*?#\}", lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL)
    ):
        found |= dict.fromkeys(_block(block.string.count("\n", 0, block.start()) + 1, block[1]))
    return tuple(found)


def _block(line: int, inside: str) -> Iterator[CodeFact]:
    for name in re.findall(r"(?<![\w.'\"])([a-z_]+)\b(?!\s*\()", inside):
        if name in REMOVED_CONTEXT and name != "conf":
            rule = "context-renamed" if name in RENAMED_IN_TEMPLATES else "context-key"
            yield _context(line, name, rule, REMOVED_CONTEXT)
    yield from _pulls(line, inside)


def _strings(nodes: Sequence[ast.AST]) -> Iterator[CodeFact]:
    for node in nodes:
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        text = node.value
        for block in _JINJA.finditer(text):
            yield from _block(node.lineno, block[1])
        if _OLD_CLI.search(text):
            yield CodeFact(
                "old-cli",
                node.lineno,
                "A command of Airflow's old CLI is called.",
                "See `airflow --help` of the target.",
            )
        if calls_old_api(text):
            yield CodeFact(
                "old-rest-api",
                node.lineno,
                "Airflow's REST API v1 is called, which is gone.",
                "Call /api/v2 with a token.",
            )


def _context(line: int, name: str, rule: str = "context-key", hints: Mapping[str, str] = HINTS_IN_PYTHON) -> CodeFact:
    return CodeFact(rule, line, f"`{name}` is no longer in the task context.", hints[name])


def dated_functions(nodes: Iterable[ast.AST]) -> set[str]:
    """Give the names of functions that sensors hand the date of the run as their first argument, whatever that is called: execution_date_fn."""
    return {
        node.value.id
        for node in nodes
        if isinstance(node, ast.keyword) and node.arg == "execution_date_fn" and isinstance(node.value, ast.Name)
    }


def _contexts(nodes: Sequence[ast.AST]) -> Iterator[CodeFact]:
    dated = dated_functions(nodes)
    for node in nodes:
        key: object = None
        owner: ast.expr | None = None
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            key, owner = node.slice.value, node.value
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "get"
            and node.args
        ):
            first = node.args[0]
            key, owner = (first.value if isinstance(first, ast.Constant) else None), node.func.value
        if isinstance(key, str) and key in REMOVED_CONTEXT and owner is not None and _is_context(owner):
            yield _context(owner.lineno, key, "context-renamed" if key in RENAMED_IN_PYTHON else "context-key")
        if isinstance(node, ast.Attribute) and node.attr == "execution_date":
            yield CodeFact(
                "context-key",
                node.lineno,
                "`.execution_date` is gone from runs and task instances.",
                "Use logical_date of the context or of dag_run.",
            )
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for argument in (*node.args.args[node.name in dated :], *node.args.kwonlyargs):
                if argument.arg in REMOVED_CONTEXT and argument.arg != "conf":
                    yield _context(argument.lineno, argument.arg)


def _is_context(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("context", "kwargs", "ctx", "ti_context", "_context")


def _at_parse_time(nodes: Sequence[ast.AST]) -> Iterator[CodeFact]:
    """Variable.get outside of functions: a query at every parse of the file."""
    calls = [
        node
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "get"
        and _names(node.func.value, "Variable")
    ]
    if not calls:
        return
    within = [
        (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    ]
    for call in calls:
        at = (call.lineno, call.col_offset)
        if not any((top, left) <= at < (bottom, right) for top, left, bottom, right in within):
            yield CodeFact(
                "variable-at-parse",
                call.lineno,
                "Variable.get runs at every parse of the file.",
                "Read it within a task or by {{ var.value.… }}.",
            )
