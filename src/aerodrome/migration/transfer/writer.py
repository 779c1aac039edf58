"""Writes mapped history rows of one kind into the target, a batch per transaction, and reads back what stands there.

A row's natural key decides: absent -> inserted, equal -> untouched, different -> overwritten only while it is still an
import (`ownership.py`), otherwise refused: what the target ran itself is never changed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.estate.history import FINAL_TASK_STATES, HistoryKind
from aerodrome.migration.transfer import airflow2
from aerodrome.migration.transfer.arrays import array_text
from aerodrome.migration.transfer.hashing import json_text, moment_text
from aerodrome.migration.transfer.mapping import (
    EXTRA_COLUMNS,
    JSONS,
    KEYS,
    MOMENTS,
    TABLES,
    TARGET_COLUMNS,
    Key,
    MappedRow,
)
from aerodrome.migration.transfer.outcomes import HistoryPolicy, Rejected
from aerodrome.migration.transfer.ownership import is_import_sql, is_old_sql
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.transfer.versions import LegacyVersions

_REFUSALS = (IntegrityError, DataError, psycopg.IntegrityError, psycopg.DataError, UnicodeEncodeError, OverflowError)
VERSIONED: dict[HistoryKind, str] = {
    "run": "created_dag_version_id",
    "task_instance": "dag_version_id",
    "task_try": "dag_version_id",
}
"""Columns of Airflow 3 that say with which version of its DAG a row was made."""
NOTES: dict[HistoryKind, tuple[str, str, str]] = {
    "run": ("dag_run_note", "dag_run_id", "id"),
    "task_instance": ("task_instance_note", "ti_id", "id"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A row as it stands in the target, in canonical form. `is_import`: we may still change it."""

    proof: tuple[Any, ...]
    note: str | None
    is_import: bool
    changed_at: str | None = None  # read where the policy asks for it

    def proof_for(self, row: MappedRow) -> tuple[Any, ...]:
        """Give what the hash covers: a note counts where the source has one."""
        return (*self.proof, self.note if row.note is not None else None)


class RunInTarget(NamedTuple):
    """A run that stands in the target: its id there, and whether it is an import."""

    id: int
    is_import: bool


