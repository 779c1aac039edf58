"""The cutover steps of one wave: all checks, then group by group the hand-over, then all watches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.plan.contract import Step
from aerodrome.migration.plan.dependencies import components, edges, hold_order, release_order

GAP_S = 30
"""How long a pause waits for a moment at which nothing of its DAG runs, at most; then it waits for the rest of it as drain."""

TITLES = {
    "check": "Check that {} is ready on both sides",
    "pause": "Pause {} in the source",
    "drain": "Wait until nothing of {} runs in the source",
    "sync": "Move the last history of {}",
    "prove": "Prove that the next interval of {} is the same on both sides",
    "unpause": "Start {} in the target",
    "watch": "Watch the first run of {} in the target",
}


def wave_steps(wave: Mapping[str, Any], settings: Mapping[str, Any], dags: Mapping[str, DagRecord]) -> tuple[Step, ...]:
    """Give the steps of a wave, in order.

    All checks come first, so that nothing is paused when one DAG cannot move; all watches last, so that the wave waits
    once. Between them each group of DAGs that belong together is held, synced, proved and started as one: a DAG alone
    goes pause, drain, sync, prove, unpause. Groups keep the order in which the plan file names them.
    """
    members: Sequence[str] = wave["dags"]
    links = edges(dags[dag_id] for dag_id in members)
    position = {dag_id: index for index, dag_id in enumerate(members)}
    groups = sorted(components(members, links), key=lambda group: min(position[dag_id] for dag_id in group))

    def step(kind: str, dag_id: str) -> Step:
        return Step(
            f"cutover.{kind}:{dag_id}",
            "cutover",
            f"cutover.{kind}",
            TITLES[kind].format(dag_id),
            _params(kind, dag_id, wave["name"], settings, dags[dag_id]),
        )

    def is_live(dag_id: str) -> bool:
        return not dags[dag_id].is_paused

    def is_started(dag_id: str) -> bool:
        return is_live(dag_id) and settings["dags"].get(dag_id, {}).get("cutover", "move") == "move"

    steps = [step("check", dag_id) for dag_id in members]
    for group in groups:
        for dag_id in hold_order(group, links):
            steps += [step(kind, dag_id) for kind in (("pause", "drain") if is_live(dag_id) else ("drain",))]
        for dag_id in release_order(group, links):
            steps += [step("sync", dag_id)]
            steps += [step("prove", dag_id)] if is_live(dag_id) else []
        steps += _each("unpause", filter(is_started, release_order(group, links)), step)
    steps += _each("watch", filter(is_started, members), step)
    return tuple(steps)


def _each(kind: str, dag_ids: Any, step: Callable[[str, str], Step]) -> list[Step]:
    return [step(kind, dag_id) for dag_id in dag_ids]


def _params(kind: str, dag_id: str, wave: str, settings: Mapping[str, Any], dag: DagRecord) -> dict[str, Any]:
    policies = {**settings["policies"], **settings["dags"].get(dag_id, {})}
    params: dict[str, Any] = {"dag_id": dag_id, "wave": wave}
    if kind == "check":
        params |= {
            "was_paused": dag.is_paused,
            "is_started": policies.get("cutover", "move") == "move" and not dag.is_paused,
            "on_deadline": policies["on_deadline"],
        }
    if kind in ("check", "pause"):
        params |= {"may_have_changed": "change" in policies.get("accept", ())}
    if kind == "pause":
        params |= {"gap_s": min(GAP_S, policies["drain_deadline"])}
    elif kind == "drain":
        params |= {"deadline_s": policies["drain_deadline"], "on_deadline": policies["on_deadline"]}
    elif kind in ("prove", "watch"):
        params |= {"limit_s": policies[f"{kind}_limit"]}
    if kind == "watch":
        params |= {"missed": policies["missed"]}
    return params
