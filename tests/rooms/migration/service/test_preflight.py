"""What stands against moving a DAG. If these break, a DAG moves into a target in which it cannot run, or cannot be made to move."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import create_engine, text
from tests.rooms.migration.plan.conftest import dag

from aerodrome.fleet.object_looks import ConnectionTest
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.records import ConnectionRecord, DagRecord, Record
from aerodrome.migration.service.code import raising_of
from aerodrome.migration.service.context import StepContext
from aerodrome.migration.service.folder import MigrationFolder
from aerodrome.migration.service.preflight import Preflight
from aerodrome.migration.sources.contract import Peaks
from aerodrome.migration.transfer.target import KNOWN_SCHEMAS, TargetDatabase
from aerodrome.runtimes.contract import AirflowAccess

DAG = "daily_sales"


@dataclass
class Source:
    """What a source measured."""

    peaks: Peaks = field(default_factory=Peaks)

    def concurrency(self, dag_ids: Sequence[str], since: datetime) -> Peaks:
        del dag_ids, since
        return self.peaks


@dataclass
class Hooks:
    """The connections of a target, and what their hooks say; `tested` counts."""

    bad: dict[str, str] = field(default_factory=dict)
    tested: list[str] = field(default_factory=list)

    @property
    def environment(self) -> Hooks:
        return self

    def test(self, _actor: Any, _deployment: str, conn_id: str, _timeout_s: float) -> ConnectionTest:
        self.tested.append(conn_id)
        return ConnectionTest("bad" if conn_id in self.bad else "good", self.bad.get(conn_id, ""), "", 0.1)


@dataclass
class Scene:
    """A migration before the cutover of one wave."""

    root: Path
    source: Source = field(default_factory=Source)
    hooks: Hooks = field(default_factory=Hooks)
    policies: dict[str, Any] = field(default_factory=lambda: {"accept": []})
    own: dict[str, Any] = field(default_factory=dict)
    dags: dict[str, DagRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dags = {name: dag(name, connections=("warehouse",), pools=("tills",)) for name in (DAG, "other")}
        self.database = self.root / "airflow.db"
        self.execute("create table alembic_version (version_num varchar(32))")
        newest = list(KNOWN_SCHEMAS)[-1]
        self.execute(f"insert into alembic_version values ('{newest}')")
        self.execute("create table slot_pool (id integer primary key, pool varchar(256), slots integer)")
        self.execute("create table connection (id integer primary key, conn_id varchar(250))")
        self.execute("insert into slot_pool (pool, slots) values ('tills', 4), ('endless', -1)")
        self.execute("insert into connection (conn_id) values ('warehouse')")

    def execute(self, statement: str) -> None:
        engine = create_engine(f"sqlite:///{self.database}")
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def records(self, kind: str) -> Iterator[Record]:
        assert kind == "connection"
        yield ConnectionRecord(
            "warehouse", "postgres", "db", 5432, None, None, None, (), False, False, None, "metadata-db"
        )

    @property
    def preflight(self) -> Preflight:
        unused = cast("Any", None)
        context = StepContext(
            migration_id="mig_1", actor=unused, folder=MigrationFolder(self.root), fleet=cast("Any", self.hooks),
            settings={"policies": self.policies, "dags": self.own, "target": {"airflow": "3.3.2", "parallelism": 8}}, bundles=unused,
            clock=SystemClock(), open_source=lambda: cast("Any", self.source), estate_digest="", source_config=unused,
            results={"environment.deployment": {"deployment_id": "dep_1"}},
        )  # fmt: skip
        access = AirflowAccess(
            base_url="http://127.0.0.1:9/",
            airflow_version="3.3.2",
            database_url=Secret(f"sqlite:///{self.database}"),
            fernet_key=Secret("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="),
            signing_key=Secret("0" * 64),
        )
        context.__dict__ |= {"estate": self, "dags": self.dags, "target": TargetDatabase(access)}
        return Preflight(context)

    def codes(self) -> dict[str, str]:
        found = self.preflight.hindrances([DAG, "other"])
        return {dag_id: item.problem.code for dag_id, item in found.items() if item.problem is not None}

    def remarks(self) -> tuple[str, ...]:
        found = self.preflight.hindrances([DAG, "other"])
        return found[DAG].remarks if DAG in found else ()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_nothing_stands_against_a_dag_that_finds_all_it_needs(scene: Scene) -> None:
    assert scene.preflight.hindrances([DAG, "other"]) == {}
    assert scene.hooks.tested == []  # unless the plan wants it


def test_what_the_target_lacks_cannot_be_accepted(scene: Scene) -> None:
    scene.execute("delete from slot_pool")
    scene.policies = {"accept": ["capacity", "change", "connection", "finding"]}
    assert scene.codes() == {DAG: "target-object-missing", "other": "target-object-missing"}


def test_an_open_finding_stands_against_its_dag_until_the_plan_accepts_it(scene: Scene) -> None:
    finding = {"subject": f"dag:{DAG}", "severity": "blocker", "message": "It reads the metadata database."}
    MigrationFolder(scene.root).assessment_json.write_text(json.dumps({"findings": [finding]}))
    assert scene.codes() == {DAG: "finding-open"}
    scene.own = {DAG: {"accept": ["finding"]}}
    assert scene.codes() == {}
    assert "It reads the metadata database." in scene.remarks()[0]


def test_tasks_that_raise_stand_against_their_dag_until_the_plan_accepts_them(scene: Scene) -> None:
    file = scene.dags[DAG].file
    assert file != scene.dags["other"].file
    finding = {"rule": "gone-class", "message": "Train stands in for `old.Train`."}
    other = {"rule": "plugin", "message": "It is a view."}
    files = [
        {"path": f"dags/{file}", "findings": [other, finding, finding]},
        {"path": "dags/rejected.py", "findings": [finding]},
        {"path": f"dags/{scene.dags['other'].file}", "findings": [other]},
    ]
    raising = raising_of(files, {"dags/rejected.py"})
    assert raising == {f"dags/{file}": [finding["message"]] * 2}
    MigrationFolder(scene.root).raising_json.write_text(json.dumps(raising))
    assert scene.codes() == {DAG: "tasks-raise"}
    scene.own = {DAG: {"accept": ["finding"]}}
    assert scene.codes() == {}
    assert "Train stands in for `old.Train`. (and 1 more)" in scene.remarks()[0]


def test_a_connection_is_tested_once_and_names_what_its_hook_says(scene: Scene) -> None:
    scene.policies["test_connections"] = True
    assert scene.codes() == {}
    assert scene.hooks.tested == ["warehouse"]
    scene.hooks.bad["warehouse"] = "Connection refused"
    found = scene.preflight.hindrances([DAG])[DAG].problem
    assert found is not None
    assert (found.code, "Connection refused" in found.message) == ("connection-not-answering", True)
    scene.policies["accept"] = ["connection"]
    assert scene.codes() == {}


@pytest.mark.parametrize(
    ("peaks", "word"),
    [
        (Peaks(9, {}), "target.parallelism"),
        (Peaks(2, {"tills": 5}), "the pool tills"),
    ],
)
def test_a_target_with_too_little_room_is_told(scene: Scene, peaks: Peaks, word: str) -> None:
    scene.source.peaks = peaks
    assert scene.codes() == {DAG: "target-too-small", "other": "target-too-small"}
    del scene.policies["accept"]  # as by default: tasks only wait for each other
    assert scene.codes() == {}
    assert word in scene.remarks()[0]


def test_room_that_is_enough_or_endless_is_none(scene: Scene) -> None:
    scene.source.peaks = Peaks(8, {"tills": 4, "endless": 100, "unknown": 7})
    assert scene.codes() == {}
    assert scene.remarks() == ()
