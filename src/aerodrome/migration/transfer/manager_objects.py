"""Moves variables and connections into the environment manager, as objects of the target's deployment.

Called by migration.service instead of objects.py when the plan says so. There they are versioned, masked and tested, and the
target's Airflow finds them before it looks into its metadata database. Written by the manager's own import, a few hundred in
one transaction; a look at what it would change, before and after, tells what stands there already and proves what was
written. Safe to repeat. Values live in memory only, between the source's decryption and the platform's secret store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.contract import SourceAdapter
from aerodrome.migration.transfer.backend_objects import read_each
from aerodrome.migration.transfer.hashing import add, hash_text, row_number
from aerodrome.migration.transfer.outcomes import Moved, Policy, Rejected

CHUNK = 200
What = Literal["connection", "variable"]


class Line(Protocol):
    """What an import does, or would do, with one object: new, changed, same, skipped or invalid."""

    @property
    def name(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def message(self) -> str: ...


Import = Callable[[What, Secret, bool], Sequence[Line]]
"""Imports a JSON file as Airflow exports it, over what stands there; True: only tells what it would do. All or nothing."""


def move(
    source: SourceAdapter,
    import_all: Import,
    what: What,
    keys: Sequence[str],
    policy: Policy,
    hash_key: bytes,
    progress: Callable[[str], None] = lambda _text: None,
) -> Moved:
    """Write the objects; the hashes cover all that were not refused."""
    names = tuple(dict.fromkeys(keys))
    moved = same = source_sum = target_sum = 0
    failed: list[Rejected] = []
    for start in range(0, len(names), CHUNK):
        wanted: dict[str, Any] = {}
        for key, item in read_each(source, what, names[start : start + CHUNK], with_description=True):
            if isinstance(item, Rejected):
                failed.append(item)
            else:
                wanted[key] = item.reveal() if isinstance(item, Secret) else item
        before = _told(import_all, what, wanted)
        for name, line in before.items():
            reason = _refusal(what, line, policy)
            if reason is not None:
                failed.append(reason)
                del wanted[name]
        new = {name: value for name, value in wanted.items() if before[name].outcome != "same"}
        if new:
            import_all(what, _file(new), False)
        after = _told(import_all, what, wanted)
        moved += len(new)
        same += len(wanted) - len(new)
        for name, value in wanted.items():
            number = row_number((name, json.dumps(value, sort_keys=True)), hash_key)
            source_sum = add(source_sum, number)
            target_sum = add(target_sum, number if after[name].outcome == "same" else 0)
        progress(f"{what}s: {min(start + CHUNK, len(names)):,} of {len(names):,}")
    return Moved(what, len(names), moved, same, tuple(failed), hash_text(source_sum), hash_text(target_sum))


def _told(import_all: Import, what: What, wanted: Mapping[str, Any]) -> dict[str, Line]:
    return {line.name: line for line in import_all(what, _file(wanted), True)} if wanted else {}


def _file(wanted: Mapping[str, Any]) -> Secret:
    return Secret(json.dumps(wanted, ensure_ascii=False))


def _refusal(what: What, line: Line, policy: Policy) -> Rejected | None:
    if line.outcome == "invalid":
        return Rejected(line.name, f"{what}-unfit", line.message)
    if line.outcome == "changed" and policy == "target-wins":
        return Rejected(line.name, "target-wins", f"The target has its own {what} of this name; it was kept.")
    return None
