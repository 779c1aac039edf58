"""Before and after a transfer a team can see what differs, without anything being written and without any secret shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text
from tests.rooms.migration.transfer.conftest import MemorySource, make_history, make_run, make_task

from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.records import PoolRecord
from aerodrome.migration.sources.contract import ConnectionValue, VariableValue
from aerodrome.migration.transfer import TargetDatabase, move_connections, move_history, move_pools, move_variables
from aerodrome.migration.transfer.difference import DagDifference, compare_history, totals_of
from aerodrome.migration.transfer.objects import compare_objects

pytestmark = pytest.mark.airflow


def _numbers(found: DagDifference) -> dict[str, tuple[int, int, int, int]]:
    return {kind: (item.missing, item.same, item.different, item.extra) for kind, item in found.items()}


def test_what_is_missing_same_different_and_extra_is_counted(
    target: TargetDatabase, add_dags: Callable[..., None]
) -> None:
    add_dags("daily", "hourly")
    rows = make_history("daily", 4)
    for kind, more in make_history("hourly", 2).items():
        rows[kind] += more
    source = MemorySource(rows=rows)
    before = dict(compare_history(source, target, ["daily", "hourly"]))
    assert _numbers(before["daily"]) == {
        "run": (4, 0, 0, 0), "task_instance": (8, 0, 0, 0), "task_try": (4, 0, 0, 0), "xcom": (4, 0, 0, 0),
        "rendered": (4, 0, 0, 0),
    }  # fmt: skip
    move_history(source, target, ["daily", "hourly"])
    first, second, third = (run["run_id"] for run in rows["run"][:3])
    own = make_run("daily", 20)
    for row in (own, make_task(own, "extract"), make_task(rows["run"][2], "extra")):
        rows["run" if "task_id" not in row else "task_instance"].append(row)
    move_history(source, target, ["daily"])  # three rows that the source forgets again
    rows["run"] = [run for run in rows["run"] if run["run_id"] != own["run_id"]]
    rows["task_instance"] = [
        row for row in rows["task_instance"] if row["run_id"] != own["run_id"] and row["task_id"] != "extra"
    ]
    rows["run"].append(make_run("daily", 30, state="running"))
    with target.writing() as connection:
        connection.execute(text("delete from dag_run where dag_id = 'daily' and run_id = :id"), {"id": first})
        connection.execute(
            text("update task_instance set queue = 'x' where run_id = :id and dag_id = 'daily' and task_id = 'load'"),
            {"id": second},
        )

    found = dict(compare_history(source, target, ["daily", "hourly"]))

    assert _numbers(found["daily"]) == {
        "run": (1, 3, 0, 1), "task_instance": (2, 5, 1, 2), "task_try": (1, 3, 0, 0), "xcom": (1, 3, 0, 0),
        "rendered": (1, 3, 0, 0),
    }  # fmt: skip
    assert all(item.is_equal for item in found["hourly"].values())
    assert found["daily"]["run"].refused == {"run-not-final": 1}
    tasks = found["daily"]["task_instance"].samples
    assert tasks["missing"] == [f"daily/{first}/extract/-1", f"daily/{first}/load/-1"]
    assert tasks["different"] == [f"daily/{second}/load/-1"]
    assert set(tasks["extra"]) == {f"daily/{third}/extra/-1", f"daily/{own['run_id']}"}
    assert found["daily"]["run"].samples["extra"] == [f"daily/{own['run_id']}"]
    assert totals_of(found.values())["run"].as_data() | {"samples": {}} == {
        "missing": 1, "same": 5, "different": 0, "extra": 1, "refused": {"run-not-final": 1}, "samples": {},
    }  # fmt: skip
    again = dict(compare_history(source, target, ["daily", "hourly"]))
    assert _numbers(again["daily"]) == _numbers(found["daily"]), "nothing was written"


def test_objects_are_compared_by_keyed_hash(target: TargetDatabase) -> None:
    def connection(password: str) -> ConnectionValue:
        return ConnectionValue("db", "postgres", "h", 5432, "s", "me", None, Secret(password), None)

    source = MemorySource(
        connections=[connection("canary-1")],
        variables=[VariableValue("a", Secret("canary-2"), None), VariableValue("b", Secret("canary-3"), None)],
        pools=[PoolRecord("etl", 3, None, False)],
        unreadable={"locked"},
    )
    move_connections(source, target, ["db"])
    move_variables(source, target, ["a"])
    move_pools(source, target, ["etl"])
    source.connections = [connection("canary-4")]
    source.pools = [PoolRecord("etl", 4, None, False)]

    assert dict(compare_objects("connections", source, target, ["db"])) == {"db": "different"}
    assert dict(compare_objects("variables", source, target, ["a", "b", "locked", "gone"])) == {
        "a": "same", "b": "missing", "locked": "fernet-key-wrong", "gone": "variable-gone",
    }  # fmt: skip
    assert dict(compare_objects("pools", source, target, ["etl"])) == {"etl": "different", "default_pool": "extra"}
    assert dict(compare_objects("variables", source, target, ["b"])) == {"b": "missing", "a": "extra"}
