"""Run by the Python of Airflow 1.10 to 2.11: make a metadata database whose runs that Airflow itself executed.

Usage: AIRFLOW_HOME=… AIRFLOW__CORE__SQL_ALCHEMY_CONN=… AIRFLOW__CORE__FERNET_KEY=… python make_aged_source.py [days] [options]
Options: --serialized (1.10: store serialized DAGs), --behind (daily_orders has two more intervals to run).
Task instances run in this process through TaskInstance.run: states, tries, XComs and failures are Airflow's own writing.
"""

import json
import sys
from datetime import timedelta
from fractions import Fraction

import airflow
from airflow import settings
from airflow.models import Connection, DagBag, DagModel, Pool, TaskInstance, Variable, XCom
from airflow.utils import db, timezone

try:
    from airflow.utils.session import create_session
except ImportError:
    from airflow.utils.db import create_session

days = int(sys.argv[1]) if len(sys.argv) > 1 else 6
version = tuple(int(part) for part in airflow.__version__.split(".")[:2])
db.upgradedb() if hasattr(db, "upgradedb") else db.migratedb()

with create_session() as session:
    session.add(Connection(conn_id="warehouse", conn_type="postgres", host="warehouse.internal", port=5432, schema="sales",
                           login="etl", password="canary-conn-password-a1", extra='{"token": "canary-conn-extra-b2"}'))
    session.add(Connection(conn_id="lake", conn_type="aws", extra='{"region_name": "eu-west-1"}'))
    Variable.set("api_token", "canary-variable-c3")
    Variable.set("limits", {"rows": 10}, serialize_json=True)
    session.add(Pool(pool="warehouse_pool", slots=3, **({"include_deferred": False} if version >= (2, 7) else {})))

bag = DagBag(settings.DAGS_FOLDER, include_examples=False)
assert not bag.import_errors, bag.import_errors
if version < (2, 0):
    for dag in bag.dags.values():
        dag.sync_to_db()
        if "--serialized" in sys.argv:
            from airflow.models.serialized_dag import SerializedDagModel

            SerializedDagModel.write_dag(dag)
else:
    bag.sync_to_db()
with create_session() as session:
    for model in session.query(DagModel):
        model.is_paused = model.dag_id == "by_hand"


def start(dag, kind, logical, conf=None):
    more = {}
    if version >= (2, 0):
        from airflow.utils.types import DagRunType

        more["run_type"] = DagRunType(kind)
    if version >= (2, 2):
        more["data_interval"] = dag.infer_automated_data_interval(logical)
    return dag.create_dagrun(run_id="{}__{}".format(kind, logical.isoformat()), execution_date=logical, state="running",
                             start_date=timezone.utcnow(), external_trigger=kind == "manual", conf=conf, **more)


def execute(dag, run):
    run.dag = dag
    for task in dag.topological_sort():
        instances = [ti for ti in run.get_task_instances() if ti.task_id == task.task_id]
        for instance in sorted(instances, key=lambda ti: getattr(ti, "map_index", -1)):
            for _ in range(3):
                instance.task = task  # running renders a copy
                try:
                    instance.run(ignore_all_deps=True)
                except Exception:
                    pass
                instance.refresh_from_db()
                if instance.state != "up_for_retry":
                    break
        if version >= (2, 3):
            run.update_state()  # expands the mapped tasks below
            run.task_instance_scheduling_decisions()
    run.refresh_from_db()
    run.dag = dag
    run.update_state()
    assert run.state in ("success", "failed"), run.state
    return run


def runs_of(dag_id, logicals):
    return [execute(bag.dags[dag_id], start(bag.dags[dag_id], "scheduled", moment)) for moment in logicals]


now = timezone.utcnow().replace(microsecond=0)
two = now.replace(hour=2, minute=0, second=0)
last = two if two <= now else two - timedelta(days=1)  # the newest complete interval ends here
if "--behind" in sys.argv:
    last -= timedelta(days=2)
runs_of("daily_orders", [last - timedelta(days=back) for back in range(days, 0, -1)])
tick = now.replace(hour=now.hour - now.hour % 6, minute=0, second=0)
runs_of("six_hourly", [tick - timedelta(hours=6 * back) for back in range(4, 0, -1)])
berlin = bag.dags["berlin_nightly"]
fire = timezone.convert_to_utc(berlin.previous_schedule(now))
fires = [fire]
for _ in range(3):
    fires.append(timezone.convert_to_utc(berlin.previous_schedule(fires[-1])))
runs_of("berlin_nightly", sorted(fires)[:-1])

by_hand = bag.dags["by_hand"]
execute(by_hand, start(by_hand, "manual", now - timedelta(hours=30), {"full": True, "since": "2026-01-01"}))
told = execute(by_hand, start(by_hand, "manual", now - timedelta(hours=20), {}))
live = start(by_hand, "manual", now - timedelta(hours=1), {"live": True})  # stays running: must not move
with create_session() as session:
    values = {"plain": {"a": [1, 2.5, None, True, "ü"]}}
    if version < (2, 0):
        values.update({"tuple": (1, "two"), "moment": now, "foreign": Fraction(1, 3)})
    for key, value in values.items():
        where = {"run_id": told.run_id} if version >= (2, 3) else {"execution_date": told.execution_date}
        XCom.set(key=key, value=value, task_id="work", dag_id="by_hand", session=session, **where)
    counts = {"tasks": session.query(TaskInstance).count(), "xcoms": session.query(XCom).count()}
if version >= (2, 0):
    bag.sync_to_db()  # works out the next runs from the newest ones, as each parse does
print(json.dumps(dict(counts, version=airflow.__version__)))
