"""The frozen form of a plan: an ordered list of small steps with a digest. Dry run and real run read this same list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aerodrome.kernel.digest import digest_of
from aerodrome.kernel.errors import NotFound

PHASES = ("environment", "code", "deploy", "transfer", "validate", "cutover", "report")


@dataclass(frozen=True)
class Step:
    """One idempotent act. `key` is stable for the same plan; `params` is plain JSON without secrets."""

    key: str  # "transfer.connections", "transfer.history:0003", "cutover.pause:daily_sales"
    phase: str
    kind: str  # which handler runs it: "transfer.connections"
    title: str  # a sentence for people: "Move 6 connections, re-encrypted under the target's key"
    params: Mapping[str, Any]

    def as_data(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "phase": self.phase,
            "kind": self.kind,
            "title": self.title,
            "params": dict(self.params),
        }


@dataclass(frozen=True)
class FrozenPlan:
    """What apply walks. `digest` covers estate digest, settings and steps; an edited plan has another digest."""

    estate_digest: str
    settings: Mapping[str, Any]  # the plan file's content, checked and completed
    steps: tuple[Step, ...]  # everything before cutover, in order
    waves: Mapping[str, tuple[Step, ...]]  # wave name -> its cutover steps, in order

    @cached_property
    def digest(self) -> str:
        return digest_of(
            {
                "estate": self.estate_digest,
                "settings": dict(self.settings),
                "steps": [step.as_data() for step in self.steps],
                "waves": {name: [step.as_data() for step in steps] for name, steps in self.waves.items()},
            }
        )

    def wave(self, name: str) -> tuple[Step, ...]:
        """Give the cutover steps of a wave; NotFound `wave-unknown` names those that there are."""
        if name not in self.waves:
            raise NotFound(
                f"The plan has no wave {name!r}.",
                code="wave-unknown",
                hint=f"Waves: {', '.join(self.waves) or 'none'}.",
            )
        return self.waves[name]
