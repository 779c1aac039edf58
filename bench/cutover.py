"""The cutover of 4,072 DAGs while both sides live: how long it takes, and how long a DAG stands between the sides.

Source and target are real metadata databases of Airflow 2.11.2 and 3.3.2 on PostgreSQL (bench/two_airflows.py); the journal
is the platform's own, on PostgreSQL as well. `max_gap_s` is the longest time in which neither side would have scheduled a
DAG: from its pause (or the end of what was still running then: the drain) to its start in the target.

    python -m bench.cutover [--dags 4072] [--runs 10]      last line: one JSON object
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from bench.rig import load, note
from bench.two_airflows import TwoAirflows, made, plain

from aerodrome.kernel.clock import SystemClock, from_text
from aerodrome.kernel.secret import Secret
from aerodrome.migration import cutover
from aerodrome.migration.cutover.hosted import HostedTarget
from aerodrome.migration.plan.contract import Step
from aerodrome.migration.plan.handover import wave_steps
from aerodrome.migration.plan.needs import needs_of
from aerodrome.migration.service.conducting import StoreLedger, act_of
from aerodrome.migration.service.syncing import Syncing
from aerodrome.migration.sources.airflow_db.adapter import AirflowDatabaseSource
from aerodrome.migration.sources.contract import SourceAdapter, SourceConfig
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.store import journal, schema
from aerodrome.store.engine import Store, open_store

SUBJECT, TRACK = "mig_bench", "cutover:wave-1"
MARK = f"aerodrome:{SUBJECT}"
POLICIES = {
    "drain_deadline": 600, "on_deadline": "fail", "prove_limit": 120, "watch_limit": 60, "missed": "report",
}  # fmt: skip


class NoApi:
    """Airflow's REST API is not there; what clearing a run does to the rows (3.3.2, models/taskinstance.py) is done here."""

    def __init__(self, target_url: str) -> None:
        self._url = target_url

    def backfill(self, dag_id: str, first: datetime, last: datetime) -> None:
        raise NotImplementedError(f"{dag_id} {first} {last}")

    def run_again(self, dag_id: str, run_id: str) -> None:
        with psycopg.connect(plain(self._url)) as target:
            target.execute(
                "update dag_run set state = 'running', start_date = clock_timestamp(), end_date = null,"
                " clear_number = clear_number + 1, updated_at = clock_timestamp(), created_dag_version_id ="
                " (select id from dag_version where dag_id = %(dag)s order by version_number desc limit 1)"
                " where dag_id = %(dag)s and run_id = %(run)s",
                {"dag": dag_id, "run": run_id},
            )
            target.execute(
                "update task_instance set state = 'running', start_date = clock_timestamp(), end_date = null"
                " where dag_id = %s and run_id = %s and state in ('failed', 'upstream_failed')",
                (dag_id, run_id),
            )

    def ask_to_parse(self, dag_id: str) -> None:
        """Do nothing, as is allowed: every DAG is parsed every 30 s."""


def steps_of(world: TwoAirflows, dags: Mapping[str, Mapping[str, Any]] | None = None) -> tuple[Step, ...]:
    """Give the steps of a wave of all DAGs; `dags`: policies that some have of their own."""
    settings = {"policies": POLICIES, "dags": dags or {}}
    return wave_steps({"name": "wave-1", "dags": list(world.dags)}, settings, world.dags)


def open_sides(world: TwoAirflows, since: Mapping[str, datetime]) -> cutover.CutoverContext:
    """Open both sides as the service does."""
    config = SourceConfig("airflow-db", "old", Secret(world.urls["source"]), Secret(""), world.folder / "dags")
    source = AirflowDatabaseSource(config, b"bench", SystemClock())
    sides = sides_with(world, source, since)
    return replace(sides, stopping=source, versions=source.dag_versions)


def sides_with(world: TwoAirflows, source: SourceAdapter, since: Mapping[str, datetime]) -> cutover.CutoverContext:
    """Open the target, and take any source."""
    target = TargetDatabase(world.access())
    hosted = HostedTarget(target, NoApi(world.urls["target"]))
    sync = Syncing(source, target, world.dags, lambda _moved: "", since)
    return cutover.CutoverContext(
        source=source,
        target=hosted,
        sync=sync,
        ahead=sync.ahead if isinstance(source, AirflowDatabaseSource) else None,
        dags=world.dags,
        clock=SystemClock(),
        sleep=time.sleep,
        mark=MARK,
        carried=hosted.carried,
        poll_s=0.5,
        settle_s=1.0,
    )


