"""Providers that Airflow's project retired: their last releases still work with Airflow 3.3.2, and nobody mends them any more.

Tried by import and by serializing a DAG under 3.3.2: apache-airflow-providers-apache-sqoop 4.2.1 and -plexus 3.4.1, of the winter of 2023/24. Qubole's
3.4.3 imports, but its operators never reach the DAG (they keep attributes of their own): names of 1.10 are not moved there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, has_open_end, keyword, rename_keyword
from aerodrome.migration.codemod.rules import operators
from aerodrome.migration.codemod.source import Source

_LAST = {
    "airflow.providers.apache.sqoop": ("apache-airflow-providers-apache-sqoop", "4.2.1"),
    "airflow.providers.plexus": ("apache-airflow-providers-plexus", "3.4.1"),
}
_INSTEAD = {
    "airflow.providers.apache.sqoop": "Run sqoop by SSHOperator or BashOperator, or load with SparkSubmitOperator, before that day.",
    "airflow.providers.plexus": "Plan for another way to run these jobs.",
}
_SQOOP = "SqoopOperator"
_EXTRA = {"import": "extra_import_options", "export": "extra_export_options"}


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for made in operators.made(source):
        if _SQOOP in made.classes:
            yield from _extra_options(source, made.call)
    for node in source.each(ast.ImportFrom):
        if not node.level and f"{node.module}.".startswith("airflow.providers.qubole."):
            yield Spot(
                node.lineno,
                "Qubole's provider is retired: its last release, 3.4.3, imports under Airflow 3.3.2, but its tasks do not reach the DAG.",
                "The service is retired, too: run the query where the data went.",
            )
        for place, (package, version) in _LAST.items():
            if not node.level and f"{node.module}.".startswith(f"{place}."):
                message = f"{package} {version} is its last release: Airflow's project retired it. It works with Airflow 3.3.2, and nobody mends it for a later one."
                yield Spot(node.lineno, message, _INSTEAD[place])


def _extra_options(source: Source, call: ast.Call) -> Iterator[Change | Spot]:
    """Of two options the operator used the one of its command; today's has one for both (provider 4.0)."""
    given = {name: item for name in _EXTRA.values() if (item := keyword(call, name))}
    if not given:
        return
    kind = keyword(call, "cmd_type")
    command = kind.value.value if kind and isinstance(kind.value, ast.Constant) else None if kind else "import"
    if command not in _EXTRA or has_open_end(call) or keyword(call, "extra_options"):
        item = next(iter(given.values()))
        yield Spot(
            item.value.lineno,
            f"SqoopOperator does not take `{item.arg}` any more, and what it does is not said here.",
            "Write extra_options=… with the options of the command that cmd_type names.",
        )
        return
    for name, item in given.items():
        is_used = name == _EXTRA[str(command)]
        yield Change((rename_keyword(source, item, "extra_options") if is_used else drop_item(source, item),))


RULE = Rule(
    code="retired-provider",
    title="What a retired provider has is taken from its last release, and said",
    words=(b"qubole", b"sqoop", b"plexus", b"Sqoop"),
    before="""
from airflow.contrib.operators.sqoop_operator import SqoopOperator

load = SqoopOperator(
    task_id="load",
    conn_id="hadoop",
    table="sales",
    extra_import_options={"fetch-size": "500"},
    extra_export_options={"update-mode": "allowinsert"},
)
""",
    after="""
from airflow.contrib.operators.sqoop_operator import SqoopOperator

load = SqoopOperator(
    task_id="load",
    conn_id="hadoop",
    table="sales",
    extra_options={"fetch-size": "500"},
)
""",
    find=_find,
    is_for_2=True,
)
