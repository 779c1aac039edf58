from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import strategies as st

from aerodrome.kernel.digest import digest_of
from aerodrome.migration.estate.archive import EstateHeader
from aerodrome.migration.estate.records import (
    ConnectionRecord,
    DagRecord,
    EnvVarRecord,
    PoolRecord,
    Record,
    VariableRecord,
)


@dataclass(frozen=True)
class MemoryEstate:
    """An estate that was never written to disk; planning reads it like one that was."""

    items: tuple[Record, ...]
    taken_at: str = "2026-11-20T08:00:00.000000Z"
    source_kind: str = "airflow-db"

    @property
    def header(self) -> EstateHeader:
        return EstateHeader(self.source_kind, "legacy", "2.11.2", "sqlite 3.40.1", "5f2621c13b39", self.taken_at, {})

    @property
    def digest(self) -> str:
        return digest_of([[item.kind, item.key, repr(item)] for item in self.items])

    def records(self, kind: str) -> Iterable[Any]:
        return (item for item in self.items if item.kind == kind)


@dataclass(frozen=True)
class Judged:
    risk: str
    reasons: tuple[str, ...] = ()
    effort_h: float = 0.5


@dataclass(frozen=True)
class Opinion:
    dag_risks: dict[str, Judged] = field(default_factory=dict)


def dag(dag_id: str, **changes: Any) -> DagRecord:
    values: dict[str, Any] = {
        "dag_id": dag_id,
        "file": f"{dag_id}.py",
        "is_paused": False,
        "is_active": True,
        "schedule": "@daily",
        "schedule_kind": "preset",
        "timetable": None,
        "timezone": "UTC",
        "catchup": False,
        "start_date": None,
        "end_date": None,
        "max_active_runs": 16,
        "max_active_tasks": 16,
        "owners": (),
        "tags": (),
        "description": None,
        "task_count": 0,
        "tasks": (),
        "depends_on_dags": (),
        "datasets_in": (),
        "datasets_out": (),
        "pools": (),
        "queues": (),
        "connections": (),
        "variables": (),
        "next_logical_date": None,
        "next_interval_start": None,
        "next_interval_end": None,
        "next_run_after": None,
    }
    return DagRecord(**{**values, **changes})


def connection(conn_id: str, *, origin: str = "metadata-db", error: str | None = None) -> ConnectionRecord:
    return ConnectionRecord(conn_id, "postgres", "db", 5432, None, "loader", None, (), True, False, None, origin, error)


def variable(name: str, *, origin: str = "metadata-db", error: str | None = None) -> VariableRecord:
    return VariableRecord(name, None, 3, False, False, None, origin, error)


def env_var(name: str, purpose: str = "user", *, is_secret: bool = False) -> EnvVarRecord:
    return EnvVarRecord(name, is_secret, "f" * 32, purpose)


@pytest.fixture
def estate() -> MemoryEstate:
    return MemoryEstate(
        (
            dag("daily_sales", datasets_out=("s3://sales",), pools=("warehouse",), connections=("warehouse",)),
            dag("sales_report", schedule="dataset", schedule_kind="dataset", datasets_in=("s3://sales",)),
            dag("cleanup", is_paused=True),
            dag("ingest", schedule="*/5 * * * *", runs_30d=8640, failures_30d=4000, variables=("country",)),
            dag("late_sensor", depends_on_dags=("ingest",), tasks=({"operator": "ExternalTaskSensor"},)),
            dag("removed", is_active=False),
            dag("broken", import_error="ImportError: no module"),
            connection("warehouse"),
            connection("lost", error="wrong key"),
            connection("from_env", origin="environment"),
            variable("country"),
            variable("unused"),
            PoolRecord("default_pool", 128, None, False),
            PoolRecord("warehouse", 2, None, False),
            env_var("AIRFLOW__CORE__PARALLELISM", "airflow-config"),
            env_var("REGION"),
            env_var("AIRFLOW_CONN_FROM_ENV", "airflow-connection", is_secret=True),
        )
    )


@pytest.fixture
def opinion() -> Opinion:
    return Opinion({"daily_sales": Judged("low"), "ingest": Judged("medium", ("uses a removed operator",))})


@st.composite
def estates(draw: st.DrawFn) -> MemoryEstate:
    names = draw(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), unique=True, max_size=9))
    uris = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=2, unique=True).map(tuple)
    others = st.lists(st.sampled_from(names), max_size=2, unique=True).map(tuple) if names else st.just(())
    dags = [
        dag(
            name,
            is_paused=draw(st.booleans()),
            is_active=draw(st.integers(0, 9)) > 0,
            datasets_in=draw(uris),
            datasets_out=draw(uris),
            depends_on_dags=draw(others),
            tasks=draw(st.sampled_from([(), ({"operator": "TriggerDagRunOperator"},)])),
            runs_30d=draw(st.sampled_from([0, 30, 9000])),
            failures_30d=draw(st.sampled_from([0, 1, 20])),
            duration_p95_s=draw(st.sampled_from([None, 3.0, 4000.0])),
            pools=draw(st.sampled_from([(), ("warehouse",)])),
        )
        for name in names
    ]
    extra = draw(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), unique=True, max_size=4))
    return MemoryEstate(
        (
            *dags,
            *(connection(name, error=draw(st.sampled_from([None, "wrong\nkey"]))) for name in extra),
            *(env_var(name, draw(st.sampled_from(["user", "airflow-config"]))) for name in extra),
        )
    )


def opinions(estate: MemoryEstate) -> st.SearchStrategy[Opinion]:
    ids = [record.dag_id for record in estate.records("dag")]
    return st.builds(
        Opinion,
        st.fixed_dictionaries(
            {}, optional={name: st.sampled_from([Judged(r) for r in ("low", "medium", "high")]) for name in ids}
        ),
    )
