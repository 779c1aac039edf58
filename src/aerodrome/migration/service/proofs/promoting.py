"""Steps of a promotion: a wave goes through a development deployment to production, gate by gate.

It is deployed, tested and compared in development; then the same bundle goes to production, the wave is cut over and watched.
With more failures at a gate than the error budget allows, it ends there.

Nothing waits inside a step: one that waits for a cutover or a window gives its thread back (`Later`) and is looked at again, so a
platform with a single worker thread gets on, and a kill costs one more look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from aerodrome.airflowkit.rest import AirflowRest
from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.errors import Conflict, NotFound
from aerodrome.migration.parity import read_declarations
from aerodrome.migration.parity.sandbox import refusals
from aerodrome.migration.plan.windows import Window
from aerodrome.migration.service.boards import WaveView
from aerodrome.migration.service.context import Later
from aerodrome.migration.service.proofs.contract import ProofContext
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.store import outbox

LOOK_S = 2.0
WATCH_EVERY_S = 15.0
LIVE_TIMEOUT_S = 600.0
SHOWN = 50
OUTPUT_SHOWN = 1000
"""Characters of a test command's output that are kept, the last ones."""
TEST_RUN = "e2e__"
WAITING = frozenset({"promotion.window", "promotion.cutover", "promotion.watch"})
"""Steps that are looked at again and again while something else goes on."""
Params = Mapping[str, Any]
Result = Mapping[str, Any]


def steps(
    wave: str,
    ready: Sequence[Mapping[str, Any]],
    compared: Sequence[Mapping[str, Any]],
    *,
    tests: int,
    budget: int,
    window: str,
    deployment: str,
    watch_s: float,
) -> list[dict[str, Any]]:
    """Give the steps of a promotion in order. `ready` and `compared` are those of a comparison of the wave."""
    found = [dict(step) for step in ready]
    if tests:
        found.append(_step("tests", f"Run {tests} end-to-end test{'' if tests == 1 else 's'} there"))
    found += [dict(step) for step in compared]
    if compared:
        found.append(_step("gate", f"Gate: go on when no more than {budget} differ"))
    found.append(_step("bundle", f"Put the same bundle on {deployment}"))
    if window:
        found.append(_step("window", f"Wait for the window {window} UTC", window=window))
    found.append(_step("begin", f"Begin the cutover of {wave}"))
    found.append(_step("cutover", f"Wait until {wave} is handed over and its first cycles were seen"))
    found.append(_step("watch", f"Watch its runs for {timedelta(seconds=int(watch_s))}, then judge"))
    return found


def _step(name: str, title: str, **params: Any) -> dict[str, Any]:
    return {"key": f"promotion.{name}", "kind": f"promotion.{name}", "title": title, "params": params}


# --- in development ----------------------------------------------------------------------------------------------


def run_tests(context: ProofContext, params: Params) -> Result:
    """Run the declared tests one after another; Conflict `promotion-test-failed` names the first that failed and the others."""
    del params
    rows = []
    deployment_id = str(context.results["compare.ready"]["deployment_id"])
    with AirflowRest.of(context.fleet.access(context.actor, deployment_id)) as rest:
        for test in read_declarations(context.params.get("file")).tests:
            context.progress(f"testing {test.name}")
            if test.dag:
                is_good, said = _run_dag(context, rest, deployment_id, test.name, test.dag, test.conf, test.timeout_s)
            else:
                is_good, said = _run_command(context, deployment_id, test.command, test.timeout_s)
            rows.append({"name": test.name, "is_good": is_good, "message": said})
    rows = context.fleet.hide(context.actor, deployment_id, rows)
    bad = [row for row in rows if not row["is_good"]]
    if bad:
        raise Conflict(
            f"{len(bad)} of {len(rows)} end-to-end tests failed; {bad[0]['name']}: {bad[0]['message'][-300:]}",
            code="promotion-test-failed",
            hint="Mend it, apply the plan again, then promote again: nothing in production has changed.",
            details={"tests": rows},
        )
    return {"tests": rows, "summary": f"{len(rows)} passed."}


