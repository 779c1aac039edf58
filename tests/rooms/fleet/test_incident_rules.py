"""What counts as wrong: pure rules. If these break, people are woken for nothing, or not woken."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.rooms.fleet.measuring import measured

from aerodrome.fleet.incidents import rules
from aerodrome.fleet.incidents.contract import Backups, Limits, Look, Problem
from aerodrome.kernel.clock import to_text

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LIMITS = Limits()


def ago(**span: float) -> str:
    return str(to_text(NOW - timedelta(**span)))


def component(name: str, restarts: int = 0, started: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "state": "running",
        "pid": 1,
        "started_at": started or ago(hours=1),
        "restarts": restarts,
        "reason": None,
    }


def look(pulse: dict[str, Any] | None = None, **changes: Any) -> Look:
    heartbeats = {"scheduler": ago(seconds=5), "dag-processor": ago(seconds=5)}
    calm = Look(
        now=NOW,
        name="sales",
        desired="running",
        status="healthy",
        parallelism=4,
        error=None,
        health="healthy",
        reasons=(),
        components=(component("scheduler"), component("dag-processor")),
        deploy_number=7,
        measurement=measured("dep_1", {"heartbeats": heartbeats, **(pulse or {})}),
    )
    return replace(calm, **changes)


def found(seen: Look, memory: dict[str, Any] | None = None) -> dict[str, Problem]:
    return {problem.key: problem for problem in rules.judge(seen, memory or {}, LIMITS).problems}


def test_a_calm_deployment_has_no_problem() -> None:
    assert found(look()) == {}


def test_a_scheduler_without_heartbeat_is_late_and_then_missing() -> None:
    late = found(look({"heartbeats": {"scheduler": ago(seconds=90), "dag-processor": ago(seconds=1)}}))
    assert late["heartbeat-late/scheduler"].severity == "warning"
    missing = found(look({"heartbeats": {"dag-processor": ago(seconds=1)}}))
    assert missing["heartbeat-late/scheduler"].severity == "critical"
    assert "never" in missing["heartbeat-late/scheduler"].reason


def test_a_scheduler_that_has_just_started_may_be_silent() -> None:
    young = (component("scheduler", started=ago(seconds=30)),)
    assert found(look({"heartbeats": {}}, components=young)) == {}


def test_restarts_within_ten_minutes_are_a_loop_and_old_ones_are_not() -> None:
    memory: dict[str, Any] = {}
    seen: list[bool] = []
    for minute, restarts in ((0, 0), (2, 1), (4, 2), (6, 3), (30, 3)):
        now = NOW + timedelta(minutes=minute)
        verdict = rules.judge(look(now=now, components=(component("triggerer", restarts),)), memory, LIMITS)
        memory = dict(verdict.memory)
        seen.append(any(problem.code == "restart-loop" for problem in verdict.problems))
    assert seen == [False, False, False, True, False]


def test_import_errors_name_the_files_that_are_new_since_the_deploy() -> None:
    before = rules.judge(look({"import_error_count": 1, "import_errors": ["/r/1/dags/old.py"]}), {}, LIMITS)
    (problem,) = before.problems
    assert problem.severity == "critical"  # nothing is known from before the first look
    files = ["/r/2/dags/new.py", "/r/2/dags/old.py"]
    after = found(look({"import_error_count": 2, "import_errors": files}, deploy_number=8), dict(before.memory))
    assert after["import-errors/"].data["new_files"] == ["new.py"]
    assert "since deploy 8" in after["import-errors/"].reason
    calm = found(
        look({"import_error_count": 1, "import_errors": ["/r/2/dags/old.py"]}, deploy_number=8), dict(before.memory)
    )
    assert calm["import-errors/"].severity == "warning"


def test_a_large_database_names_the_table_that_grew_most() -> None:
    small = look({"size_bytes": 1 << 30, "tables": {"task_instance": 10, "xcom": 10}})
    memory = dict(rules.judge(small, {}, LIMITS).memory)
    large = look({"size_bytes": 30 << 30, "tables": {"task_instance": 20, "xcom": 5000}}, now=NOW + timedelta(hours=3))
    assert "xcom grew most of late, by 4,990 rows" in found(large, memory)["database-large/"].reason


@pytest.mark.parametrize(("running", "code"), [(4, "queue-full/"), (1, "queue-stuck/")])
def test_waiting_tasks_are_a_full_queue_or_a_stuck_one(running: int, code: str) -> None:
    states = {"running": running, "queued": 1, "scheduled": 3}
    pulse = {"task_instances": states, "queued_since": ago(minutes=6), "scheduled_since": ago(minutes=6)}
    assert set(found(look(pulse))) == {code}
    assert found(look({**pulse, "queued_since": ago(minutes=2), "scheduled_since": ago(minutes=2)})) == {}


def test_a_full_pool_is_named() -> None:
    pulse = {"scheduled_since": ago(minutes=6), "pools": [["etl", 2, 2, 0, 5], ["default_pool", 128, 2, 0, 1]]}
    assert set(found(look(pulse))) == {"pool-full/etl"}


def test_parsing_that_lags_is_slow() -> None:
    assert "parsing-slow/" in found(look({"parsed_since": ago(minutes=20)}))
    assert found(look({"parsed_since": ago(minutes=1), "longest_parse_s": 45}))["parsing-slow/"].severity == "info"


def test_disks_are_judged_by_what_is_free() -> None:
    def severity(free: int) -> str | None:
        return next((problem.severity for problem in rules.disk(free, 1000, LIMITS)), None)

    assert [severity(free) for free in (500, 80, 20)] == [None, "warning", "critical"]


def test_a_backup_is_overdue_after_an_hour_and_a_failed_one_is_told() -> None:
    overdue = Backups(due_at=NOW - timedelta(hours=2), last_kept_at=NOW - timedelta(days=1))
    assert set(found(look(backups=overdue))) == {"backup-overdue/"}
    kept = Backups(due_at=NOW - timedelta(hours=2), last_kept_at=NOW - timedelta(hours=1))
    assert found(look(backups=kept)) == {}
    failed = Backups(last_failure={"message": "The disk is full.", "hint": "Free some."})
    assert "The disk is full." in found(look(backups=failed))["backup-failed/"].reason


def test_without_a_pulse_what_it_tells_stays_as_it_is() -> None:
    verdict = rules.judge(look(measurement=measured("dep_1", {"trouble": "It is locked."})), {}, LIMITS)
    assert [problem.code for problem in verdict.problems] == ["database-silent"]
    assert {"import-errors", "heartbeat-late", "queue-full"} <= verdict.blind


def test_a_sleeping_deployment_has_no_trouble() -> None:
    assert found(look({"heartbeats": {}}, desired="hibernated", status="hibernated")) == {}
