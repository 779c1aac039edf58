"""A small Airflow: what its asset manager and its scheduler do to the database, and nothing else.

`test_real_airflow.py` shows that the real ones do the same with the same ledger.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

SCHEMA = """
create table alembic_version (version_num text); create table task_instance (dag_id text); create table connection (conn_id text);
create table variable (key text); create table slot_pool (pool text);
create table dag (dag_id text primary key, is_paused boolean);
create table dag_run (id integer primary key, dag_id text, run_id text);
create table log (id integer primary key, dttm datetime, dag_id text, event text, owner text, extra text);
create table {noun} (id integer primary key, uri text);
create table {noun}_event (id integer primary key, {noun}_id integer, extra json not null, source_task_id text, source_dag_id text,
  source_run_id text, source_map_index integer, timestamp datetime not null);
create table {noun}_dag_run_queue ({noun}_id integer, target_dag_id text, created_at datetime, primary key ({noun}_id, target_dag_id));
create table dagrun_{noun}_event (dag_run_id integer, event_id integer);
"""
WAITS: Mapping[str, str] = {"refines": "raw", "reports": "raw", "sells": "refined"}
MAKES: Mapping[str, str] = {"loads": "raw", "refines": "refined"}


class SmallAirflow:
    """One side. Each run of a consumer notes which events, by their name, were news to it; a run without news fails the test."""

    def __init__(self, path: Path, noun: str, seen: dict[str, set[str]], *, is_paused: bool) -> None:
        self.path, self.noun, self.seen = path, noun, seen
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(SCHEMA.format(noun=noun))
            for dag_id in {*WAITS, *MAKES}:
                connection.execute("insert into dag values (?, ?)", (dag_id, is_paused))
            for number, uri in enumerate(("raw", "refined"), 1):
                connection.execute(f"insert into {noun} values (?, ?)", (number, uri))
            connection.commit()

    def pause(self, dag_id: str, *, is_paused: bool) -> None:
        self._run("update dag set is_paused = ? where dag_id = ?", is_paused, dag_id)

    def is_paused(self, dag_id: str) -> bool:
        return bool(self._run("select is_paused from dag where dag_id = ?", dag_id)[0][0])

    def register(self, dag_id: str, run_id: str, at: str) -> None:
        """A task of a DAG updated its asset: an event, and a place in the queue of everybody who waits and is not paused."""
        uri = MAKES[dag_id]
        number = self._run(f"select id from {self.noun} where uri = ?", uri)[0][0]
        columns = f"{self.noun}_id, extra, source_task_id, source_dag_id, source_run_id, source_map_index, timestamp"
        self._run(
            f"insert into {self.noun}_event ({columns}) values (?, ?, 'make', ?, ?, -1, ?)",
            *(number, json.dumps({}), dag_id, run_id, at),
        )
        for other, wanted in WAITS.items():
            if wanted == uri and not self.is_paused(other):
                self._run(f"insert or ignore into {self.noun}_dag_run_queue values (?, ?, ?)", number, other, at)

    def schedule(self, at: str) -> list[str]:
        """Start a run of every DAG that has something in its queue and is not paused; give their ids."""
        queue = f"select distinct target_dag_id from {self.noun}_dag_run_queue"
        ready = [row[0] for row in self._run(queue) if not self.is_paused(row[0])]
        for dag_id in ready:
            self._run(f"delete from {self.noun}_dag_run_queue where target_dag_id = ?", dag_id)
            self._run("insert into dag_run (dag_id, run_id) values (?, ?)", dag_id, f"asset__{at}")
            run = self._run("select max(id) from dag_run")[0][0]
            events = self._run(
                f"select e.id, e.source_run_id from {self.noun}_event e join {self.noun} a on a.id = e.{self.noun}_id "
                f"where a.uri = ? and e.id not in (select event_id from dagrun_{self.noun}_event u "
                "join dag_run r on r.id = u.dag_run_id where r.dag_id = ?)",
                *(WAITS[dag_id], dag_id),
            )
            for event_id, _name in events:
                self._run(f"insert into dagrun_{self.noun}_event values (?, ?)", run, event_id)
            news = {name for _, name in events} - self.seen[dag_id]
            assert news, f"{dag_id} ran twice for {events}"
            self.seen[dag_id] |= news
            if dag_id in MAKES:
                self.register(dag_id, f"{dag_id}-{run}-{self.noun}", at)
        return ready

    def _run(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection:
            found = connection.execute(query, values).fetchall()
            connection.commit()
            return found