def _run_command(
    context: ProofContext, deployment_id: str, command: Sequence[str], timeout_s: float
) -> tuple[bool, str]:
    question = {"command": list(command), "timeout_s": timeout_s}
    ran = context.fleet.ask(context.actor, deployment_id, "command", question, timeout_s + 60)
    # Masked before it is cut: a secret that the cut goes through is not known any more.
    output = str(context.fleet.hide(context.actor, deployment_id, ran["output"])).strip()[-OUTPUT_SHOWN:]
    if ran["exit_code"] is None:
        return False, f"It was ended after {timeout_s:.0f} s. {output}".strip()
    return ran["exit_code"] == 0, f"Exit code {ran['exit_code']}. {output}".strip()


def _run_dag(
    context: ProofContext,
    rest: AirflowRest,
    deployment_id: str,
    name: str,
    dag_id: str,
    conf: Mapping[str, Any],
    timeout_s: float,
) -> tuple[bool, str]:
    """Run a DAG once; the run's id is the mark by which a retry finds it. A DAG of the source runs in a sandbox only."""
    if (against := _against(context, deployment_id, dag_id)) is not None:
        return False, against
    if rest.dag(dag_id) is None:
        return False, f"The deployment has no DAG {dag_id}."
    run_id = f"{TEST_RUN}{context.proof_id}__{name}".replace(" ", "-").replace("/", "-")
    try:
        run = rest.run(dag_id, run_id)
    except NotFound:
        run = rest.trigger(dag_id, run_id=run_id, logical_date=context.migrations.clock.now(), conf=conf)
    rest.set_paused(dag_id, is_paused=False)
    try:
        until = context.migrations.clock.now() + timedelta(seconds=timeout_s)
        while not run.is_finished and context.migrations.clock.now() < until:
            context.sleep(0.5)
            run = rest.run(dag_id, run_id)
    finally:
        rest.set_paused(dag_id, is_paused=True)
    if run.is_finished:
        return run.state == "success", f"The run {run_id} of {dag_id} ended {run.state}."
    return False, f"The run {run_id} of {dag_id} was still {run.state} after {timeout_s:.0f} s."


def _against(context: ProofContext, deployment_id: str, dag_id: str) -> str | None:
    """Tell why a DAG of the source must not run there; a DAG that the source has not is the test's own."""
    record = context.dags.get(dag_id)
    if record is None:
        return None
    declared = read_declarations(context.params.get("file"))
    views = context.fleet.environment.effective(context.actor, deployment_id, "connection").items
    found = refusals(
        record,
        {item.conn_id: item for item in context.estate.records("connection")},
        {view.name: view for view in views},
        list(context.estate.records("endpoint")),
        (*declared.connections, *context.params["allow_connections"]),
        (*declared.hosts, *context.params["allow_hosts"]),
    )
    return f"{found[0].message} {found[0].hint}" if found else None


def judge(context: ProofContext, params: Params) -> Result:
    """Go on when no more DAGs and data checks differ than the budget allows. What was not compared is told, not counted."""
    del params
    verdicts: dict[str, str] = {}
    for result in context.results.values():
        verdicts |= result.get("verdicts", {})
    different = sorted(dag_id for dag_id, verdict in verdicts.items() if verdict == "mismatch")
    different += [row["subject"] for row in context.results.get("compare.data", {}).get("rows", ()) if row["outcome"] == "different"]  # fmt: skip
    unknown = sorted(dag_id for dag_id, verdict in verdicts.items() if verdict == "not-compared")
    budget = int(context.params["error_budget"])
    if len(different) > budget:
        raise Conflict(
            f"{len(different)} differ, {budget} may: {', '.join(different[:5])}{', …' if len(different) > 5 else ''}.",
            code="promotion-gate-closed",
            hint=f"aerodrome migrate parity {context.row.name} --dag {different[0]} shows both sides; explain what is right.",
            details={"different": different[:SHOWN], "budget": budget},
        )
    text = f"{len(different)} of {len(verdicts)} differ, {budget} may."
    if unknown:
        text += f" Not compared: {', '.join(unknown[:5])}{', …' if len(unknown) > 5 else ''}."
    return {"different": different[:SHOWN], "not_compared": unknown[:SHOWN], "budget": budget, "summary": text}


# --- to production -----------------------------------------------------------------------------------------------


