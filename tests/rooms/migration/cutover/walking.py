"""Walk the steps of a wave over a world, with a journal that survives a kill."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.rooms.migration.cutover.world import World

from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.cutover import Conductor, Ended, Limits
from aerodrome.migration.cutover.context import EventBridge
from aerodrome.migration.plan.contract import Step
from aerodrome.migration.plan.handover import wave_steps
from aerodrome.migration.plan.needs import needs_of
from aerodrome.migration.service.conducting import act_of


@dataclass
class MemoryLedger:
    """A journal in memory: it survives the kill of whoever writes it."""

    statuses: dict[str, str] = field(default_factory=dict)
    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    errors: dict[str, AerodromeError] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    halts: bool = False
    on_write: Callable[[], None] = lambda: None

    def begin(self, keys: Sequence[str]) -> None:
        self.on_write()
        assert not any(self.statuses.get(key) == "done" for key in keys)
        self.statuses |= dict.fromkeys(keys, "running")
        self.on_write()

    def done(self, results: Mapping[str, Mapping[str, Any]]) -> None:
        self.on_write()
        assert all(self.statuses[key] == "running" for key in results)
        self.statuses |= dict.fromkeys(results, "done")
        self.results |= results
        self.on_write()

    def failed(self, errors: Mapping[str, AerodromeError]) -> None:
        self.on_write()
        self.statuses |= dict.fromkeys(errors, "failed")
        self.errors |= errors

    def restart(self, keys: Sequence[str]) -> None:
        self.statuses |= dict.fromkeys(keys, "pending")

    def progress(self, texts: Mapping[str, str]) -> None:
        self.told += texts.values()

    def is_halted(self) -> bool:
        return self.halts


def wave(world: World, *kinds: str, **settings: Any) -> list[Step]:
    """The steps of one wave with every DAG of the world; `kinds` chooses some of them."""
    plan = {
        "policies": {
            "drain_deadline": 900, "on_deadline": "fail", "prove_limit": 120, "watch_limit": 4000, "missed": "report",
            **settings,
        },
        "dags": {},
    }  # fmt: skip
    steps = wave_steps({"name": "wave-1", "dags": list(world.records)}, plan, world.records)
    return [step for step in steps if not kinds or step.kind.removeprefix("cutover.") in kinds]


def conduct(
    world: World,
    ledger: MemoryLedger,
    steps: Sequence[Step],
    limits: Limits | None = None,
    events: EventBridge | None = None,
) -> Ended:
    """Walk steps as the service does."""
    context = replace(world.context(), events=events)
    done = {key: result for key, result in ledger.results.items() if ledger.statuses[key] == "done"}
    needs = needs_of(steps, world.records)
    return Conductor(
        context, steps, needs, done, lambda step, found: act_of(context, step, found), ledger, limits or Limits()
    ).run()
