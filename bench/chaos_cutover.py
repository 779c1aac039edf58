"""The cutover under faults, over two real metadata databases that live meanwhile: does every interval keep one owner?

The platform's process is killed (-9) right after it committed the intent of a step and right before it commits its outcome,
for every kind of step; both sides' and the platform's databases are cut off; the source's `dag` table is locked, as when it
does not answer; DAGs are unpaused and paused by hand in the middle; the target's clock is 20 s ahead. After each fault
the same wave is walked again, as the worker does. Then the same over REST, whose API hangs, fails and is cut off (chaos_rest).

One DAG in twenty has a run that never ends: it is stopped in the source and has to run again in the target, once. Three DAGs
change in the source after the plan was made: they must be refused until a person has seen to it.

    python -m bench.chaos_cutover [--dags 60] [--rest-dags 20]      last line: one JSON object; `rest` is the second part alone
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from bench.chaos_rest import ANSWER_S, MODES, PASSWORD, USER, BreakingProxy, served
from bench.cutover import SUBJECT, TRACK, moved_until, open_journal, open_sides, sides_with, steps_of
from bench.rig import load, note
from bench.two_airflows import SideName, TwoAirflows, made, plain

from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.migration import cutover
from aerodrome.migration.plan.contract import Step
from aerodrome.migration.plan.needs import needs_of
from aerodrome.migration.service.conducting import StoreLedger, act_of
from aerodrome.migration.sources.airflow_rest.adapter import AirflowRestSource
from aerodrome.migration.sources.airflow_rest.client import RestReader
from aerodrome.migration.sources.contract import RestConfig
from aerodrome.store import journal
from aerodrome.store.engine import open_store

KINDS = ("check", "pause", "drain", "sync", "prove", "unpause", "watch")
POINTS = ("after-intent", "before-outcome")
LIVES_AT_MOST = 20
LIFE_S = 40.0
"""A life that did not meet its fault is killed after this time, at whatever it does then."""
AFTER_S = 5.0
"""How long a life goes on after harm was done to it from outside."""
RUN_S = "case when d % 20 = 6 then 100000 else 1 + d % 3 end"
BREAK_S = 12.0
"""How long the source's API is broken in one way."""
ADDED = ("faults", "killed", "lives", "dags", "intervals", "duplicates", "gaps")
BUSY_S = 2.0
"""Processor seconds after which a life is past its start."""


@dataclass
class DeadlyLedger(StoreLedger):
    """Kills its own process (-9) at a step of a kind, once."""

    kind: str = ""
    point: str = ""
    seen: dict[str, int] = field(default_factory=dict)

    def _die_at(self, keys: Sequence[str], point: str) -> None:
        if point == self.point and any(key.startswith(f"cutover.{self.kind}:") for key in keys):
            os.kill(os.getpid(), signal.SIGKILL)

    def begin(self, keys: Sequence[str]) -> None:
        super().begin(keys)
        self._die_at(keys, "after-intent")

    def done(self, results: Mapping[str, Mapping[str, Any]]) -> None:
        self._die_at(list(results), "before-outcome")
        super().done(results)


@dataclass(frozen=True)
class Order:
    """What a life of the platform is told."""

    urls: dict[SideName, str]
    platform: str
    folder: Path
    dags: dict[str, Any]
    since: dict[str, datetime]
    rest: str = ""  # where the source's API is; empty: the source is read by its database


def live(order_file: Path, kind: str, point: str) -> int:
    """Be the platform once: walk the wave until it ends, or until we die."""
    order: Order = pickle.loads(order_file.read_bytes())
    world = TwoAirflows(order.folder, None, order.urls, order.dags)  # type: ignore[arg-type]
    store = open_store(order.platform)
    with store.reading() as session:
        rows = journal.steps(session, SUBJECT, TRACK)
    steps = [Step(row.key, row.phase, row.kind, row.title, row.params) for row in rows]
    done = {row.key: row.result or {} for row in rows if row.status == "done"}
    sides = over_rest(world, order) if order.rest else open_sides(world, order.since)
    ended = cutover.Conductor(
        sides,
        steps,
        needs_of(steps, world.dags),
        done,
        lambda step, found: act_of(sides, step, found),
        DeadlyLedger(store, SUBJECT, TRACK, kind=kind, point=point),
        cutover.Limits(held=3, source_per_s=0.2 if order.rest else 2, error_budget=1000),
    ).run()
    for dag_id, error in ended.errors.items():
        note(f"  {dag_id}: {error.code}")
    with Path(f"{order_file}.errors").open("a", encoding="utf-8") as told:
        told.writelines(f"{error.code} {dag_id}\n" for dag_id, error in ended.errors.items())
    store.close()
    return 0 if ended.how == "done" else 3


