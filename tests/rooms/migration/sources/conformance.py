"""What every source adapter keeps, whatever it reads. The tests of each adapter call `keeps_the_contract` on a source that answers.

If an adapter breaks one of these, a migration reads an estate twice in two ways, moves a row that is still changing, or pauses a
DAG that it cannot tell from one that somebody else paused.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import pytest

from aerodrome.kernel.errors import AerodromeError, Conflict, Invalid, NotFound
from aerodrome.migration.estate.history import COLUMNS, FINAL_RUN_STATES, HISTORY_KINDS, HistoryKind, HistoryWindow
from aerodrome.migration.estate.records import KINDS, Record
from aerodrome.migration.sources.contract import OffersAssets, OffersExecutorConfigs, SourceAdapter

NOWHERE = "no_such_thing"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
CANARY = "canary"  # in every secret of the sources of these tests
MARK, OTHER = "aerodrome:conformance", "aerodrome:somebody-else"


def keeps_the_contract(
    source: SourceAdapter, *, holds: str | None, unwatched: str = "", leaves: Sequence[HistoryKind] = ()
) -> None:
    """Check a source; `holds` is a DAG that is not paused and may be paused and let go, None where the adapter only reads.

    `unwatched`: what the source answers when it is asked what a scheduler does now, where it cannot tell. `leaves`: the
    kinds of history that it never gives.
    """
    describes_itself(source)
    dag_ids = gives_an_estate(source)
    if unwatched:
        with pytest.raises(Conflict, match=unwatched):
            source.dag_states(dag_ids)
    else:
        knows_its_dags(source, dag_ids)
    knows_what_is_not_there(source)
    streams_what_is_final(source, dag_ids)
    says_what_it_leaves(source, dag_ids, leaves)
    gives_what_goes_with_history(source, dag_ids)
    if holds is None:
        refuses_to_hold(source, dag_ids[0])
    else:
        holds_under_its_mark(source, holds)


def describes_itself(source: SourceAdapter) -> None:
    described = source.describe()
    assert described.is_ok, [probe for probe in described.probes if probe.is_required and not probe.is_ok]
    names = [probe.name for probe in described.probes]
    assert len(set(names)) == len(names)
    for probe in described.probes:
        assert probe.message, probe
        assert probe.is_ok or probe.hint or not probe.is_required, probe  # what must be mended says how


def gives_an_estate(source: SourceAdapter) -> list[str]:
    """Every record once, kind by kind, the same at each reading, and no secret in any."""
    found = _records(source)
    kinds = [kind for kind, _ in groupby(record.kind for record in found)]
    assert kinds == [kind for kind in KINDS if kind in set(kinds)]
    keys = [(record.kind, record.key) for record in found]
    assert len(set(keys)) == len(keys)
    assert _records(source) == found
    assert not [record for record in found if CANARY in repr(record)]
    dag_ids = sorted(record.key for record in found if record.kind == "dag")
    assert dag_ids
    return dag_ids


def knows_its_dags(source: SourceAdapter, dag_ids: Sequence[str]) -> None:
    states = source.dag_states(dag_ids)
    assert set(states) <= set(dag_ids)
    assert all(state.dag_id == dag_id for dag_id, state in states.items())
    assert source.dag_states([NOWHERE]) == source.dag_states([]) == {}


def knows_what_is_not_there(source: SourceAdapter) -> None:
    for values in (source.connection_values, source.variable_values, source.pool_values, source.env_values):
        with pytest.raises(Invalid, match=NOWHERE):
            list(values([NOWHERE]))
        assert list(values([])) == []
    assert source.history_changed([], LONG_AGO) == set()
    assert source.history_changed([NOWHERE], LONG_AGO) <= {NOWHERE}
    window = HistoryWindow((NOWHERE,))
    assert not any(source.history_counts(window).values())
    assert [kind for kind in HISTORY_KINDS if _rows(source, kind, window)] == []


def streams_what_is_final(source: SourceAdapter, dag_ids: Sequence[str]) -> None:
    """Rows of finished runs only, DAG by DAG and run by run, as many as were counted, the same at each reading."""
    window = HistoryWindow(tuple(dag_ids))
    counts = source.history_counts(window)
    runs = _rows(source, "run", window)
    assert {run["state"] for run in runs} <= set(FINAL_RUN_STATES)
    known = {(run["dag_id"], run["run_id"]) for run in runs}
    assert len(known) == len(runs)
    for kind in HISTORY_KINDS:
        rows = _rows(source, kind, window)
        assert _rows(source, kind, window) == rows, kind
        assert {(row["dag_id"], row["run_id"]) for row in rows} <= known, kind
        places = [key for key, _ in groupby((row["dag_id"], row["run_id"]) for row in rows)]
        assert len(set(places)) == len(places), kind  # a run's rows stand together
        if kind in counts:
            assert counts[kind] >= len(rows), kind
    if runs:
        watermark = source.history_watermark(dag_ids)
        assert watermark is None or watermark.tzinfo is not None
        busy = {run["dag_id"] for run in runs}
        assert busy <= source.history_changed(dag_ids, LONG_AGO) <= set(dag_ids)


_WORDS: dict[HistoryKind, str] = {"task_try": "tries", "xcom": "XComs", "rendered": "rendered fields"}


def says_what_it_leaves(source: SourceAdapter, dag_ids: Sequence[str], leaves: Sequence[HistoryKind]) -> None:
    """What a kind of source cannot give is said before anything moves, and is never half given."""
    said = " ".join(probe.message for probe in source.describe().probes if not probe.is_ok)
    for kind in leaves:
        assert _rows(source, kind, HistoryWindow(tuple(dag_ids))) == [], kind
        assert _WORDS[kind].lower() in said.lower(), kind
    if isinstance(source, OffersExecutorConfigs) and not source.has_executor_configs("task_instance"):
        assert "executor_config" in said


def gives_what_goes_with_history(source: SourceAdapter, dag_ids: Sequence[str]) -> None:
    """The executor_config of rows that move only; events of assets the same at each reading; both are empty without DAGs."""
    window, nothing = HistoryWindow(tuple(dag_ids)), HistoryWindow((NOWHERE,))
    if isinstance(source, OffersExecutorConfigs):
        for kind, names in _KEYS.items():
            rows = {tuple(row[name] for name in names) for row in _rows(source, kind, window)}
            found = [key for batch in source.executor_configs(kind, window) for key, _ in batch]
            assert len(set(found)) == len(found)
            assert set(found) <= rows, kind
            assert source.has_executor_configs(kind) or not found, kind
            assert not list(source.executor_configs(kind, nothing))
    if isinstance(source, OffersAssets):
        for read in (source.asset_events, source.asset_runs):
            first: list[Any] = [each for batch in read(dag_ids) for each in batch]
            assert [each for batch in read(dag_ids) for each in batch] == first
            assert not list(read([NOWHERE]))
        assert {each.dag_id for each in source.asset_queue(dag_ids)} <= set(dag_ids)
        assert source.asset_queue([NOWHERE]) == []


_KEYS: dict[HistoryKind, tuple[str, ...]] = {
    "task_instance": ("dag_id", "run_id", "task_id", "map_index"),
    "task_try": ("dag_id", "run_id", "task_id", "map_index", "try_number"),
}


def refuses_to_hold(source: SourceAdapter, dag_id: str) -> None:
    for act in (source.pause_dag, source.unpause_dag):
        with pytest.raises(Conflict) as refused:
            act(dag_id, MARK)
        assert refused.value.hint
    for acts in (source.pause_dags, source.unpause_dags):
        assert {key: type(error) for key, error in acts([dag_id], MARK).items()} == {dag_id: Conflict}


def holds_under_its_mark(source: SourceAdapter, dag_id: str) -> None:
    """A pause is ours by its mark; repeating changes nothing; nobody undoes the pause of somebody else."""
    assert not _state(source, dag_id).is_paused
    for _ in range(2):
        source.pause_dag(dag_id, MARK)
        assert (_state(source, dag_id).is_paused, _state(source, dag_id).mark) == (True, MARK)
    for act in (source.pause_dag, source.unpause_dag):
        with pytest.raises(Conflict):
            act(dag_id, OTHER)
    assert _state(source, dag_id).mark == MARK
    with source.locked([dag_id]):
        pass
    for _ in range(2):
        source.unpause_dag(dag_id, MARK)
        state = _state(source, dag_id)
        assert (state.is_paused, state.mark, state.let_go) == (False, None, MARK)
    failed: dict[str, AerodromeError] = source.pause_dags([dag_id, NOWHERE], MARK)
    assert {key: type(error) for key, error in failed.items()} == {NOWHERE: NotFound}
    failed = source.unpause_dags([dag_id], MARK)
    assert failed == {}
    assert not _state(source, dag_id).is_paused


def _state(source: SourceAdapter, dag_id: str) -> Any:
    return source.dag_states([dag_id])[dag_id]


def _records(source: SourceAdapter) -> list[Record]:
    return list(source.records(lambda _what, _done, _total: None))


def _rows(source: SourceAdapter, kind: HistoryKind, window: HistoryWindow) -> list[dict[str, Any]]:
    found = []
    for batch in source.history(kind, window):
        assert (batch.kind, batch.columns) == (kind, COLUMNS[kind])
        found += [dict(zip(batch.columns, row, strict=True)) for row in batch.rows]
    return found