class HistoryWriter:
    """Reads and writes one kind. Stateless between batches."""

    def __init__(self, target: TargetDatabase, kind: HistoryKind, policy: HistoryPolicy = "source-wins") -> None:
        self.kind = kind
        self.policy = policy
        self._target = target
        self._is_sqlite = target.dialect == "sqlite"
        self._is_airflow2 = target.is_airflow2
        self._date = target.date_column
        self._table = TABLES[kind]
        self.columns = (airflow2.COLUMNS if self._is_airflow2 else TARGET_COLUMNS)[kind]
        self.bytes = airflow2.BYTES if self._is_airflow2 else frozenset()
        present = target.columns(self._table)
        missing = sorted({*self.columns, *KEYS[kind]} - present)
        if missing:
            raise Invalid(
                f"The target's table {self._table} has no column {missing[0]}.",
                code="target-schema-unknown",
                hint="Create the deployment with a supported Airflow and run the step again.",
            )
        extra = (airflow2.EXTRA_COLUMNS if self._is_airflow2 else EXTRA_COLUMNS)[kind]
        self._extra_kept = tuple(index for index, name in enumerate(extra) if name in present)
        self.extra = tuple(extra[index] for index in self._extra_kept)
        self.written = (*self.columns, *self.extra)
        if kind == "xcom":
            self.written = (*self.written, "dag_run_id")
        if kind == "run" and "log_template_id" in present:
            self.written = (*self.written, "log_template_id")
        self._versions = LegacyVersions(target) if kind in VERSIONED and not self._is_airflow2 else None
        self.version_ids: Mapping[str, str] = {}
        if self._versions is not None:
            self.written = (*self.written, VERSIONED[kind])
        self._read_sql = self._compose_read()
        self._restore = _restorer(self.columns, is_sqlite=self._is_sqlite, proofs=_PROOFS2 if self._is_airflow2 else {})

    # -- reading -----------------------------------------------------------------------------------------------------

    def standing(self, connection: Connection, rows: Iterable[MappedRow]) -> dict[Key, Standing]:
        """Give what stands in the target for the runs of these rows, by natural key."""
        width = len(self.columns)
        places = tuple(self.columns.index(name) for name in KEYS[self.kind])
        found: dict[Key, Standing] = {}
        for dag_id, run_ids in _by_dag(row.run for row in rows).items():
            for row in connection.exec_driver_sql(self._read_sql, (dag_id, self._list(run_ids))):
                proof = self._restore(row[:width])
                found[tuple(proof[place] for place in places)] = Standing(
                    proof, row[width], bool(row[width + 1]), moment_text(row[width + 2])
                )
        return found

    def runs(self, connection: Connection, runs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], RunInTarget]:
        """Give the target's runs among these (dag_id, run_id)."""
        if not self._is_sqlite:
            return self._runs_at_once(connection, list(dict.fromkeys(runs)))
        ours = is_import_sql(is_airflow2=self._is_airflow2, alias="dag_run")
        sql = f"select run_id, id, {ours} from dag_run where dag_id = ? and run_id {self._among()}"
        return {
            (dag_id, row[0]): RunInTarget(row[1], bool(row[2]))
            for dag_id, run_ids in _by_dag(runs).items()
            for row in connection.exec_driver_sql(sql, (dag_id, self._list(run_ids)))
        }

    def _runs_at_once(
        self, connection: Connection, keys: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], RunInTarget]:
        """Ask PostgreSQL for the runs of all DAGs in one statement, which looks up the versions of before the migration once."""
        ours = is_import_sql(is_airflow2=self._is_airflow2, alias="r")
        sql = (
            f"select r.dag_id, r.run_id, r.id, {ours} from unnest(%s::text[], %s::text[]) c (dag_id, run_id) "
            "join dag_run r on r.dag_id = c.dag_id and r.run_id = c.run_id"
        )
        given = (array_text([key[0] for key in keys]), array_text([key[1] for key in keys]))
        return {
            (row[0], row[1]): RunInTarget(row[2], bool(row[3])) for row in connection.exec_driver_sql(sql, given).all()
        }

    def taken_dates(self, connection: Connection, rows: Sequence[MappedRow]) -> dict[tuple[str, str], str]:
        """Give the run id that holds each (dag_id, logical date) of these run rows in the target."""
        place = self.columns.index(self._date)
        sql = (
            f"select {self._date}, run_id from dag_run where dag_id = {self._mark} "
            f"and {self._date} {self._among('timestamptz[]')}"
        )
        pairs = [(row.key[0], row.values[place]) for row in rows if row.values[place] is not None]
        return {
            (dag_id, moment_text(row[0]) or ""): row[1]
            for dag_id, dates in _by_dag(pairs).items()
            for row in connection.exec_driver_sql(sql, (dag_id, self._list(dates)))
        }

    # -- writing -----------------------------------------------------------------------------------------------------

    def insert(
        self, connection: Connection, rows: Sequence[MappedRow], runs: dict[tuple[str, str], RunInTarget]
    ) -> list[Rejected]:
        """Insert rows; those that the database refuses come back with the reason, the others stand."""
        if not rows:
            return []
        self.make_versions(connection, rows)  # before the savepoint: they stay when rows are refused
        try:
            with connection.begin_nested():
                self._insert_all(connection, rows, runs)
        except _REFUSALS as error:
            if len(rows) == 1:
                return [Rejected(rows[0].label, "refused-by-target", _reason(error))]
            half = len(rows) // 2
            return [*self.insert(connection, rows[:half], runs), *self.insert(connection, rows[half:], runs)]
        return []

    def update(self, connection: Connection, rows: Sequence[MappedRow]) -> list[Rejected]:
        """Overwrite imports that differ from the source; refused ones come back with the reason."""
        settable = [index for index, name in enumerate(self.columns) if name not in KEYS[self.kind]]
        sql = (
            f"update {self._table} set {', '.join(f'{_quoted(self.columns[i])} = {self._mark}' for i in settable)} "
            f"where {' and '.join(f'{_quoted(name)} = {self._mark}' for name in KEYS[self.kind])}"
        )
        refused = []
        for row in rows:
            try:
                with connection.begin_nested():
                    connection.exec_driver_sql(sql, (*(row.values[index] for index in settable), *row.key))
            except _REFUSALS as error:
                refused.append(Rejected(row.label, "refused-by-target", _reason(error)))
        return refused

    def write_notes(self, connection: Connection, rows: Sequence[MappedRow]) -> None:
        """Write the notes of rows that have one; an equal note is left untouched."""
        noted = [row for row in rows if row.note is not None]
        if not noted:
            return
        table, references, ids = self.noted()
        mark, content, places = self._mark, f"{table}.content", ", ".join(references)
        sql = (
            f"insert into {table} ({places}, content, created_at, updated_at) "
            f"select {', '.join(ids)}, {mark}, {self._cast(mark)}, {self._cast(mark)} from {self._table} "
            f"where {' and '.join(f'{name} = {mark}' for name in KEYS[self.kind])} "
            f"on conflict ({places}) do update set content = excluded.content where {content} <> excluded.content"
        )
        moments = [row.extra[-1] or "1970-01-01 00:00:00.000000" for row in noted]
        connection.exec_driver_sql(
            sql, [(row.note, moment, moment, *row.key) for row, moment in zip(noted, moments, strict=True)]
        )

    # -- SQL of both databases ---------------------------------------------------------------------------------------

    @property
    def _mark(self) -> str:
        return "?" if self._is_sqlite else "%s"

    def _among(self, cast: str = "text[]") -> str:
        return "in (select value from json_each(?))" if self._is_sqlite else f"= any(%s::{cast})"

    def _list(self, values: Sequence[str]) -> str:
        return json.dumps(values) if self._is_sqlite else array_text(values)

    def _cast(self, mark: str) -> str:
        return mark if self._is_sqlite else f"{mark}::timestamptz"

    def noted(self) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """Give the table of notes, its columns that name a row, and the row's columns that they repeat."""
        table, reference, id_column = NOTES[self.kind]
        if self._is_airflow2 and self.kind == "task_instance":
            return table, KEYS[self.kind], KEYS[self.kind]
        return table, (reference,), (id_column,)

    def joined_notes(self, alias: str, as_name: str) -> str:
        """Give the join of the notes to the kind's table that stands under that alias."""
        table, references, ids = self.noted()
        same = " and ".join(f"{as_name}.{one} = {alias}.{other}" for one, other in zip(references, ids, strict=True))
        return f" left join {table} {as_name} on {same}"

    def _compose_read(self) -> str:
        selected = [f"t.{_quoted(name)}{self._as_text(name)}" for name in self.columns]
        notes = self.kind in NOTES
        joined = self.joined_notes("t", "n") if notes else ""
        ours = "1 = 1"
        if self.kind == "run":
            ours = is_import_sql(is_airflow2=self._is_airflow2, alias="t")
        elif self.kind in VERSIONED and not self._is_airflow2:
            ours = is_old_sql("t", "dag_version_id")
        if self.kind == "task_instance":
            ours += f" and t.state in {FINAL_TASK_STATES!r}"
        where = f"t.dag_id = {self._mark} and t.run_id {self._among()}"
        if self.kind == "xcom":  # its key starts with the run's id; no index starts with dag_id and run_id
            where = f"t.dag_run_id in (select id from dag_run t where {where})"
        note = "n.content" if notes else "null"
        changed = self._changed_at(has_notes=notes) if self.policy == "newest" else "null"
        return f"select {', '.join(selected)}, {note}, ({ours}), {changed} from {self._table} t{joined} where {where}"

    def _changed_at(self, *, has_notes: bool) -> str:
        """Give when a row was written last; a note counts as its row's."""
        if self.kind in ("xcom", "rendered"):
            return "t.timestamp" if self.kind == "xcom" else "null"
        if not has_notes:
            return "t.updated_at"
        greater = "max" if self._is_sqlite else "greatest"
        return f"{greater}(coalesce(t.updated_at, n.updated_at), coalesce(n.updated_at, t.updated_at))"

    def _as_text(self, name: str) -> str:
        return "::text" if name in JSONS and not self._is_sqlite and not self._is_bytes(name) else ""

    def _is_bytes(self, name: str) -> bool:
        return name in self.bytes

    def make_versions(self, connection: Connection, rows: Iterable[MappedRow]) -> None:
        """Let the DAGs of these rows have the version that `rest` names, in the connection's transaction."""
        if self._versions is not None:
            self.version_ids = self._versions.of(connection, {row.key[0] for row in rows})

    def make_versions_apart(self, dag_ids: Collection[str]) -> None:
        """Do the same in a transaction of its own, where one is missing: for a writer whose own transaction may be taken back."""
        if self._versions is not None and any(dag_id not in self.version_ids for dag_id in dag_ids):
            with self._target.writing() as connection:
                self.version_ids = self._versions.of(connection, dag_ids)

    def rest(
        self, connection: Connection, runs: dict[tuple[str, str], RunInTarget]
    ) -> Callable[[MappedRow], tuple[Any, ...]]:
        """Give the function that gives the values of `written` behind those of the proved columns."""
        kept, kind, versions = self._extra_kept, self.kind, self.version_ids
        last: tuple[Any, ...] = ()
        if "log_template_id" in self.written:
            last = (connection.exec_driver_sql("select max(id) from log_template").scalar(),)

        def rest(row: MappedRow) -> tuple[Any, ...]:
            values = tuple([row.extra[index] for index in kept])
            if kind == "xcom":
                return (*values, runs[row.run].id)
            return (*values, *last, versions[row.key[0]]) if versions else values + last

        return rest

    def _insert_all(
        self, connection: Connection, rows: Sequence[MappedRow], runs: dict[tuple[str, str], RunInTarget]
    ) -> None:
        names = ", ".join(_quoted(name) for name in self.written)
        rest = self.rest(connection, runs)

        def written(row: MappedRow) -> tuple[Any, ...]:
            return (*row.values, *rest(row))

        if self._is_sqlite:
            marks = ", ".join("?" * len(self.written))
            connection.exec_driver_sql(
                f"insert into {self._table} ({names}) values ({marks})", [written(row) for row in rows]
            )
            return
        draft = f"aerodrome_{self._table}"
        connection.exec_driver_sql(
            f"create temporary table if not exists {draft} on commit drop as "
            f"select {names} from {self._table} with no data"
        )
        connection.exec_driver_sql(f"truncate {draft}")
        cursor: psycopg.Cursor[Any] = connection.connection.cursor()  # type: ignore[assignment]
        with cursor, cursor.copy(f"copy {draft} ({names}) from stdin".encode()) as copy:
            for row in rows:
                copy.write_row(written(row))
        connection.exec_driver_sql(
            f"insert into {self._table} ({names}) select {names} from {draft} on conflict do nothing"
        )


