"""A real Airflow 2 moves to a real Airflow 3 while the server is killed at every step; nothing is lost, nothing runs twice.

If this breaks, a power cut in the middle of a migration costs runs, or runs them again.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from tests.journeys.conftest import FIRST_WAVE, TARGET_VERSION, Moved
from tests.journeys.server import Run

from aerodrome.demo.selfmanaged import AIRFLOW_VERSION

pytestmark = [pytest.mark.airflow, pytest.mark.journey]
FINISHED = {"success", "failed"}


def test_the_server_died_at_every_step_of_apply_and_at_every_kind_of_cutover_step(moved: Moved) -> None:
    died = [(track, key) for track, key, _status in moved.kills]
    assert [key for track, key in died if track == "apply"] == [key for track, key in moved.dry_run if track == "apply"]
    kinds = {key.split(":")[0] for track, key in moved.dry_run if track == "cutover:first"}
    assert {key.split(":")[0] for track, key in died if track == "cutover:first"} == kinds
    assert any(status == "running" for track, _key, status in moved.kills if track == "cutover:first")
    assert moved.server.kills == len(died)


def test_everything_is_done_with_the_very_steps_of_the_dry_run_in_their_order(moved: Moved) -> None:
    assert moved.migration is not None
    tracks = ("apply", "cutover:first")
    steps = [step for step in moved.migration.steps if step["track"] in tracks]
    assert {step["status"] for step in steps} == {"done"}
    ended = [(step["track"], step["key"]) for step in sorted(steps, key=lambda step: step["finished_at"])]
    assert sorted(ended) == sorted(row for row in moved.dry_run if row[0] in tracks)
    assert _of("apply", ended) == _of("apply", moved.dry_run)
    for dag_id in FIRST_WAVE:  # the DAGs of a wave go side by side, each in its own order
        assert _of(dag_id, ended) == _of(dag_id, moved.dry_run)
    assert moved.migration.status == "applied"  # other waves are still to come
    assert (moved.migration.source_version, moved.migration.target_version) == (AIRFLOW_VERSION, TARGET_VERSION)


def _of(name: str, rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Give the rows of a track, or those of a DAG in the first wave."""
    return [row for row in rows if row[0] == name or (row[0] == "cutover:first" and row[1].endswith(f":{name}"))]


def test_what_was_found_has_moved_and_both_sides_hash_alike(moved: Moved) -> None:
    kinds = moved.report["kinds"]
    assert {"dag", "connection", "variable", "pool", "env_var"} <= kinds.keys()
    for name, row in kinds.items():
        assert row["found"] == row["moved"] + row["failed"] + row.get("left_out", 0) > 0, name
        assert row.get("source_hash") == row.get("target_hash"), name
    history = moved.report["history"]["kinds"]
    assert {"run", "task_instance", "task_try", "xcom"} <= history.keys()
    for name, row in history.items():
        assert row["found"] == row["moved"] + row["failed"], name
        assert row["source_hashes"] == row["target_hashes"], name
    assert moved.report["error"] is None


def test_the_comparison_finds_nothing_but_what_the_target_ran(moved: Moved) -> None:
    assert [dag["dag_id"] for dag in moved.difference["dags"]] == sorted(FIRST_WAVE)
    for kind, row in moved.difference["totals"].items():
        assert (row["missing"], row["different"]) == (0, 0), kind
    runs = moved.difference["totals"]["run"]
    assert runs["same"] > 0
    assert runs["extra"] > 0, "what the target ran since"
    objects = moved.difference["objects"]
    assert {"connections", "variables", "pools"} <= objects.keys()
    assert all(not item["missing"] and not item["different"] and item["same"] for item in objects.values())
    assert "canary" not in str(moved.difference)


def test_no_run_stands_twice_in_the_target(moved: Moved) -> None:
    scheduled = Counter((run.dag_id, run.begin) for run in moved.target_runs if run.run_type == "scheduled")
    assert [key for key, count in scheduled.items() if count > 1] == []
    named = Counter((run.dag_id, run.run_id) for run in moved.target_runs)
    assert max(named.values()) == 1


def test_moved_runs_are_the_source_s_with_all_their_tasks(moved: Moved) -> None:
    here = {(run.dag_id, run.run_id): run for run in moved.target_runs}
    compared = 0
    for run in moved.source_runs:
        copy = here.get((run.dag_id, run.run_id))
        if copy is None:
            assert run.dag_id not in FIRST_WAVE, (
                run
            )  # of the others, what ended after the transfer comes with their wave
            continue
        compared += 1
        assert (copy.state, copy.begin, copy.end, copy.started, copy.tasks) == (
            run.state,
            run.begin,
            run.end,
            run.started,
            run.tasks,
        )
    assert compared > len(FIRST_WAVE)


@pytest.mark.parametrize("dag_id", FIRST_WAVE)
def test_each_interval_ran_exactly_once_over_both_airflows(moved: Moved, dag_id: str) -> None:
    source = _scheduled(moved.source_runs, dag_id)
    target = _scheduled(moved.target_runs, dag_id)
    moved_here = {run.run_id for run in source}
    ran_here = [run for run in target if run.run_id not in moved_here]
    assert source
    assert ran_here
    # the source is done with it
    assert moved.source_paused[dag_id]
    assert {run.state for run in source} <= FINISHED
    # the target goes on at the very interval where the source stopped
    assert ran_here[0].begin == source[-1].end
    assert ran_here[0].state == "success"
    # nothing twice, nothing missing
    intervals = [(run.begin, run.end) for run in (*source, *ran_here)]
    assert len(set(intervals)) == len(intervals)
    for before, after in pairwise(intervals):
        assert before[1] == after[0]
    assert [run.run_id for run in target] == [run.run_id for run in (*source, *ran_here)]


def test_first_runs_in_the_target_ended_well(moved: Moved) -> None:
    entries = {entry["dag_id"]: entry for entry in moved.report["cutover"]}
    assert entries.keys() == set(FIRST_WAVE)
    for entry in entries.values():
        assert entry["first_target_state"] == "success"
        assert entry["first_target_interval"][0] == entry["last_source_interval"][1]


def test_the_target_s_airflow_never_noticed_the_kills(moved: Moved) -> None:
    after_apply, after_cutover = moved.pids
    assert all(after_apply.values())
    assert after_cutover == after_apply
    assert moved.restarts == 0


def _scheduled(runs: list[Run], dag_id: str) -> list[Run]:
    return [run for run in runs if run.dag_id == dag_id and run.run_type == "scheduled"]
