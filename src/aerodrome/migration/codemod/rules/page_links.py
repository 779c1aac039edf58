"""Links to pages of Airflow's old UI that code or a template puts together by hand: 3 has no such pages.

Read: the routes of airflow/ui of 3.3.2 (dags/:dagId/runs/:runId/tasks/:taskId and others); www/views.py of 1.10.15 and 2.11.2.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Options, Rule, Spot
from aerodrome.migration.codemod.source import Source

_VIEWS = "log|graph|tree|grid|gantt|duration|tries|landing_times|code|task|rendered|rendered-templates|xcom|dag_details"
_LISTS = "taskinstance|dagrun|slamiss"
_OF_DAG = "grid|graph|tree|gantt|duration|tries|landing-times|audit_log"
_GONE = re.compile(
    rf"/(?:{_VIEWS})/?\?[^\s\"'<>]*?\b(?:dag_id|task_id|execution_date)="
    rf"|/admin/(?:airflow|{_LISTS})/"
    rf"|/(?:{_LISTS})/list\b"
    rf"|/dags/[^/\s\"'?<>]+/(?:{_OF_DAG})\b"
)
_HINT = "Write ti.log_url, or {base_url}/dags/{dag_id}/runs/{run_id}/tasks/{task_id}, a run's page without /tasks."


def _find(source: Source, options: Options) -> Iterator[Spot]:
    if options.source_version.startswith("3"):
        return
    seen: set[int] = set()
    for node in source.each(ast.JoinedStr, ast.Constant):
        if isinstance(source.parents.get(node), ast.JoinedStr):
            continue
        found = _GONE.search(_text(node))
        if found and node.lineno not in seen:
            seen.add(node.lineno)
            yield Spot(node.lineno, f"Airflow 3 has no page `{found[0]}`.", _HINT)


def _text(node: ast.AST) -> str:
    """Give a text with {} for what is put in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    parts = node.values if isinstance(node, ast.JoinedStr) else []
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)


RULE = Rule(
    code="page-link",
    title="Links to pages of the old UI are found",
    words=(b"dag_id=", b"task_id=", b"execution_date=", b"/admin/", b"/list", b"/dags/"),
    before="""
def alert(context):
    ti = context["ti"]
    print(f"https://airflow.shop.example/log?dag_id={ti.dag_id}&task_id={ti.task_id}")
""",
    after="""
def alert(context):
    ti = context["ti"]
    print(f"https://airflow.shop.example/log?dag_id={ti.dag_id}&task_id={ti.task_id}")
""",
    find=_find,
    finding="Airflow 3 has no page `/log?dag_id=`",
)
