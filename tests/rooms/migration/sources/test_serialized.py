"""The version of a DAG is the same however Airflow wrote it down. If this breaks, a cutover is refused though nothing changed."""

from __future__ import annotations

from typing import Any

import pytest

from aerodrome.migration.sources.airflow_db.serialized import version_of

START = {"task_id": "start", "_task_type": "EmptyOperator", "ui_color": "#e8f7e4"}
LOAD = {"task_id": "load", "_task_type": "BashOperator", "ui_color": "#f0ede4"}


def wrapped(*tasks: dict[str, Any]) -> dict[str, Any]:
    return {"_dag_id": "a", "tasks": [{"__type": "operator", "__var": task} for task in tasks]}


def turned(task: dict[str, Any]) -> dict[str, Any]:
    """The same with its keys in another order: each process of Airflow has its own (a set of names)."""
    return dict(reversed(task.items()))


@pytest.mark.parametrize("form", [wrapped, lambda *tasks: {"_dag_id": "a", "tasks": list(tasks)}])
def test_neither_the_order_of_keys_nor_that_of_tasks_makes_another_version(form: Any) -> None:
    version = version_of(form(START, LOAD))
    assert version_of(form(LOAD, START)) == version
    assert version_of(form(turned(START), turned(LOAD))) == version
    assert version_of(form(turned(LOAD), turned(START))) == version
    assert version_of(form(START, {**LOAD, "ui_color": "#000000"})) != version
    assert version_of(form(START)) != version
