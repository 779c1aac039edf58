"""Checks a running target against the estate. Reads only; a failed check is a row, never an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import Connection, Table, select

from aerodrome.airflowkit.fernet import AirflowFernet
from aerodrome.airflowkit.rest import RestDag, RestTaskSpec
from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.validate.contract import CheckRow
from aerodrome.migration.validate.structure import compare

TEXT_LINES = 12
TEXT_LENGTH = 2000


class Airflow(Protocol):
    """What the checks need of the target's REST API; `airflowkit.rest.AirflowRest` offers it."""

    def dags(self) -> list[RestDag]: ...

    def tasks(self, dag_id: str) -> list[RestTaskSpec]: ...

    def import_errors(self) -> list[tuple[str, str]]: ...


class Database(Protocol):
    """What the checks need of the target's metadata database; `transfer.target.TargetDatabase` offers it."""

    @property
    def fernet(self) -> AirflowFernet: ...

    def reading(self) -> AbstractContextManager[Connection]: ...

    def table(self, name: str) -> Table: ...


class Records(Protocol):
    """What the checks need of an estate."""

    def records(self, kind: str) -> Iterable[Any]: ...


def validate_dags(rest: Airflow, estate: Records, dag_ids: Sequence[str]) -> tuple[CheckRow, ...]:
    """Give a row per import error, then the rows of every expected DAG in the order asked."""
    wanted = set(dag_ids)
    records = {dag.dag_id: dag for dag in estate.records("dag") if dag.dag_id in wanted}
    found = {dag.dag_id: dag for dag in rest.dags()}
    errors = rest.import_errors()
    rows = [_import_error(file, text, records.values()) for file, text in sorted(errors)]
    for dag_id in dag_ids:
        rows.extend(_dag(rest, dag_id, records.get(dag_id), found.get(dag_id), errors))
    return tuple(rows)


def _dag(
    rest: Airflow, dag_id: str, record: DagRecord | None, dag: RestDag | None, errors: Sequence[tuple[str, str]]
) -> Iterator[CheckRow]:
    if record is None:
        yield CheckRow("dag-known", dag_id, False, "blocker", "The estate has no such DAG.", "Make a new plan.")
        return
    broken = next((file for file, _ in errors if is_same_file(file, record.file)), None)
    if broken is not None or dag is None or dag.is_stale or dag.has_import_errors:
        why = f"Its file {broken} does not import." if broken else "The target has parsed no file that gives it."
        hint = "Mend the file, deploy again and validate again." if broken else "See whether its file was deployed."
        yield CheckRow("dag-parsed", dag_id, False, "blocker", why, hint)
        return
    yield CheckRow("dag-parsed", dag_id, True, "blocker", f"Parsed from {dag.file}.")
    try:
        tasks = rest.tasks(dag_id)
    except NotFound:
        message = "The target has parsed it, but does not show its tasks yet."
        yield CheckRow("same-tasks", dag_id, False, "blocker", message, "Validate again in a minute.")
        return
    yield from compare(record, dag, tasks)


def _import_error(file: str, text: str, records: Iterable[DagRecord]) -> CheckRow:
    hit = sorted(record.dag_id for record in records if is_same_file(file, record.file))
    return CheckRow(
        "file-imports",
        file,
        False,
        "blocker" if hit else "warning",
        shorten(text),
        f"Mend it and deploy again; it holds {', '.join(hit)}." if hit else "No DAG of this plan comes from it.",
    )


def is_same_file(deployed: str, recorded: str) -> bool:
    """Tell whether a path in the target is the estate's file, which is relative to its DAGs folder."""
    name = recorded.lstrip("/")
    return deployed == name or deployed.endswith("/" + name)


def shorten(text: str) -> str:
    """Keep the end of a traceback: that is where the reason stands."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    kept = lines[-TEXT_LINES:]
    short = "\n".join((["…"] if len(kept) < len(lines) else []) + kept)
    return short if len(short) <= TEXT_LENGTH else "…" + short[-TEXT_LENGTH:]


def validate_objects(
    target: Database, wanted: Mapping[str, Sequence[str]], first: Mapping[tuple[str, str], str] | None = None
) -> tuple[CheckRow, ...]:
    """Give the rows of each connection, variable and pool of `wanted`: it exists, the target's key opens it, and nothing hides it.

    `wanted` has the keys "connections", "variables", "pools"; values are never shown. `first` says for ("connection", "warehouse")
    where the target's Airflow finds it, when that is another place than its metadata database: that place is asked before.
    """
    elsewhere = first or {}
    connections = _secrets(target, "connection", "conn_id", {"password": "is_encrypted", "extra": "is_extra_encrypted"})
    variables = _secrets(target, "variable", "key", {"val": "is_encrypted"})
    with target.reading() as session:
        pools = dict.fromkeys(session.scalars(select(target.table("slot_pool").c.pool)))
    return tuple(
        row
        for section, noun, found in (
            ("connections", "connection", connections),
            ("variables", "variable", variables),
            ("pools", "pool", pools),
        )
        for key in wanted.get(section, ())
        for row in _object(noun, key, found, elsewhere.get((noun, key)))
    )


def validate_elsewhere(
    place: str, wanted: Mapping[str, Sequence[str]], found: Mapping[str, frozenset[str]]
) -> tuple[CheckRow, ...]:
    """Give a row per connection and variable of `wanted`: the place (a secrets backend, the environment manager) has it."""
    return tuple(
        CheckRow(
            f"{noun}-exists",
            key,
            key in found[section],
            "blocker",
            f"{place} {'has' if key in found[section] else 'lacks'} the {noun}.",
            "" if key in found[section] else "Move it with the plan, or write it there.",
        )
        for section, noun in (("connections", "connection"), ("variables", "variable"))
        for key in wanted.get(section, ())
    )


def _object(noun: str, key: str, found: Mapping[str, str | None], elsewhere: str | None) -> Iterator[CheckRow]:
    if elsewhere is not None and key not in found:
        yield CheckRow(f"{noun}-exists", key, True, "blocker", f"The target finds the {noun} in {elsewhere}.")
        return
    if elsewhere is not None:
        yield CheckRow(
            f"{noun}-hidden",
            key,
            False,
            "warning",
            f"The target finds another {noun} of this name first, in {elsewhere}: what was moved is never read.",
            "Remove or unlink it there, unless it is meant to take the place of the source's.",
        )
    if key not in found:
        yield CheckRow(
            f"{noun}-exists",
            key,
            False,
            "blocker",
            f"The target has no {noun} {key}.",
            "Move it with the plan, or make it in the target's Airflow.",
        )
        return
    reason = found[key]
    if reason is None:
        yield CheckRow(f"{noun}-exists", key, True, "blocker", f"The target has the {noun}.")
    else:
        yield CheckRow(f"{noun}-opens", key, False, "blocker", reason, "Move it again, or enter its value anew.")


def _secrets(target: Database, table: str, key: str, columns: Mapping[str, str]) -> dict[str, str | None]:
    """Give every key with None, or with the reason why its encrypted parts do not open."""
    rows = target.table(table)
    found: dict[str, str | None] = {}
    with target.reading() as connection:
        for row in connection.execute(select(rows)).mappings():
            found[row[key]] = None
            for column, flag in columns.items():
                try:
                    if row[column]:
                        target.fernet.decrypt(row[column], is_encrypted=bool(row[flag]))
                except Invalid as error:
                    found[row[key]] = f"{column}: {error.message}"
    return found
