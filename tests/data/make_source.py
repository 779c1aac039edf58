"""Run by an Airflow 2.x Python: make a metadata database with DAGs, secrets and history. Prints nothing secret.

Usage: AIRFLOW_HOME=… AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=… AIRFLOW__CORE__FERNET_KEY=… python make_source.py [days]
"""

import sys
from datetime import timedelta

from airflow import settings
from airflow.models import Connection, DagBag, DagRun, Pool, TaskInstance, Variable, XCom
from airflow.models.dag import DagModel
from airflow.models.errors import ParseImportError
from airflow.timetables.base import DataInterval
from airflow.utils import db, timezone
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunType

days = int(sys.argv[1]) if len(sys.argv) > 1 else 10
db.upgradedb() if hasattr(db, "upgradedb") else db.migratedb()

with create_session() as session:
    session.add(
        Connection(
            conn_id="warehouse",
            conn_type="postgres",
            host="warehouse.internal",
            port=5432,
            schema="sales",
            login="etl",
            password="canary-conn-password-a1",
            extra='{"sslmode": "require", "token": "canary-conn-extra-b2"}',
            description="The warehouse",
        )
    )
    session.add(Connection(conn_id="s3_lake", conn_type="aws", extra='{"region_name": "eu-west-1"}'))
    session.add(Connection(conn_id="ftp_partner", conn_type="ftp", host="203.0.113.9", login="x"))
    Variable.set("sales_region", "eu", description="Which region", session=session)
    Variable.set("api_token", "canary-variable-c3", session=session)
    Variable.set("limits", {"rows": 10}, serialize_json=True, session=session)
    Pool.create_or_update_pool("warehouse_pool", slots=3, description="Warehouse", include_deferred=True, session=session)

bag = DagBag(settings.DAGS_FOLDER, include_examples=False)
bag.sync_to_db()
with create_session() as session:
    for file, trace in bag.import_errors.items():
        session.add(ParseImportError(timestamp=timezone.utcnow(), filename=file, stacktrace=trace))
    for dag in bag.dags.values():
        model = session.get(DagModel, dag.dag_id)
        model.is_paused = dag.dag_id == "maintenance"

now = timezone.utcnow().replace(microsecond=0)
midnight = now.replace(hour=2, minute=0, second=0)
if midnight > now:
    midnight -= timedelta(days=1)


def run_of(dag, kind, logical, interval, state, conf=None, tasks=None):
    with create_session() as session:
        run = dag.create_dagrun(
            run_id=DagRun.generate_run_id(kind, logical),
            run_type=kind,
            state=state,
            execution_date=logical,
            data_interval=interval,
            start_date=interval[1],
            conf=conf,
            external_trigger=kind == DagRunType.MANUAL,
            session=session,
        )
        run.end_date = interval[1] + timedelta(seconds=30) if state in (DagRunState.SUCCESS, DagRunState.FAILED) else None
        for position, instance in enumerate(sorted(run.get_task_instances(session=session), key=lambda ti: ti.task_id)):
            final = (tasks or {}).get(instance.task_id, TaskInstanceState.SUCCESS)
            instance.state = final
            if final is not None:
                instance.start_date = interval[1] + timedelta(seconds=position)
                instance.end_date = instance.start_date + timedelta(seconds=2)
                instance.duration = 2.0
                instance.try_number = 1
                instance.hostname = "old-worker-1"
            if final == TaskInstanceState.SUCCESS:
                XCom.set("return_value", {"task": instance.task_id, "rows": 3}, task_id=instance.task_id,
                         dag_id=dag.dag_id, run_id=run.run_id, session=session)
        session.flush()
        return run.run_id


sales = bag.dags["daily_sales"]
for back in range(days, 0, -1):
    logical = midnight - timedelta(days=back)
    failed = back == 3
    run_of(
        sales, DagRunType.SCHEDULED, logical, (logical, logical + timedelta(days=1)),
        DagRunState.FAILED if failed else DagRunState.SUCCESS,
        tasks={"load": TaskInstanceState.FAILED} if failed else None,
    )
manual = run_of(sales, DagRunType.MANUAL, now - timedelta(hours=30), (midnight - timedelta(days=2), midnight - timedelta(days=1)),
                DagRunState.SUCCESS, conf={"full": True, "since": "2026-01-01"})
live = run_of(sales, DagRunType.MANUAL, now - timedelta(minutes=5), (midnight - timedelta(days=1), midnight),
              DagRunState.RUNNING, tasks={"load": TaskInstanceState.RUNNING, "count": TaskInstanceState.UP_FOR_RETRY})
with create_session() as session:
    run = session.query(DagRun).filter_by(run_id=manual).one()
    run.note = "checked by hand"
    ti = session.query(TaskInstance).filter_by(run_id=manual, task_id="load").one()
    ti.note = "slow that day"
orders = bag.dags["orders_mapped"]
hour = now.replace(minute=0, second=0)
for back in range(4, 0, -1):
    logical = hour - timedelta(hours=back)
    run_of(orders, DagRunType.SCHEDULED, logical, (logical, logical + timedelta(hours=1)), DagRunState.SUCCESS)
with create_session() as session:
    for dag in bag.dags.values():
        model = session.get(DagModel, dag.dag_id)
        last = DataInterval(midnight - timedelta(days=1), midnight) if dag is sales else None
        model.calculate_dagrun_date_fields(dag, last)
print("made", len(bag.dags), "dags,", len(bag.import_errors), "import errors")
