"""Runs that come late are skipped as Oozie's states say: the converted DAG and Oozie, minute by minute, on paper."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Call, Code, Dag
from aerodrome.migration.convert.oozie import oracle
from aerodrome.migration.convert.oozie.inside.oozie_cron import CronTimes
from aerodrome.migration.convert.oozie.inside.oozie_instances import Instances, next_time
from aerodrome.migration.convert.oozie.reading import read

_START = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)  # Paris changes its clock that night
_DATA = (
    '<datasets><dataset name="d" frequency="60" initial-instance="2026-01-01T00:00Z" timezone="UTC"><uri-template>/d</uri-template></dataset></datasets>'
    '<input-events><data-in name="d" dataset="d"><instance>${coord:current(0)}</instance></data-in></input-events>'
)


def convert(folder: Path, controls: str, frequency: str = "45", more: str = _DATA) -> Dag:
    (folder / "coordinator.xml").write_text(
        f'<coordinator-app xmlns="uri:oozie:coordinator:0.4" name="c" frequency="{frequency}" start="{_START:%Y-%m-%dT%H:%MZ}"'
        f' end="2027-01-01T00:00Z" timezone="Europe/Paris"><controls>{controls}</controls>{more}'
        "<action><workflow><app-path>/elsewhere/w</app-path></workflow></action></coordinator-app>"
    )
    return read(folder, {}).dags[0]


def codes(dag: Dag, element: str) -> set[str]:
    return {item.code for item in dag.accounts if item.element == f"coordinator/{element}"}


class Airflow:
    """A scheduler on paper: one run at a time, the next time is stored when a run is made and renewed when one ends."""

    def __init__(self, dag: Dag, execution: str, arrivals: Mapping[datetime, datetime], durations: Mapping[datetime, timedelta], *, is_renewing: bool) -> None:  # fmt: skip
        self.now = _START
        schedule = dag.schedule.oracle
        self.times = (
            CronTimes(schedule["cron"], _START)
            if schedule["cron"]
            else Instances(_START, schedule["unit"], int(schedule["amount"]), schedule["zone"])
        )
        self.missed = "none" if execution == "NONE" else "last"
        self.is_over = self.function(dag, "is_over")
        self.arrivals, self.durations, self.is_renewing = arrivals, durations, is_renewing
        self.last: datetime | None = None
        self.active: datetime | None = None
        self.until: datetime | None = None
        self.done: list[datetime] = []
        self.stored = self.following()

    def function(self, dag: Dag, name: str) -> Callable[..., bool]:
        clock = SimpleNamespace(now=lambda _zone: self.now)
        space: dict[str, Any] = {
            "datetime": clock,
            "timedelta": timedelta,
            "timezone": timezone,
            "Instances": Instances,
            "CronTimes": CronTimes,
        }
        exec(next(item.source for item in dag.functions if item.name == name), space)
        found: Callable[..., bool] = space[name]
        return found

    def following(self) -> datetime | None:
        return next_time(self.times, self.last, _START, self.missed, self.now)

    def end_run(self) -> None:
        self.active = self.until = None
        if self.is_renewing:
            self.stored = self.following()

    def step(self) -> None:
        if self.until is not None and self.until <= self.now:
            self.end_run()
        for _ in range(50):
            if self.active is None and self.stored is not None and self.stored <= self.now:
                self.active = self.last = self.stored
                self.stored = self.following()
            if self.active is None or self.until is not None:
                return
            over = self.is_over(self.active, SimpleNamespace(run_type="scheduled"))
            if not over and self.arrivals.get(self.active, self.now) > self.now:
                return  # the sensor waits
            if over:
                self.end_run()
                continue
            self.done.append(self.active)
            self.until = self.now + self.durations[self.active]


@pytest.mark.parametrize("execution", ["LAST_ONLY", "NONE"])
@pytest.mark.parametrize("frequency", ["45", "${coord:hours(1)}", "0/20 * * * *", "${coord:days(1)}"])
@pytest.mark.parametrize("seed", range(6))
def test_the_same_runs_are_executed(tmp_path: Path, execution: str, frequency: str, seed: int) -> None:
    chance = random.Random(seed)
    dag = convert(tmp_path, f"<execution>{execution}</execution>", frequency)
    times = oracle.nominal_times(dag.schedule.oracle, 9 if "days" in frequency else 40)
    gap = (times[1] - times[0]) // timedelta(minutes=1)
    arrivals = {
        time: time + timedelta(minutes=chance.choice([-5, 0, 1, gap // 2, gap - 1, gap, gap + 3])) for time in times
    }
    durations = {
        time: timedelta(minutes=chance.choice([1, gap // 3, gap - 1, gap, gap + 1, 2 * gap + 5])) for time in times
    }
    arrivals[times[0]], durations[times[0]] = times[0], timedelta(minutes=1)
    start = chance.randrange(4, len(times) - 4)
    outage = (times[start] - timedelta(minutes=2), times[start + chance.choice([0, 1, 3])] + timedelta(minutes=3))
    wanted = oracle.executed(times, execution, arrivals, durations, outage)
    for is_renewing in (True, False):
        airflow = Airflow(dag, execution, arrivals, durations, is_renewing=is_renewing)
        while airflow.now < times[-1]:
            if not outage[0] <= airflow.now < outage[1]:
                airflow.step()
            airflow.now += timedelta(minutes=1)
        assert airflow.done == wanted
    assert 0 < len(wanted) < len(times)


def test_a_run_that_people_start_is_never_over(tmp_path: Path) -> None:
    dag = convert(tmp_path, "<execution>LAST_ONLY</execution>")
    airflow = Airflow(dag, "LAST_ONLY", {}, {}, is_renewing=True)
    airflow.now = datetime(2030, 1, 1, tzinfo=UTC)
    assert airflow.is_over(_START, SimpleNamespace(run_type="scheduled"))
    assert not airflow.is_over(_START, SimpleNamespace(run_type="manual"))


def test_waits_end_with_the_run_and_the_gate_stands_before_the_workflow(tmp_path: Path) -> None:
    dag = convert(tmp_path, "<execution>NONE</execution>")
    gate = dag.task("is_due")
    assert gate.operator is symbols.SHORT_CIRCUIT
    assert dict(dag.task("wait_for_d").arguments)["python_callable"] == Code("unless_over(d_arrived)")
    pairs = {(edge.before, edge.after) for edge in dag.edges}
    assert {("wait_for_d", "is_due"), ("is_due", "workflow")} <= pairs
    assert ("wait_for_d", "workflow") not in pairs
    assert codes(dag, "execution") == {""}
    assert isinstance(dag.schedule.expression, Call)
    assert ("execution", "NONE") in dag.schedule.expression.keywords
    assert dag.schedule.is_catching_up is False


def test_what_stays_a_caveat(tmp_path: Path) -> None:
    assert codes(convert(tmp_path, "<execution>LIFO</execution>"), "execution") == {"execution-lifo"}
    everything = "<concurrency>-1</concurrency><execution>LIFO</execution>"
    assert codes(convert(tmp_path, everything), "execution") == {""}  # all run at once
    throttled = "<throttle>3</throttle>"
    assert codes(convert(tmp_path, throttled), "throttle") == {"throttle"}
    assert codes(convert(tmp_path, throttled, more=""), "throttle") == {""}
    assert codes(convert(tmp_path, "<concurrency>2</concurrency>"), "concurrency") == {"waiting-runs-count"}
    assert codes(convert(tmp_path, ""), "concurrency") == {"waiting-runs-count"}  # 1, Oozie's default
    assert codes(convert(tmp_path, "<concurrency>-1</concurrency>"), "concurrency") == {
        "waiting-runs-count"
    }  # Airflow's own 16
    assert codes(convert(tmp_path, "", more=""), "concurrency") == set()
    assert codes(convert(tmp_path, "<timeout>-1</timeout>"), "timeout") == {"timeout-fails"}
    assert codes(convert(tmp_path, "<timeout>5</timeout>", more=""), "timeout") == {""}
    unknown = convert(tmp_path, "<execution>NONE</execution>", "${every}")
    assert codes(unknown, "execution") == {"execution-none"}
    assert "is_due" not in {task.task_id for task in unknown.tasks}


def test_a_name_that_the_workflow_has_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "workflow.xml").write_text(
        '<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="is_due"/><action name="is_due"><shell><exec>run</exec></shell>'
        '<ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>'
    )
    (dag,) = [item for item in [convert(tmp_path, "<execution>NONE</execution>", more="")] if item.schedule.expression]
    assert [task.task_id for task in dag.tasks][:2] == ["is_due_of_dag", "is_due"]


def test_a_coordinator_that_starts_nothing_raises(tmp_path: Path) -> None:
    """Oozie starts as many runs as its concurrency leaves room for: of 0, none (CoordActionReadyXCommand)."""
    dag = convert(tmp_path, "<concurrency>0</concurrency>")
    assert "concurrency-zero" in codes(dag, "concurrency")
    assert "concurrency" in {task.task_id for task in dag.tasks if task.role == "raises"}