def over_rest(world: TwoAirflows, order: Order) -> cutover.CutoverContext:
    """Open both sides as the service does for a source over REST, only less patient."""
    secret, none = Secret(PASSWORD), Secret("")
    config = RestConfig("old", order.rest, USER, secret, none, world.folder / "dags")
    reader = RestReader(order.rest, USER, secret, none, timeout_s=ANSWER_S)
    source = AirflowRestSource(config, b"bench", SystemClock(), reader)
    return replace(sides_with(world, source, {}), carried=None)


class Faults:
    """Does harm from outside while a life goes on."""

    def __init__(self, world: TwoAirflows, platform: str) -> None:
        self.world = world
        self.platform = platform
        self.changed: set[str] = set()

    def _admin(self, url: str) -> psycopg.Connection[Any]:
        base = plain(url).rsplit("/", 1)[0]
        return psycopg.connect(f"{base}/postgres", autocommit=True)

    def cut(self, url: str) -> None:
        """Cut a database off for some seconds: every connection ends, none begins."""
        name = plain(url).rsplit("/", 1)[1]
        with self._admin(url) as admin:
            admin.execute(f'alter database "{name}" allow_connections false')
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
            time.sleep(2)
            admin.execute(f'alter database "{name}" allow_connections true')

    def silence_source(self) -> None:
        """Let the source not answer for some seconds."""
        with self.world.connect("source") as source, source.transaction():
            source.execute("lock table dag in access exclusive mode")
            time.sleep(4)

    def change_dags(self) -> None:
        """Deploy another version of three DAGs that the source still runs; the last ones, so that no life has them already."""
        with self.world.connect("source") as source:
            found = source.execute(
                "update serialized_dag set data = jsonb_set(data::jsonb, '{dag,doc_md}', '\"changed\"')::json where dag_id in"
                " (select dag_id from dag where not is_paused order by dag_id desc limit 3) returning dag_id"
            ).fetchall()
        self.changed |= {row[0] for row in found}
        note(f"  {', '.join(sorted(self.changed))} changed in the source")

    def mend_dags(self) -> None:
        """Bring the version of the plan back, as a person does who has seen the refusal."""
        with self.world.connect("source") as source:
            source.execute("update serialized_dag set data = (data::jsonb #- '{dag,doc_md}')::json")

    def unpause_by_hand(self) -> None:
        """Unpause a DAG that the cutover holds and that is not started; pause it again after it ran something."""
        with self.world.connect("source") as source, self.world.connect("target") as target:
            held = {row[0] for row in source.execute("select dag_id from dag where is_paused")}
            live = {row[0] for row in target.execute("select dag_id from dag where not is_paused")}
            for dag_id in sorted(held - live)[:1]:
                note(f"  {dag_id} is unpaused in the source by hand")
                source.execute("update dag set is_paused = false where dag_id = %s", (dag_id,))
                time.sleep(3)
                source.execute("update dag set is_paused = true where dag_id = %s", (dag_id,))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dags", type=int, default=60)
    parser.add_argument("--rest-dags", type=int, default=20)
    parser.add_argument("--live", nargs=3)
    wanted = parser.parse_args()
    if wanted.live:
        try:
            sys.exit(live(Path(wanted.live[0]), wanted.live[1], wanted.live[2]))
        except Unavailable as error:  # the platform's own database: whoever runs the job begins the walk again
            note(f"  {error.code}")
            sys.exit(4)
    period = "case d % 3 when 0 then 60 when 1 then 30 else 120 end"
    with (
        tempfile.TemporaryDirectory() as folder,
        made(Path(folder), wanted.dags, runs=3, tasks=1, period=period, run_s=RUN_S) as world,
        world.working(ahead_s=20),
    ):
        with world.connect("target") as target:
            target.execute("update bench_plan set run_s = 1 where run_s > 1000")  # what is stopped there ends here
        figures = torture(world, Path(folder)) if wanted.dags else {}
    if wanted.rest_dags:
        with (
            tempfile.TemporaryDirectory() as folder,
            made(
                Path(folder), wanted.rest_dags, runs=3, tasks=1, period="30 + 30 * (d % 2)", run_s="1 + d % 3"
            ) as world,
            world.working(ahead_s=20),
            served(world) as proxy,
        ):
            rest = torture_rest(world, Path(folder), proxy)
        both = {name: figures.get(name, 0) + rest[name] for name in ADDED}
        figures = {**figures, **both, "is_done": figures.get("is_done", True) and rest["is_done"], "rest": rest}
    sys.stdout.write(json.dumps({**figures, "load": load()}) + "\n")


