"""What a task told its executor moves, or is archived with the reason. If this breaks, it is lost silently, or a pickle's code runs.

Airflow 2.11.2 by default; AERODROME_MATRIX=1 (`make test-matrix`) adds 1.10.15, 2.3.4 and 2.7.3.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update
from tests.matrix import wide
from tests.rooms.migration.aged import DATA, LOCKS, Aged, environment, old_venv
from tests.rooms.migration.transfer.conftest import MemorySource, make_history
from tests.rooms.migration.transfer.test_sql_lane import DAG_IDS

from aerodrome.builds.contract import Venv
from aerodrome.kernel.clock import SystemClock
from aerodrome.migration.estate.history import HistoryKind, HistoryWindow
from aerodrome.migration.sources.contract import ConfigRows, OffersExecutorConfigs, ShownConfig, StoredConfig
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import RejectsFile, TargetDatabase, move_history
from aerodrome.migration.transfer.difference import compare_history

pytestmark = pytest.mark.airflow
VERSIONS = ["2.11.2", *wide("1.10.15", "2.3.4", "2.7.3")]
PLAIN = {"KubernetesExecutor": {"image": "etl:7", "limits": ["1", 2.5]}}


@pytest.fixture(scope="module", params=VERSIONS)
def old(
    request: pytest.FixtureRequest,
    aged: Callable[..., Aged],
    venv_cache: Path,
    airflow_venv: Callable[..., Venv],
    tmp_path_factory: pytest.TempPathFactory,
) -> Aged:
    """A copy of a real source in which that Airflow itself wrote what tasks told their executor."""
    made, version = aged(request.param), request.param
    home = tmp_path_factory.mktemp("configured")
    shutil.copyfile(made.url.removeprefix("sqlite:///"), home / "airflow.db")
    copy = replace(made, url=f"sqlite:///{home / 'airflow.db'}")
    is_old = (LOCKS / f"airflow-{version}.txt").exists()
    venv = old_venv(venv_cache, version) if is_old else airflow_venv(version).path
    done = subprocess.run(
        [venv / "bin" / "python", "-W", "ignore", DATA / "configure_tasks.py"],
        env=environment(venv, home, copy.url, copy.fernet_key), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return copy


@pytest.fixture
def source(old: Aged) -> Iterator[Any]:
    opened = open_source(old.config, b"fingerprints", SystemClock())
    yield opened
    opened.close()


def configs(target: TargetDatabase) -> dict[tuple[str, str], Any]:
    with target.reading() as connection:
        rows = connection.execute(text("select dag_id, task_id, executor_config from task_instance")).all()
    return {(row[0], row[1]): pickle.loads(bytes(row[2])) for row in rows if row[2] is not None}


def test_what_json_holds_is_written_and_the_rest_is_archived(
    source: Any, old: Aged, target: TargetDatabase, add_dags: Callable[..., None], tmp_path: Path
) -> None:
    add_dags(*DAG_IDS)
    with RejectsFile(tmp_path / "rejects") as rejects:
        moved = move_history(source, target, DAG_IDS, rejects=rejects)
        again = move_history(source, target, DAG_IDS)

    assert moved.is_proven
    assert sum(item.moved for item in again.kinds) == 0
    found = configs(target)
    assert found["daily_orders", "extract"] == PLAIN
    assert ("daily_orders", "load") not in found
    pods = [value for (dag_id, _), value in found.items() if dag_id == "six_hourly"]
    assert pods == [{"queue": "k8s"}] * len(pods)
    assert pods
    tasks = moved.of("task_instance")
    assert set(tasks.noticed_by_code) == {"executor-config-pickled", "executor-config-pod"}
    assert tasks.failed_count == 0
    assert again.of("task_instance").noticed_by_code == tasks.noticed_by_code
    lines = [json.loads(line) for line in (tmp_path / "rejects" / "values.jsonl").read_text().splitlines()]
    kept: dict[str, list[bytes]] = {}
    for line in lines:
        kept.setdefault(line["code"], []).append(b64decode(line["value"]))
    archived = {code: len(values) for code, values in kept.items() if code.startswith("executor-config")}
    assert archived == dict(tasks.noticed_by_code)  # 1.10 has pickled XComs besides
    assert all(b"fractions" in value for value in kept["executor-config-pickled"]), "the pickle as it was"
    assert all('"image": "etl:7"' in value.decode() for value in kept["executor-config-pod"])
    assert "etl:7" not in (tmp_path / "rejects" / "rejects.jsonl").read_text(), "reasons show no value"


def test_the_policy_and_what_the_target_ran_are_heeded(
    source: Any, target: TargetDatabase, add_dags: Callable[..., None]
) -> None:
    add_dags(*DAG_IDS)
    move_history(source, target, DAG_IDS)
    mine = pickle.dumps({"mine": True}, 4)
    with target.writing() as connection:
        connection.execute(
            text("update task_instance set executor_config = :mine where task_id = 'extract'"), {"mine": mine}
        )

    kept = move_history(source, target, DAG_IDS, policy="target-wins")
    assert kept.of("task_instance").noticed_by_code["executor-config-kept"] > 0
    assert configs(target)["daily_orders", "extract"] == {"mine": True}

    with target.writing() as connection:  # a scheduler took the runs up again
        connection.execute(text("update dag_run set last_scheduling_decision = end_date where dag_id = 'daily_orders'"))
    move_history(source, target, DAG_IDS)
    assert configs(target)["daily_orders", "extract"] == {"mine": True}

    with target.writing() as connection:
        connection.execute(text("update dag_run set last_scheduling_decision = null"))
    move_history(source, target, DAG_IDS)
    assert configs(target)["daily_orders", "extract"] == PLAIN


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (os.environ["AERODROME_BOMB"],))


@dataclass
class ConfiguredSource(MemorySource):
    """A source whose task instances have these, by their place among its rows."""

    configs: dict[int, StoredConfig] = field(default_factory=dict)

    def has_executor_configs(self, kind: HistoryKind) -> bool:
        return kind == "task_instance"

    def executor_configs(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[ConfigRows]:
        if kind == "task_instance":
            for place, stored in self.configs.items():
                row = self.rows["task_instance"][place]
                if row["dag_id"] in window.dag_ids:
                    yield [((row["dag_id"], row["run_id"], row["task_id"], row["map_index"]), stored)]


@pytest.mark.parametrize("value", ["bomb", "list", "broken"])
def test_no_pickle_is_ever_loaded(
    value: str, target: TargetDatabase, add_dags: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AERODROME_BOMB", str(tmp_path / "went off"))
    add_dags("daily")
    pickled = {"bomb": pickle.dumps(Bomb()), "list": pickle.dumps([1, 2, 3]), "broken": b"\x80\x04\x95broken pickle"}[
        value
    ]
    source = ConfiguredSource(rows=make_history("daily", 2), configs={0: pickled})
    assert isinstance(source, OffersExecutorConfigs)

    moved = move_history(source, target, ["daily"])

    assert not (tmp_path / "went off").exists()
    assert moved.of("task_instance").noticed_by_code == {"executor-config-pickled": 1}
    assert moved.is_proven
    assert configs(target) == {}


def test_a_run_that_moves_beside_its_namesake_brings_its_config(
    source: Any, target: TargetDatabase, add_dags: Callable[..., None]
) -> None:
    add_dags(*DAG_IDS)
    move_history(source, target, DAG_IDS)
    with target.writing() as connection:  # as if the target had made them, each for the hour before
        run = target.table("dag_run")
        for number, date in connection.execute(select(run.c.id, run.c.logical_date)).all():
            earlier = date - timedelta(hours=1)
            connection.execute(
                update(run)
                .where(run.c.id == number)
                .values(logical_date=earlier, last_scheduling_decision=run.c.updated_at)
            )
    query = "select task_id, executor_config from task_instance where dag_id = 'daily_orders' and run_id like '%moved'"

    moved = move_history(source, target, DAG_IDS)

    assert moved.is_proven
    with target.reading() as connection:
        rows = connection.execute(text(query)).all()
    found = {task_id: pickle.loads(bytes(stored)) for task_id, stored in rows if stored is not None}
    assert found["extract"] == PLAIN


POD_AS_SHOWN = """{'pod_override': {'api_version': None,
 'spec': {'containers': [{'image': 'etl:7', 'name': 'base'}]}}, 'queue': 'k8s'}"""
"""As `str` writes a V1Pod: kubernetes' models print themselves with pprint."""


