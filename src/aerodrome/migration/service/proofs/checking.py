"""Steps of the cutover checklist. Each looks for itself and gives one item: its state, the evidence, what to do next.

Nobody ticks anything: an item is done when the platform has seen it. A look that cannot be made leaves its item open with the
reason. States: done, attention (works, but look at it), open, not-needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.service.proofs.checklist import dags, network, objects, people, source
from aerodrome.migration.service.proofs.checklist.items import Look, Params, Result, item_of
from aerodrome.migration.service.proofs.contract import ProofContext


def _looking(key: str, look: Look) -> Look:
    """A look that cannot be made, since the target is gone or the source refuses, leaves its item open with the reason."""

    def looked(context: ProofContext, params: Params) -> Result:
        try:
            return look(context, params)
        except AerodromeError as error:
            if error.retryable:
                raise
            return item_of(context, key, "open", error.message, next_=error.hint)

    return looked


_LOOKS: Mapping[str, Look] = {
    "chains": dags.check_chains,
    "objects": objects.check_objects,
    "backend": objects.check_backend,
    "network": network.check_network,
    "dags": dags.check_dags,
    "parity": dags.check_parity,
    "alerts": people.check_alerts,
    "access": people.check_access,
    "source": source.check_source,
    "rollback": source.check_rollback,
}
HANDLERS = {f"checklist.{key}": _looking(key, look) for key, look in _LOOKS.items()}


def summary(results: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Sum the items up: ready when none is open."""
    items = [result["item"] for result in results.values() if "item" in result]
    counts = {
        state: sum(item["state"] == state for item in items) for state in ("done", "attention", "open", "not-needed")
    }
    return {"items": items, "counts": counts, "is_ready": bool(items) and counts["open"] == 0}