def began(process: subprocess.Popen[bytes]) -> None:
    """Wait until a life does something, which takes a while on a busy machine: until it has used some of the processor."""
    for _ in range(600):
        try:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            return
        if (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") > BUSY_S:
            return
        time.sleep(0.1)


def torture(world: TwoAirflows, folder: Path) -> dict[str, Any]:
    """Live as often as it takes, each life with one fault, then without."""
    since = moved_until(world)
    endless = [dag_id for dag_id in world.dags if int(dag_id.removeprefix("dag_")) % 20 == 6]
    own = {"on_deadline": "rerun", "drain_deadline": 3}
    store = open_journal(world, steps_of(world, dict.fromkeys(endless, own)))
    store.close()
    platform = world.server.url("platform").reveal()
    order = folder / "order"
    order.write_bytes(pickle.dumps(Order(dict(world.urls), platform, world.folder, world.dags, since)))
    faults = Faults(world, platform)
    outside: list[tuple[str, Callable[[], None]]] = [
        ("changed since the plan", faults.change_dags),
        ("source cut off", lambda: faults.cut(world.urls["source"])),
        ("target cut off", lambda: faults.cut(world.urls["target"])),
        ("platform cut off", lambda: faults.cut(platform)),
        ("source does not answer", faults.silence_source),
        ("unpaused by hand", faults.unpause_by_hand),
        ("unpaused by hand again", faults.unpause_by_hand),
    ]
    plan: list[tuple[str, str, Callable[[], None] | None]] = []
    for kind in KINDS:
        for point in POINTS:
            plan.append((kind, point, None))
            if outside and kind != "check":  # all checks come first, once
                name, act = outside.pop(0)
                plan.append(("", name, act))
    lives, killed, code = live_through(plan, order, faults.mend_dags)
    note("living on")
    time.sleep(70)
    intervals, doubled, lost = world.owners()
    stopped, ran_again = world.stopped()
    told = Path(f"{order}.errors")
    refused = (
        {line.split()[1] for line in told.read_text().splitlines() if line.startswith("source-dag-changed ")}
        if told.exists()
        else set()
    )
    with world.connect("target") as target:
        row = target.execute("select count(*) from dag where not is_paused").fetchone()
    return {
        "faults": min(lives, len(plan)) + 1,  # and the skewed clock all the time
        "killed": killed,
        "lives": lives,
        "is_done": code == 0,
        "changed": len(faults.changed),
        "changed_refused": len(refused & faults.changed),
        "stopped": stopped,
        "ran_again": ran_again,
        "dags": row[0] if row else 0,
        "intervals": intervals,
        "duplicates": doubled,
        "gaps": lost,
    }


def torture_rest(world: TwoAirflows, folder: Path, proxy: BreakingProxy) -> dict[str, Any]:
    """Break the source's API in each way, and kill the platform between what it asked for and what it wrote down of it."""
    open_journal(world, steps_of(world)).close()
    platform = world.server.url("platform").reveal()
    order = folder / "order"
    order.write_bytes(pickle.dumps(Order(dict(world.urls), platform, world.folder, world.dags, {}, proxy.url)))
    faults = Faults(world, platform)

    def breaking(mode: str) -> Callable[[], None]:
        return lambda: proxy.break_for(mode, BREAK_S)

    plan: list[tuple[str, str, Callable[[], None] | None]] = []
    for mode, kind in zip(MODES, ("pause", "drain", "sync", "prove", "unpause"), strict=True):
        plan += [("", f"API: {mode}", breaking(mode)), (kind, "before-outcome", None)]
    plan.append(("", "its database is cut off", lambda: faults.cut(world.urls["source"])))
    lives, killed, code = live_through(plan, order, lambda: None)
    note("living on")
    time.sleep(70)
    intervals, doubled, lost = world.owners()
    with world.connect("target") as target:
        row = target.execute("select count(*) from dag where not is_paused").fetchone()
    return {
        "faults": min(lives, len(plan)) + 1,
        "killed": killed,
        "lives": lives,
        "is_done": code == 0,
        "broken": dict(sorted(proxy.broken.items())),
        "dags": row[0] if row else 0,
        "intervals": intervals,
        "duplicates": doubled,
        "gaps": lost,
    }


def live_through(
    plan: Sequence[tuple[str, str, Callable[[], None] | None]], order: Path, mend: Callable[[], None]
) -> tuple[int, int, int]:
    """Live with one fault after the other, then without; give how many lives it took, how many were killed, the last one's code."""
    lives = killed = 0
    code = 1
    for kind, point, harm in [*plan, *[("", "", None)] * LIVES_AT_MOST]:
        lives += 1
        note(f"life {lives}: {kind} {point}")
        command = [sys.executable, "-m", "bench.chaos_cutover", "--live", str(order), kind or "-", point or "-"]
        process = subprocess.Popen(command)
        if harm is not None:
            began(process)
            harm()
            time.sleep(AFTER_S)
            process.kill()  # so that DAGs are left for the other faults
        try:
            code = process.wait(LIFE_S if kind or harm else None)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        killed += code == -signal.SIGKILL
        if code == 0:
            break
        if code == 3 and not (kind or harm):
            mend()  # a life without a fault has ended by itself: a person has seen what it refused
    return lives, killed, code


if __name__ == "__main__":
    main()