def _by_dag(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, dict[str, None]] = defaultdict(dict)
    for dag_id, value in pairs:
        grouped[dag_id][value] = None
    return {dag_id: list(values) for dag_id, values in grouped.items()}


def _quoted(name: str) -> str:
    return f'"{name}"'


_PROOFS2: Mapping[str, Callable[[Any], str | None]] = {"conf": airflow2.conf_proof, "value": airflow2.xcom_proof}
"""Columns that Airflow 2 keeps as bytes: how their canonical form is found."""
_FLAGS = frozenset({"external_trigger"})


def _restorer(
    columns: Sequence[str], *, is_sqlite: bool, proofs: Mapping[str, Callable[[Any], str | None]]
) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Give the function that brings a row read from the target into canonical form."""
    moments = tuple(index for index, name in enumerate(columns) if name in MOMENTS)
    texts = tuple(index for index, name in enumerate(columns) if name in JSONS and name not in proofs)
    others = tuple((index, proofs[name]) for index, name in enumerate(columns) if name in proofs)
    flags = tuple(index for index, name in enumerate(columns) if name in _FLAGS)

    def restore(row: Sequence[Any]) -> tuple[Any, ...]:
        values = list(row)
        for index in moments:
            value = values[index]
            if value is not None and (not is_sqlite or len(value) != 26):
                values[index] = moment_text(value)
        for index in texts:
            values[index] = json_text(values[index])
        for index, find in others:
            values[index] = find(values[index])
        for index in flags:
            values[index] = bool(values[index])
        return tuple(values)

    return restore


def _reason(error: Exception) -> str:
    """Name the constraint or column without any value."""
    orig = getattr(error, "orig", None) or error
    diagnosis = getattr(orig, "diag", None)
    name = getattr(diagnosis, "constraint_name", None) or getattr(diagnosis, "column_name", None)
    if name:
        return f"The target's database refuses the row: {type(orig).__name__} at {name}."
    text = str(orig)
    if text.startswith(("UNIQUE constraint failed", "NOT NULL constraint failed", "FOREIGN KEY constraint failed")):
        return f"The target's database refuses the row: {text}."
    return f"The target's database refuses the row: {type(orig).__name__}."