def moved_until(world: TwoAirflows) -> dict[str, datetime]:
    """Give up to when the history was moved before, by DAG: up to what both sides were filled with."""
    config = SourceConfig("airflow-db", "old", Secret(world.urls["source"]), Secret(""), world.folder / "dags")
    source = open_source(config, b"bench")
    until = source.history_watermark(list(world.dags))
    source.close()
    return dict.fromkeys(world.dags, until) if until else {}


def open_journal(world: TwoAirflows, steps: Sequence[Step]) -> Store:
    store = open_store(world.server.create_database("platform").reveal())
    schema.upgrade(store)
    with store.writing() as session:
        journal.open_track(session, SUBJECT, TRACK, [step.as_data() for step in steps])
    return store


def walk(world: TwoAirflows, store: Store, since: Mapping[str, datetime], limits: cutover.Limits) -> cutover.Ended:
    """Walk the track, or go on where it stopped."""
    with store.reading() as session:
        rows = journal.steps(session, SUBJECT, TRACK)
    steps = [Step(row.key, row.phase, row.kind, row.title, row.params) for row in rows]
    done = {row.key: row.result or {} for row in rows if row.status == "done"}
    sides = open_sides(world, since)
    ledger = StoreLedger(store, SUBJECT, TRACK)
    return cutover.Conductor(
        sides, steps, needs_of(steps, world.dags), done, lambda step, found: act_of(sides, step, found), ledger, limits
    ).run()


def gaps_s(store: Store) -> dict[str, float]:
    """Give per DAG how long neither side would have scheduled it, drain left out."""
    with store.reading() as session:
        results: dict[str, Mapping[str, Any]] = {
            row.key: row.result for row in journal.steps(session, SUBJECT, TRACK) if row.result
        }
    found = {}
    for key, started in results.items():
        kind, _, dag_id = key.partition(":")
        if kind != "cutover.unpause":
            continue
        paused, drained = results[f"cutover.pause:{dag_id}"], results[f"cutover.drain:{dag_id}"]
        began = from_text(drained["busy_until"]) or from_text(paused["paused_at"])
        ended = from_text(started["unpaused_at"])
        assert began is not None
        assert ended is not None
        found[dag_id] = (ended - began).total_seconds()
    return found


def last_start(store: Store) -> float:
    """Give when the last DAG was started in the target, in seconds since 1970."""
    with store.reading() as session:
        steps = journal.steps(session, SUBJECT, TRACK)
    return max(step.finished_at.timestamp() for step in steps if step.kind == "cutover.unpause" and step.finished_at)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dags", type=int, default=4072)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--tasks", type=int, default=2)
    parser.add_argument("--held", type=int, default=cutover.Limits.held)
    wanted = parser.parse_args()
    period = (
        "case d % 20 when 0 then 300 when 1 then 600 when 2 then 900 when 3 then 1800 when 4 then 3600 else 86400 end"
    )
    with tempfile.TemporaryDirectory() as folder:
        note(f"making two Airflows with {wanted.dags} DAGs")
        with made(
            Path(folder), wanted.dags, runs=wanted.runs, tasks=wanted.tasks, period=period, run_s="1 + d % 4"
        ) as world:
            since = moved_until(world)
            with world.working():
                time.sleep(20)
                note("cutting over")
                store = open_journal(world, steps_of(world))
                began, started = time.monotonic(), time.time()
                ended = walk(world, store, since, cutover.Limits(held=wanted.held))
                watched = time.monotonic() - began
                note(f"{ended.how}; {len(ended.errors)} failed; living on for a while")
                for dag_id, error in list(ended.errors.items())[:5]:
                    note(f"{dag_id}: {error}")
                seconds = last_start(store) - started
                time.sleep(45)
            found = sorted(gaps_s(store).values())
            intervals, doubled, lost = world.owners()
            store.close()
    figures = {
        "dags": len(found),
        "seconds": round(seconds, 1),
        "max_gap_s": round(found[-1], 2),
        "seconds_with_watch": round(watched, 1),
        "median_gap_s": round(found[len(found) // 2], 2),
        "failed": len(ended.errors),
        "intervals": intervals,
        "duplicates": doubled,
        "gaps": lost,
        "cpu_seconds": round(time.process_time(), 1),
        "load": load(),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