def test_what_an_api_shows_is_read_as_literals_only(
    target: TargetDatabase, add_dags: Callable[..., None], tmp_path: Path
) -> None:
    add_dags("daily")
    out = tmp_path / "went off"
    texts = [
        repr(PLAIN | {"odd": 'it\'s "so"\n', "no": None, "pair": (1, 2.5)}),
        POD_AS_SHOWN,
        f"{{'x': __import__('os').mkdir({str(out)!r})}}",
        "{'at': datetime.datetime(2026, 1, 2, 3, 4)}",
        "(" * 5_000,
    ]
    shown: dict[int, StoredConfig] = {place: ShownConfig(each) for place, each in enumerate(texts)}
    source = ConfiguredSource(rows=make_history("daily", 3), configs=shown)

    with RejectsFile(tmp_path / "rejects") as rejects:
        moved = move_history(source, target, ["daily"], rejects=rejects)

    assert not out.exists()
    assert moved.is_proven
    with target.reading() as connection:
        stored = connection.scalars(text("select executor_config from task_instance")).all()
    found = [pickle.loads(bytes(each)) for each in stored if each is not None]
    assert {"queue": "k8s"} in found
    assert PLAIN | {"odd": 'it\'s "so"\n', "no": None, "pair": [1, 2.5]} in found
    assert len(found) == 2
    assert moved.of("task_instance").noticed_by_code == {"executor-config-pickled": 3, "executor-config-pod": 1}
    lines = [json.loads(line) for line in (tmp_path / "rejects" / "values.jsonl").read_text().splitlines()]
    kept = [b64decode(line["value"]).decode() for line in lines if line["code"] == "executor-config-pickled"]
    assert kept == texts[2:], "as the API showed them"


