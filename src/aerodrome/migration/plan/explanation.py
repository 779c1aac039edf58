"""The dry run: the frozen steps as rows for people. Reads the plan that apply reads, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aerodrome.migration.plan.contract import FrozenPlan, Step


@dataclass(frozen=True)
class ExplainRow:
    """One step as a row."""

    number: int  # 1-based over the whole plan
    track: str  # "apply" or "cutover:<wave>"
    phase: str
    key: str
    title: str


def explain(plan: FrozenPlan) -> tuple[ExplainRow, ...]:
    """Give every step in the order in which it runs: apply first, then wave by wave."""
    return tuple(
        ExplainRow(number, track, step.phase, step.key, step.title)
        for number, (track, step) in enumerate(_walk(plan), 1)
    )


def _walk(plan: FrozenPlan) -> Iterator[tuple[str, Step]]:
    for step in plan.steps:
        yield "apply", step
    for name, steps in plan.waves.items():
        for step in steps:
            yield f"cutover:{name}", step