def put_bundle(context: ProofContext, params: Params) -> Result:
    """Make the target run the very bundle that was tested; Conflict when somebody put other code there meanwhile."""
    del params
    target = _target(context)
    bundle = context.migrations.bundles.put(context.folder.code)
    deploys = context.fleet.list_deploys(context.actor, target)
    live = next((item for item in deploys if item.status == "live"), None)
    if live is not None and live.bundle_digest != bundle.digest and live.origin != "migration":
        raise Conflict(
            f"Deploy #{live.number} on the target is not the code that was tested: {live.actor} put it there.",
            code="promotion-other-code",
            hint="Bring the change into the migrated code, or roll that deploy back; then promote again.",
            details={"deploy": live.number, "tested": bundle.digest, "live": live.bundle_digest},
        )
    newest = next((item for item in deploys if item.bundle_digest == bundle.digest and item.status != "failed"), None)
    is_new = newest is None or newest.status == "superseded"
    if newest is None or is_new:
        newest = context.fleet.deploy(
            context.actor, target, bundle, f"Promoted with {context.params['wave']}", "migration", check_policy="record"
        )
    context.progress("waiting until it is live")
    context.fleet.wait_live(context.actor, newest.id, LIVE_TIMEOUT_S)
    context.fleet.wait_healthy(context.actor, target, LIVE_TIMEOUT_S)
    how = "is live now" if is_new else "was live already"
    return {"bundle_digest": bundle.digest, "deploy": newest.number, "summary": f"Deploy #{newest.number}, {how}."}


def await_window(context: ProofContext, params: Params) -> Result:
    """Wait for the time of the day in which no run of the wave is due."""
    window = Window.parse(str(params["window"]))
    now = context.migrations.clock.now()
    opens = window.opens_at(now) if window else now
    if opens > now:
        context.progress(f"opens at {to_text(opens)}")
        raise Later(min(60.0, (opens - now).total_seconds()))
    return {"opened_at": to_text(now), "summary": "Open."}


def begin(context: ProofContext, params: Params) -> Result:
    """Ask for the cutover; asking again while it goes on, or after it ended, changes nothing."""
    del params
    wave = str(context.params["wave"])
    if context.row.plan_digest != context.params["plan_digest"]:
        raise Conflict(
            "The plan has changed since the promotion was asked for.",
            code="plan-stale",
            hint=f"aerodrome migrate wave promote {context.row.name} {wave} promotes by the present plan.",
        )
    now = context.migrations.clock.now()
    if _view(context).status != "done":
        context.migrations.waves.cut_over(context.actor, context.row.id, wave)
    return {"begun_at": to_text(now), "summary": "Begun."}


def await_cutover(context: ProofContext, params: Params) -> Result:
    """Wait for its end; Conflict `promotion-cutover-failed` when more DAGs failed than the budget allows, or some are held."""
    del params
    wave, budget = _view(context), int(context.params["error_budget"])
    migration = context.migrations.get(context.actor, context.row.id)
    if migration.status == "cutting-over":
        context.progress(f"{wave.live} of {wave.dags} live, {wave.held} between the sides, {wave.failed} failed")
        raise Later(LOOK_S)
    facts = {"live": wave.live, "watched": wave.watched, "failed": wave.failed, "budget": budget}
    if wave.status != "done" and (wave.failed > budget or wave.held or wave.status != "failed"):
        reason = wave.halted_reason or (migration.error or {}).get("message", "")
        raise Conflict(
            f"The cutover is {wave.status}: {wave.failed} failed, {budget} may. {reason}".strip(),
            code="promotion-cutover-failed",
            hint=f"aerodrome migrate wave promote {context.row.name} {wave.name} goes on; "
            f"aerodrome migrate rollback {context.row.name} --wave {wave.name} goes back.",
            details=facts,
        )
    return {
        **facts,
        "ended_at": to_text(context.migrations.clock.now()),
        "summary": f"{wave.live} of {wave.dags} live, {wave.watched} first cycles seen, {wave.failed} failed.",
    }


@dataclass(frozen=True)
class Watched:
    """What the target's runs of a wave came to since it was handed over."""

    runs: int
    failed: tuple[str, ...]
    late: tuple[str, ...]


