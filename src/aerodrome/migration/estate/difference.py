"""What changed between two scans of a source: records added, removed, and changed field by field.

Streams: of records that are equal only a digest is held. Secrets are compared by their fingerprints, which are never shown;
fingerprints made with different keys cannot be compared, and the difference says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any, Literal

from aerodrome.kernel.digest import canonical_json
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.estate.records import KINDS, Record

KEY_FACT = "fingerprint_key"
"""The header's fact that names the key of the fingerprints; estates without it come from one platform, with one key."""
ACTIVITY = {
    "dag": frozenset({
        "run_states", "task_states", "last_run_at", "runs_1d", "runs_7d", "runs_30d", "runs_365d", "failures_30d",
        "duration_p95_s", "next_logical_date", "next_interval_start", "next_interval_end", "next_run_after",
    }),
    "measure": frozenset({"amount", "is_estimate"}),
    "asset": frozenset({"waiting", "events", "last_event_at"}),
}  # fmt: skip
"""Fields that move while a source works; left out unless asked for."""
_FINGERPRINT = "fingerprint"

What = Literal["added", "removed", "changed"]


@dataclass(frozen=True)
class FieldChange:
    """One field. `before` and `after` are plain JSON data; both None for a secret."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """One record that differs."""

    kind: str
    key: str
    what: What
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True)
class Difference:
    """All of them, by kind and key. `are_secrets_compared`: whether both scans made fingerprints with one key."""

    changes: tuple[Change, ...]
    are_secrets_compared: bool

    def counts(self) -> dict[str, dict[str, int]]:
        """Count per kind what was added, removed and changed; kinds without a change are left out."""
        found: dict[str, dict[str, int]] = {}
        for change in self.changes:
            found.setdefault(change.kind, {"added": 0, "removed": 0, "changed": 0})[change.what] += 1
        return found

    def as_data(self) -> dict[str, Any]:
        """Give it as plain JSON data."""
        return {
            "are_secrets_compared": self.are_secrets_compared,
            "counts": self.counts(),
            "changes": [asdict(change) for change in self.changes],
        }


def difference(before: Estate, after: Estate, *, with_activity: bool = False) -> Difference:
    """Compare two estates; what only moved on as a source works counts `with_activity`."""
    keys = [estate.header.facts.get(KEY_FACT) for estate in (before, after)]
    has_one_key = keys[0] == keys[1]
    found: list[Change] = []
    for kind in KINDS:
        ignored = frozenset() if with_activity else ACTIVITY.get(kind, frozenset())
        if not has_one_key:
            ignored |= {_FINGERPRINT}
        found.extend(sorted(_changes(kind, before, after, ignored), key=lambda change: change.key))
    return Difference(tuple(found), has_one_key)


def _changes(kind: str, before: Estate, after: Estate, ignored: frozenset[str]) -> Iterator[Change]:
    old = {record.key: _digest(record, ignored) for record in before.records(kind)}
    new = {record.key: _digest(record, ignored) for record in after.records(kind)}
    yield from (Change(kind, key, "added") for key in new.keys() - old.keys())
    yield from (Change(kind, key, "removed") for key in old.keys() - new.keys())
    changed = {key for key in old.keys() & new.keys() if old[key] != new[key]}
    if changed:
        kept = {record.key: record for record in before.records(kind) if record.key in changed}
        for record in after.records(kind):
            if record.key in changed:
                yield Change(kind, record.key, "changed", tuple(_fields(kept[record.key], record, ignored)))


def _digest(record: Record, ignored: frozenset[str]) -> bytes:
    data = {name: value for name, value in vars(record).items() if name not in ignored}
    return sha256(canonical_json(data).encode(errors="backslashreplace")).digest()[:16]


def _fields(before: Record, after: Record, ignored: frozenset[str]) -> Iterator[FieldChange]:
    for field in fields(after):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old == new or field.name in ignored:
            continue
        if field.name == _FINGERPRINT:
            yield FieldChange("secret value", None, None)
        elif field.name == "tasks":
            yield from _tasks(old, new)
        else:
            yield FieldChange(field.name, _plain(old), _plain(new))


def _tasks(before: tuple[Mapping[str, Any], ...], after: tuple[Mapping[str, Any], ...]) -> Iterator[FieldChange]:
    """Tell tasks apart by their id: one change per field of a task."""
    old = {str(task.get("task_id")): task for task in before}
    new = {str(task.get("task_id")): task for task in after}
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield FieldChange(f"task {name}", "there", None)
        elif name not in old:
            yield FieldChange(f"task {name}", None, "there")
        else:
            for key in sorted(old[name].keys() | new[name].keys()):
                if old[name].get(key) != new[name].get(key):
                    yield FieldChange(f"task {name}: {key}", _plain(old[name].get(key)), _plain(new[name].get(key)))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
