"""Sensors of Airflow 1.10 that ran out of time were tried again; today they fail, or are skipped, at once.

Read: models/taskinstance.py and sensors/base_sensor_operator.py of 1.10.15 (only AirflowFailException ends a task at once), execution_time/task_runner.py of
apache-airflow-task-sdk 1.3.2 (AirflowSensorTimeout, too).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules import dags, operators
from aerodrome.migration.codemod.rules.callers import imported_as
from aerodrome.migration.codemod.rules.derived import derived
from aerodrome.migration.codemod.rules.written_for import is_for_1
from aerodrome.migration.codemod.source import Source

_WEEK = (
    7 * 24 * 60 * 60
)  # of every sensor, where nothing is said; today's is [sensors] default_timeout, which is the same


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if options.major < 3 or not is_for_1(source, options):
        return
    found: dict[tuple[str, str], list[int]] = {}
    for call in _sensors(source):
        retries = _said(source, call, "retries")
        if retries is None or (isinstance(retries[1], ast.Constant) and not retries[1].value):
            continue
        timeout = _said(source, call, "timeout")
        words = (retries[0].code(retries[1]), timeout[0].code(timeout[1]) if timeout else str(_WEEK))
        found.setdefault(words, []).append(call.lineno)
    for (tries, seconds), lines in found.items():
        yield _told(min(lines), len(lines), tries, seconds)


def _sensors(source: Source) -> Iterator[ast.Call]:
    for made in operators.made(source):
        if made.node is made.call.func and any(_is_sensor(name) for name in made.names):
            yield made.call
    for item in derived(source):
        if any(_is_sensor(name) for name in item.names) and keyword(item.call, "task_id"):
            yield item.call


def _is_sensor(name: str) -> bool:
    return name.endswith(("Sensor", "BaseSensorOperator"))


def _said(source: Source, call: ast.Call, name: str) -> tuple[Source, ast.expr] | None:
    """Give what a task is told, with the file that says it: by its call, else by the default_args of its DAG, also by those of another file."""
    if item := keyword(call, name):
        return source, item.value
    made = dags.dag_of(source, call)
    mappings = list(dags.dictionaries(source, dags.ANY)) if made is None else []
    defaults = keyword(made, "default_args") if made else None
    if defaults is None:
        found = [entry[1] for mapping, _ in mappings if (entry := dags.entry(mapping, name))]
        return (source, found[0]) if len(found) == 1 else None
    return _entry(source, dags.constant(source, defaults.value), name)


def _entry(source: Source, value: ast.expr, name: str) -> tuple[Source, ast.expr] | None:
    if isinstance(value, ast.Dict):
        entry = dags.entry(value, name)
        return (source, entry[1]) if entry else None
    if dags.is_dict_call(value):
        item = keyword(value, name)  # type: ignore[arg-type]
        return (source, item.value) if item else None
    project = source.project
    place = imported_as(source, source.file, value.id, project) if project and isinstance(value, ast.Name) else None
    other = project.source(place[0]) if project and place else None
    if other is None or place is None:
        return None
    stores = [node for node in other.writes.get(place[1], ()) if isinstance(node, ast.Name)]
    parent = other.parents[stores[0]] if len(stores) == 1 else None
    return (
        _entry(other, parent.value, name)
        if isinstance(parent, ast.Assign) and isinstance(parent.value, ast.Dict)
        else None
    )


def _told(line: int, count: int, retries: str, timeout: str) -> Spot:
    try:
        total = str(int(ast.literal_eval(_product(timeout))) * (int(retries) + 1))
    except (ValueError, SyntaxError, TypeError):
        total = f"({timeout}) * ({retries} + 1)"
    who = "This sensor" if count == 1 else f"This sensor, like {count - 1} more of the file,"
    return Spot(
        line,
        f"{who} was tried again by Airflow 1.10 when its time was up (retries={retries}); today it fails at once, after {timeout} seconds.",
        f"Where it shall wait as long as before, write timeout={total}.",
    )


def _product(code: str) -> str:
    """Give a product of numbers as the number that it is; anything else as it stands."""
    numbers = [part.strip() for part in code.split("*")]
    if not all(number.isdigit() for number in numbers):
        return code
    result = 1
    for number in numbers:
        result *= int(number)
    return str(result)


RULE = Rule(
    code="sensor-timeout",
    title="Sensors of 1.10 with retries are found: one whose time is up is not tried again any more",
    words=(b"Sensor",),
    before="""
from airflow.contrib.sensors.file_sensor import FileSensor

wait = FileSensor(task_id="wait", filepath="/sales.csv", timeout=3600, retries=5)
""",
    after="""
from airflow.contrib.sensors.file_sensor import FileSensor

wait = FileSensor(task_id="wait", filepath="/sales.csv", timeout=3600, retries=5)
""",
    find=_find,
    finding="today it fails at once, after 3600 seconds",
)
