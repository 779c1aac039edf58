"""Moves the last history of many DAGs at once and hands their schedules over. Called by the cutover, in batches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.errors import AerodromeError, Broken
from aerodrome.migration.estate.calendars import calendar_of, is_on
from aerodrome.migration.estate.history import HistoryKind
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.sources.contract import SourceAdapter
from aerodrome.migration.transfer import handoff, history
from aerodrome.migration.transfer.outcomes import HistoryMoved, HistoryPolicy
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.transfer.versions import FindOldDag

OVERLAP = timedelta(minutes=1)
"""A source commits a row some time after the moment that it writes into it: so much is read again."""

_NEVER_GIVEN = frozenset({"not-over-starship"})
_NOTHING = HistoryMoved((), 0.0, 0.0)


@dataclass(frozen=True)
class Syncing:
    """Moves what the target lacks. `since` holds, by DAG, the moment up to which its history was moved whole before."""

    source: SourceAdapter
    target: TargetDatabase
    dags: Mapping[str, DagRecord]
    summary: Callable[[HistoryMoved], str]
    since: Mapping[str, datetime] = field(default_factory=dict)
    policy: HistoryPolicy = "source-wins"
    old_dag: FindOldDag | None = None
    beside: Callable[[Sequence[str]], Mapping[str, Any]] = lambda _ids: {}  # moves what goes with a history
    without: Collection[HistoryKind] = ()  # what the plan leaves out
    _ahead: dict[str, datetime] = field(default_factory=dict)  # as `since`, of what was moved by this walk
    _untold: list[dict[str, Any]] = field(default_factory=list)  # what moved ahead and stands in no outcome yet

    def ahead(self, dag_ids: Sequence[str]) -> None:
        """Move what ended so far of DAGs that still run; a call of these DAGs afterwards has only the rest to move.

        Nothing is remembered of DAGs that cannot be proved: they are read again from where they were. A walk that starts
        again has forgotten all of it, and only moves more.
        """
        for oldest, members in self._by_since(dag_ids).items():
            changed = members if oldest is None else sorted(self.source.history_changed(members, oldest))
            moved = self._history(changed, oldest)
            refused = sum(kind.failed_count for kind in moved.kinds)
            if moved.until is not None and moved.is_proven and not refused:
                self._ahead.update(dict.fromkeys(changed, moved.until))
            if changed:
                self._untold.append(moved.as_data())

    def __call__(self, dag_ids: Sequence[str], since: datetime | None = None) -> dict[str, Any]:
        """Give per DAG what came of it; the counts of a batch, and of what moved ahead, stand in the outcome of one of its DAGs."""
        outcomes: dict[str, Any] = {}
        groups = {since: list(dag_ids)} if since else self._by_since(dag_ids)
        for oldest, members in groups.items():
            outcomes |= self._move(members, oldest)
        first = next((outcome for outcome in outcomes.values() if isinstance(outcome, dict)), None)
        while first is not None and self._untold:
            first.setdefault("ahead", []).append(self._untold.pop(0))
        return outcomes

    def _by_since(self, dag_ids: Sequence[str]) -> dict[datetime | None, list[str]]:
        """Group DAGs by the moment from which on they are read again; None: all of their history."""
        found: dict[datetime | None, list[str]] = {}
        for dag_id in dag_ids:
            moment = self._ahead.get(dag_id) or self.since.get(dag_id)
            found.setdefault(moment - OVERLAP if moment else None, []).append(dag_id)
        return found

    def _move(self, dag_ids: Sequence[str], oldest: datetime | None) -> dict[str, Any]:
        outcomes: dict[str, Any] = {}
        changed = dag_ids if oldest is None else sorted(self.source.history_changed(dag_ids, oldest))
        moved = self._history(changed, oldest)
        if not moved.is_proven and len(dag_ids) > 1:  # find out whose it is
            for dag_id in dag_ids:
                outcomes |= self._move((dag_id,), oldest)
            return outcomes
        if not moved.is_proven:
            return {dag_ids[0]: _differs(dag_ids[0], moved)}
        beside = self.beside(dag_ids)
        handed = handoff.hand_off_many(self.source, self.target, dag_ids)
        for position, dag_id in enumerate(dag_ids):
            found = handed[dag_id]
            if isinstance(found, AerodromeError):
                # A clock of the source that went back makes a run look old: then everything is read again.
                is_old = found.code == "last-run-not-moved" and oldest is not None
                outcomes |= self._move((dag_id,), None) if is_old else {dag_id: found}
                continue
            outcome: dict[str, Any] = {
                "hand_off": found.as_data(),
                "is_on_calendar": self._is_on_calendar(found),
                "last_source_interval": [to_text(found.last[0]), to_text(found.last[1])] if found.last else None,
            }
            if position == 0:
                outcome |= beside
            if position == 0 and changed:
                outcome["history"] = moved.as_data()
            outcomes[dag_id] = outcome | {"summary": self._summary(moved, len(changed), is_changed=dag_id in changed)}
        return outcomes

    def _history(self, dag_ids: Sequence[str], oldest: datetime | None) -> HistoryMoved:
        if not dag_ids:
            return _NOTHING
        return history.move_history(
            self.source,
            self.target,
            dag_ids,
            since=oldest,
            policy=self.policy,
            old_dag=self.old_dag,
            without=self.without,
        )

    def _summary(self, moved: HistoryMoved, count: int, *, is_changed: bool) -> str:
        if not is_changed:
            return "Nothing new since its history was moved."
        return self.summary(moved) + (f" Moved together with {count - 1} other DAGs." if count > 1 else "")

    def _is_on_calendar(self, handed: handoff.HandOff) -> bool:
        """Tell whether what the target had computed by itself is an interval of the schedule that the source follows."""
        calendar = calendar_of(self.dags[handed.dag_id])
        computed = handed.computed
        if calendar is None or computed.start is None or computed.end is None:
            return False
        return is_on(calendar, (computed.start, computed.end))


def kinds_without(left_out: Collection[str]) -> tuple[HistoryKind, ...]:
    """Give the kinds of rows that a plan's `history.leave_out` names."""
    return ("xcom",) if "xcoms" in left_out else ()


def moved_until(results: Mapping[str, Mapping[str, Any]], steps: Mapping[str, Sequence[str]]) -> dict[str, datetime]:
    """Give, by DAG, up to when the transfer before the cutover moved everything; `steps` holds the DAGs per step key.

    A DAG of a step in which rows were refused is left out: its whole history is read again; not because of rows that the kind
    of source never gives, each of which would cost it a call once more while the DAG is held.
    """
    found: dict[str, datetime] = {}
    for key, dag_ids in steps.items():
        result = results.get(key) or {}
        until = from_text(result.get("until"))
        refused = sum(
            count
            for kind in result.get("history", {}).get("kinds", ())
            for code, count in kind["failed_by_code"].items()
            if code not in _NEVER_GIVEN
        )
        if until is not None and not refused:
            found |= dict.fromkeys(dag_ids, until)
    return found


def _differs(dag_id: str, moved: HistoryMoved) -> Broken:
    return Broken(
        f"The target's history of {dag_id} is not what the source holds.",
        code="hashes-differ",
        hint="Repeat the cutover; the report names the kind of rows that differ.",
        details=moved.as_data(),
    )
