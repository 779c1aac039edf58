"""Sensors of Airflow 1.10 that take or give something else today: SqlSensor's NULL, the messages of SQSSensor.

Read: sensors/sql_sensor.py and contrib/sensors/aws_sqs_sensor.py of 1.10.15; SqlSensor of apache-airflow-providers-common-sql 2.0 and SqsSensor of
-amazon 9.36.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, drop_item, has_open_end, keyword, replace
from aerodrome.migration.codemod.rules import dags, operators
from aerodrome.migration.codemod.source import Source

_SQL = frozenset(
    f"airflow.{module}.SqlSensor" for module in ("sensors.sql_sensor", "sensors", "operators.sensors", "operators")
)
_SQS_MODULE, _SQS = "airflow.providers.amazon.aws.sensors.sqs", "SqsSensor"
_OLD_SQS = "airflow.contrib.sensors.aws_sqs_sensor.SQSSensor"
_NULL = "success=lambda cell: cell is None or bool(cell)"
_MESSAGES = "Messages"
_PULLED = re.compile(
    r"(xcom_pull\((?=[^()]*\btask_ids\s*=\s*(['\"])(?P<task>[\w.-]+)\2)(?=[^()]*\bkey\s*=\s*['\"]messages['\"])[^()]*\))(\[\s*['\"]Messages['\"]\s*\]|\.Messages\b)"
)


def _null(source: Source, options: Options) -> Iterator[Change]:
    for made in operators.made(source):
        call = made.call
        if made.node is not call.func or not made.old <= _SQL or not operators.is_of_1(made, options):
            continue
        if call.args or has_open_end(call):
            continue
        given, said = keyword(call, "allow_null"), keyword(call, "success")
        if given is None and said is None and not _says(source, "success", "allow_null"):
            name, _, code = _NULL.partition("=")
            yield Change((add_keyword(source, call, name, code),))
        elif given is not None and said is not None:
            yield Change((drop_item(source, given),))  # nobody asked it
        elif given is not None and isinstance(given.value, ast.Constant):
            text = _NULL if given.value.value else "success=bool"
            yield Change((Edit(source.start(given), source.end(given.value), text),))


def _says(source: Source, *names: str) -> bool:
    """Tell whether default_args say one of them."""
    return any(dags.entry(mapping, name) for mapping, _ in dags.dictionaries(source, dags.ANY) for name in names)


def _sqs(source: Source, options: Options) -> Iterator[Change]:
    if not source.is_free(_SQS, f"{_SQS_MODULE}.{_SQS}"):
        return
    for made in operators.made(source):
        if _OLD_SQS not in made.old or made.node is not made.call.func or not operators.is_of_1(made, options):
            continue
        item = keyword(made.call, "task_id")
        name = item.value.value if item and isinstance(item.value, ast.Constant) else None
        edits = list(_of_pulls(source, name)) if isinstance(name, str) else []
        note = Spot(
            made.call.lineno,
            'Under the key "messages" this sensor pushes the list of messages now; it was the whole answer, {"Messages": […], …}.',
            'Take ["Messages"] away where its messages are pulled.',
        )
        changes = (replace(source, made.node, _SQS), *edits)
        yield Change(changes, ((_SQS_MODULE, _SQS),), None if edits else note)


def _of_pulls(source: Source, task_id: str) -> Iterator[Edit]:
    """Take `["Messages"]` from what the file pulls of a task."""
    for item in source.each(ast.Subscript):
        pull = dags.constant(source, item.value)
        is_key = isinstance(item.slice, ast.Constant) and item.slice.value == _MESSAGES
        if is_key and isinstance(item.ctx, ast.Load) and _is_pull(pull, task_id):
            yield Edit(source.end(item.value), source.end(item), "")
    for text in source.each(ast.Constant):
        if isinstance(text.value, str) and any(found["task"] == task_id for found in _PULLED.finditer(text.value)):
            old = source.code(text)
            new = _PULLED.sub(lambda found: found[1] if found["task"] == task_id else found[0], old)
            if new != old:
                yield replace(source, text, new)


def _is_pull(node: ast.AST, task_id: str) -> bool:
    if not isinstance(node, ast.Call) or getattr(node.func, "attr", "") != "xcom_pull":
        return False
    key, task = keyword(node, "key"), keyword(node, "task_ids")
    first = node.args[0] if node.args else task.value if task else None
    return getattr(key.value if key else None, "value", "") == "messages" and getattr(first, "value", "") == task_id


NULL = Rule(
    code="sql-sensor-null",
    title="A NULL that Airflow 1.10's SqlSensor took for a success stays one",
    words=(b"SqlSensor",),
    before="""
from airflow.sensors.sql_sensor import SqlSensor

wait = SqlSensor(task_id="wait", conn_id="warehouse", sql="select max(day) from sales")
more = SqlSensor(task_id="more", conn_id="warehouse", sql="select max(day) from stock", allow_null=False)
""",
    after="""
from airflow.sensors.sql_sensor import SqlSensor

wait = SqlSensor(task_id="wait", conn_id="warehouse", sql="select max(day) from sales", success=lambda cell: cell is None or bool(cell))
more = SqlSensor(task_id="more", conn_id="warehouse", sql="select max(day) from stock", success=bool)
""",
    find=_null,
    is_for_2=True,
)
SQS = Rule(
    code="sqs-messages",
    title="What Airflow 1.10's SQSSensor pushed as a whole answer is the list of messages in it",
    words=(b"SQSSensor",),
    before="""
from airflow.contrib.sensors.aws_sqs_sensor import SQSSensor

wait = SQSSensor(task_id="wait", sqs_queue="sales")


def load(ti):
    return ti.xcom_pull(task_ids="wait", key="messages")["Messages"]
""",
    after="""
from airflow.contrib.sensors.aws_sqs_sensor import SQSSensor
from airflow.providers.amazon.aws.sensors.sqs import SqsSensor

wait = SqsSensor(task_id="wait", sqs_queue="sales")


def load(ti):
    return ti.xcom_pull(task_ids="wait", key="messages")
""",
    find=_sqs,
    is_for_2=True,
)
