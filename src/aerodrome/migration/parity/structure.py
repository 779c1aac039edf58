"""Compares how a DAG is written: what validation compares (tasks, order, schedule, intervals), and each task's settings. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from aerodrome.airflowkit.rest import RestTaskSpec
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.parity.contract import Outcome, Row


class Check(Protocol):
    """What validation says of a DAG; `validate.CheckRow` is one."""

    @property
    def check(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def is_ok(self) -> bool: ...
    @property
    def severity(self) -> str: ...
    @property
    def message(self) -> str: ...


def structure_rows(checks: Iterable[Check]) -> Iterator[Row]:
    """Give a row per check of the validation; what does not block is explained by the check's own words."""
    for check in checks:
        outcome: Outcome = "equal" if check.is_ok else "different" if check.severity == "blocker" else "explained"
        subject = check.check if check.check != "file-imports" else check.subject
        yield Row("structure", subject, "", outcome, "", "", "" if check.is_ok else check.check, check.message)


def task_rows(record: DagRecord, tasks: Sequence[RestTaskSpec]) -> Iterator[Row]:
    """Give a row per task whose pool, trigger rule, retries or operator differ, and one for all that agree."""
    here = {task.task_id: task for task in tasks}
    same = 0
    for before in record.tasks:
        after = here.get(str(before["task_id"]))
        if after is None:
            continue  # `same-tasks` says it
        rows = list(_task(before, after))
        same += not rows
        yield from rows
    if same:
        yield Row("structure", "settings", "", "equal", "", "", "", f"{same} tasks have the same settings.")


def _task(before: dict[str, object], after: RestTaskSpec) -> Iterator[Row]:
    name = after.task_id
    pairs = (
        ("pool", before.get("pool") or "default_pool", after.pool),
        ("trigger_rule", before.get("trigger_rule") or "all_success", after.trigger_rule),
        ("retries", before.get("retries"), after.retries),
    )
    for field, one, other in pairs:
        if one is not None and other is not None and str(one) != str(other):
            yield Row(
                "structure", name, field, "different", str(one), str(other), "task-setting", f"Its {field} differs."
            )
    one, other = before.get("operator"), after.operator
    if one and other and one != other:
        message = "The upgraded code uses another operator for it."
        yield Row("structure", name, "operator", "explained", str(one), str(other), "operator", message)