def watch(context: ProofContext, params: Params) -> Result:
    """Look at the target's own runs until the time is up, or earlier when the error budget is spent."""
    del params
    wave, budget = str(context.params["wave"]), int(context.params["error_budget"])
    now = context.migrations.clock.now()
    limit = timedelta(seconds=int(context.settings["policies"]["watch_limit"]))
    moved = context.migrations.waves.timeline(context.actor, context.row.id, wave)
    live_at = {dag.dag_id: dag.live_at for dag in moved if dag.live_at is not None}
    with closing(TargetDatabase(context.fleet.access(context.actor, _target(context)))) as target:
        seen = look(target, live_at, now - limit)
    refuse_spent(context, wave, budget, seen)
    ended = from_text(str(context.results["promotion.cutover"]["ended_at"])) or now
    left = (ended + timedelta(seconds=float(context.params["watch_s"])) - now).total_seconds()
    if left > 0:
        context.progress(f"{seen.runs} runs, {len(seen.failed)} DAGs failed, {len(seen.late)} late; {left:.0f} s to go")
        raise Later(min(WATCH_EVERY_S, left))
    return {
        "runs": seen.runs,
        "failed": list(seen.failed)[:SHOWN],
        "late": list(seen.late)[:SHOWN],
        "budget": budget,
        "summary": f"{seen.runs} runs, {len(seen.failed)} DAGs failed, {len(seen.late)} late.",
    }


def refuse_spent(context: ProofContext, wave: str, budget: int, seen: Watched) -> None:
    """Conflict `promotion-budget-spent`, told to alert channels, when more DAGs went wrong than the error budget allows."""
    wrong = sorted({*seen.failed, *seen.late})
    if len(wrong) <= budget:
        return
    with context.migrations.store.writing() as session:
        scope = f"workspace/{context.row.workspace_id}/migration/{context.row.id}"
        data = {"name": context.row.name, "wave": wave, "dags": wrong[:SHOWN], "budget": budget}
        outbox.emit(session, "migration.error-budget-spent", scope, data, "system")
    raise Conflict(
        f"{len(wrong)} DAGs failed or are late after the cutover, {budget} may: {', '.join(wrong[:5])}.",
        code="promotion-budget-spent",
        hint=f"See their runs in the target; aerodrome migrate rollback {context.row.name} --wave {wave} goes back.",
        details={"failed": list(seen.failed)[:SHOWN], "late": list(seen.late)[:SHOWN], "budget": budget},
    )


def look(target: TargetDatabase, live_at: Mapping[str, datetime], late_before: datetime) -> Watched:
    """Read what became of DAGs since each was started in the target: three statements per 500 DAGs, however many runs."""
    run, dag = target.table("dag_run"), target.table("dag")
    runs = 0
    failed: set[str] = set()
    late: set[str] = set()
    names = sorted(live_at)
    with target.reading() as connection:
        for start in range(0, len(names), 500):
            page = names[start : start + 500]
            since = _stored(target, min(live_at[dag_id] for dag_id in page))
            began = (run.c.dag_id.in_(page), run.c.start_date >= since)
            runs += connection.scalar(select(func.count()).select_from(run).where(*began)) or 0
            last = select(run.c.dag_id, func.max(run.c.start_date)).where(*began, run.c.state == "failed")
            for dag_id, moment in connection.execute(last.group_by(run.c.dag_id)):
                if _aware(moment) >= live_at[dag_id]:  # what the source ran while it was handed over does not count
                    failed.add(str(dag_id))
            due = (dag.c.is_paused.is_(False), dag.c.next_dagrun_create_after < _stored(target, late_before))
            late |= set(connection.scalars(select(dag.c.dag_id).where(dag.c.dag_id.in_(page), *due)))
    return Watched(runs, tuple(sorted(failed)), tuple(sorted(late)))


def _stored(target: TargetDatabase, moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) if target.dialect == "sqlite" else moment


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _target(context: ProofContext) -> str:
    found = context.row.target_deployment_id
    if found is None:
        raise Conflict(
            "The target deployment is not known yet.",
            code="target-unknown",
            hint=f"aerodrome migrate apply {context.row.name}",
        )
    return str(found)


def _view(context: ProofContext) -> WaveView:
    waves = context.migrations.waves.list(context.actor, context.row.id)
    return next(wave for wave in waves if wave.name == context.params["wave"])


def summary(results: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Sum up how far it came: the gates passed, and what each said."""
    gates = [key.removeprefix("promotion.") for key in results if key.startswith("promotion.")]
    told = {gate: results[f"promotion.{gate}"].get("summary", "") for gate in gates}
    return {"gates": told, "is_promoted": "promotion.watch" in results}


HANDLERS = {
    "promotion.tests": run_tests,
    "promotion.gate": judge,
    "promotion.bundle": put_bundle,
    "promotion.window": await_window,
    "promotion.begin": begin,
    "promotion.cutover": await_cutover,
    "promotion.watch": watch,
}
