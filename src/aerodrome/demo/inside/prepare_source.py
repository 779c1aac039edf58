"""Prepare the metadata database of the demo's self-managed Airflow 2: what its team would do by a row of CLI calls.

Runs in the Airflow's own virtualenv, as one process, because every `airflow` command pays the imports again. Reads a
JSON file (0600) named on the command line; prints one word per finished part.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from airflow import settings
from airflow.models import Connection, DagModel, Pool, Variable
from airflow.models.dagbag import DagBag
from airflow.providers.fab.auth_manager.models import Role, User
from airflow.utils import db, timezone
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunType
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from werkzeug.security import generate_password_hash


def main() -> None:
    wish = json.loads(Path(sys.argv[1]).read_text())
    _say("imported")
    _await_database(wish["database_wait_s"])
    db.initdb(load_connections=False)
    _say("migrated")
    with create_session() as session:
        _add_objects(session, wish)
        _add_user(session, wish["user"])
    _say("filled")
    bag = DagBag(wish["dags_folder"], include_examples=False)
    if bag.import_errors:
        raise SystemExit(f"The demo's DAGs do not import: {bag.import_errors}")
    bag.sync_to_db()
    with create_session() as session:
        for model in session.scalars(select(DagModel)):
            model.is_paused = model.dag_id in wish["paused"]
        for run in wish["manual_runs"]:
            _start_by_hand(session, bag, run)
    _say("parsed")


def _say(part: str) -> None:
    sys.stdout.write(part + "\n")
    sys.stdout.flush()


def _await_database(wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            settings.engine.connect().close()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _add_objects(session: Any, wish: dict[str, Any]) -> None:
    session.add_all(Connection(**one) for one in wish["connections"])
    session.add_all(Pool(include_deferred=False, **one) for one in wish["pools"])
    for one in wish["variables"]:
        Variable.set(one["key"], one["value"], description=one.get("description"), session=session)


def _add_user(session: Any, user: dict[str, str]) -> None:
    role = Role(name="Admin")
    password = generate_password_hash(user["password"])
    session.add_all([role, User(**{**user, "password": password, "roles": [role], "active": True})])


def _start_by_hand(session: Any, bag: DagBag, run: dict[str, Any]) -> None:
    dag = bag.get_dag(run["dag_id"])
    moment = timezone.utcnow()
    row = dag.create_dagrun(
        state=DagRunState.QUEUED,
        execution_date=moment,
        data_interval=dag.timetable.infer_manual_data_interval(run_after=moment),
        run_type=DagRunType.MANUAL,
        external_trigger=True,
        conf=run["conf"],
        session=session,
    )
    row.note = run["note"]


if __name__ == "__main__":
    main()
