"""Checks the foreign keys of a batch once for each parent, where PostgreSQL would check them once for each row.

Used by sql_lane.py and bulk.py around a COPY. PostgreSQL checks a foreign key with a trigger that runs a query for every
row: about half of what such a COPY costs. A role that may set `session_replication_role` (a superuser, or one to which
`GRANT SET ON PARAMETER` gave it, PostgreSQL 15 and newer) copies without these triggers; the same transaction then looks
each parent up once, locks it as the trigger does (FOR KEY SHARE), and refuses the batch where one is missing. Any other role,
and a table on which somebody put a trigger, is written in the ordinary way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from aerodrome.migration.transfer.relay import cursor_on
from aerodrome.migration.transfer.target import TargetDatabase

_MAY_CHOOSE = """
select current_setting('server_version_num')::int >= 150000, rolsuper from pg_roles where rolname = current_user
"""
_KEYS = """
select c.conname, c.confrelid::regclass::text,
       array(select a.attname::text from unnest(c.conkey) with ordinality k (number, place)
             join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.number order by k.place),
       array(select a.attname::text from unnest(c.confkey) with ordinality k (number, place)
             join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.number order by k.place),
       c.confmatchtype::text
from pg_constraint c where c.contype = 'f' and c.conrelid = to_regclass(%s) order by c.conname
"""
_OWN_TRIGGERS = "select count(*) from pg_trigger where tgrelid = to_regclass(%s) and not tgisinternal"


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key of a table: its columns, and those of the parent in the same order."""

    name: str
    parent: str
    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class RowsOfBatch:
    """Where the rows of a batch stand: `source` is a FROM clause that calls the table `t`, `head` what stands before SELECT.

    `given` are the parameters of both.
    """

    source: str
    head: str = ""
    given: tuple[str, ...] = ()


class ForeignKeys:
    """The foreign keys of one table that the columns written can break. Reads the catalogue once."""

    def __init__(self, target: TargetDatabase, table: str, written: Collection[str]) -> None:
        self._table = table
        self._keys: tuple[ForeignKey, ...] = ()
        self.is_at_once = False
        if target.dialect != "postgresql":
            return
        with target.reading() as connection, cursor_on(connection, "target") as cursor:
            is_new, is_superuser = cursor.execute(_MAY_CHOOSE).fetchone() or (False, False)
            if not is_superuser and is_new:
                query = "select has_parameter_privilege('session_replication_role', 'SET')"
                is_superuser = (cursor.execute(query).fetchone() or (False,))[0]
            rows = cursor.execute(_KEYS, (table,)).fetchall()
            triggers = (cursor.execute(_OWN_TRIGGERS, (table,)).fetchone() or (0,))[0]
        self._keys = tuple(
            ForeignKey(name, parent, tuple(columns), tuple(parent_columns))
            for name, parent, columns, parent_columns, _ in rows
            if set(columns) <= set(written)  # one that is not written is NULL, which needs no parent
        )
        is_simple = all(match == "s" for *_, match in rows)
        self.is_at_once = bool(is_superuser) and triggers == 0 and is_simple

    @contextmanager
    def at_once(self, cursor: psycopg.Cursor[Any], batch: RowsOfBatch) -> Iterator[None]:
        """Write the batch inside of the block; ForeignKeyViolation at its end where a row has no parent."""
        if not self.is_at_once:
            yield
            return
        cursor.execute("set local session_replication_role = replica")
        yield
        cursor.execute("set local session_replication_role = origin")
        if not self._keys:
            return
        counts = cursor.execute(self._query(batch).encode(), batch.given).fetchone() or ()
        for key, (wanted, held) in zip(self._keys, _pairs(counts), strict=True):
            if wanted != held:
                raise psycopg.errors.ForeignKeyViolation(
                    f'insert on table "{self._table}" violates foreign key constraint "{key.name}"'
                )

    def _query(self, batch: RowsOfBatch) -> str:
        """Count, for each key, the parents that the rows name and those that are there."""
        columns = sorted({name for key in self._keys for name in key.columns})
        named = ", ".join(f't."{name}"' for name in columns)
        parts = [f"{batch.head}, " if batch.head else "with "]
        parts.append(f"rows_of_batch as materialized (select distinct {named} from {batch.source})")
        counts = []
        for place, key in enumerate(self._keys):
            own = ", ".join(f'"{name}"' for name in key.columns)
            there = " and ".join(f'"{name}" is not null' for name in key.columns)
            same = " and ".join(
                f'p."{other}" = w."{name}"' for name, other in zip(key.columns, key.parent_columns, strict=True)
            )
            parts.append(f", wanted{place} as materialized (select distinct {own} from rows_of_batch where {there})")
            parts.append(
                f", held{place} as (select 1 from wanted{place} w join {key.parent} p on {same} for key share of p)"
            )
            counts += [f"(select count(*) from wanted{place})", f"(select count(*) from held{place})"]
        return f"{''.join(parts)} select {', '.join(counts)}"


def _pairs(counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    return zip(counts[::2], counts[1::2], strict=True)