def test_a_comparison_knows_them_exactly(target: TargetDatabase, add_dags: Callable[..., None]) -> None:
    """Rows that differ in nothing else are different; what no transfer would write is none in the target."""
    add_dags("daily")
    rows = make_history("daily", 3)
    other = pickle.dumps(Fraction(1, 2))  # no transfer writes it
    source = ConfiguredSource(rows=rows, configs={0: pickle.dumps(PLAIN), 1: other, 2: pickle.dumps({"a": 1})})
    before = dict(compare_history(source, target, ["daily"]))["daily"]["task_instance"]
    assert (before.missing, before.same, before.different, before.extra) == (6, 0, 0, 0)
    move_history(source, target, ["daily"])

    def compared() -> tuple[int, int, int, int]:
        found = dict(compare_history(source, target, ["daily"]))["daily"]["task_instance"]
        assert len(found.samples.get("different", ())) == min(found.different, 5)
        return found.missing, found.same, found.different, found.extra

    assert compared() == (0, 6, 0, 0)
    source.configs[0] = ShownConfig(repr(PLAIN))  # alike, however it came
    assert compared() == (0, 6, 0, 0)
    source.configs[0] = pickle.dumps(PLAIN | {"more": 1})
    del source.configs[2]  # the target has one more
    source.configs[3] = pickle.dumps({"b": 1})  # the source has
    assert compared() == (0, 3, 3, 0)
    rows["task_instance"][0]["queue"] = "other"  # different anyway: counted once
    assert compared() == (0, 3, 3, 0)
    gone = rows["task_instance"].pop(0)  # extra: counted once
    source.configs = {place - 1: stored for place, stored in source.configs.items() if place}
    assert gone["queue"] == "other"
    assert compared() == (0, 3, 2, 1)
