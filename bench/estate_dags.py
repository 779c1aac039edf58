"""The DAGs of a made estate: what their files say, and how Airflow 2.11.2 serializes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

DAGS_FOLDER = "/opt/airflow/dags"
SCHEDULES = (
    "0 2 * * *",
    "*/15 * * * *",
    "0 6 * * 1-5",
    "@daily",
    "@hourly",
    None,
    "30 1 * * *",
    "dataset",
    "5 4 1 * *",
)
OPERATORS = (
    ("BashOperator", "airflow.operators.bash"),
    ("PythonOperator", "airflow.operators.python"),
    ("SQLExecuteQueryOperator", "airflow.providers.common.sql.operators.sql"),
    ("S3KeySensor", "airflow.providers.amazon.aws.sensors.s3"),
    ("KubernetesPodOperator", "airflow.providers.cncf.kubernetes.operators.pod"),
    ("HttpOperator", "airflow.providers.http.operators.http"),
)
CONNECTIONS = 300
VARIABLES = 500
POOLS = 20


@dataclass(frozen=True)
class Size:
    """How large; XComs belong to every `xcom_every`-th task."""

    dags: int = 14_000
    runs: int = 72
    tasks: int = 10
    xcom_every: int = 10

    @property
    def task_instances(self) -> int:
        return self.dags * self.runs * self.tasks


def dag_id(number: int) -> str:
    return f"team{number % 97:02}_flow_{number:05}"


def write_files(folder: Path, size: Size) -> None:
    """Write one file a DAG, of some kinds, in a folder per team."""
    for team in range(min(97, size.dags)):
        (folder / f"team{team:02}").mkdir(parents=True, exist_ok=True)
    for number in range(size.dags):
        (folder / file_of(number)).write_text(code_of(number, size.tasks), encoding="utf-8")


def file_of(number: int) -> str:
    return f"team{number % 97:02}/flow_{number:05}.py"


def code_of(number: int, tasks: int) -> str:
    """Give the text of a DAG file as people write them."""
    lines = [
        '"""Loads what the team needs."""',
        "from __future__ import annotations",
        "",
        "import json",
        "from datetime import datetime, timedelta",
        "",
        "from airflow import DAG",
        "from airflow.models import Variable",
        "from airflow.operators.bash import BashOperator",
        "from airflow.operators.python import PythonOperator",
        "from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator",
    ]
    if number % 50 == 0:
        lines.append("from airflow.utils.session import provide_session")
    if number % 11 == 0:
        lines.append("from airflow.utils.dates import days_ago")
    if number % 40 == 0:
        lines.append('API_TOKEN = "b3nch-t0ken-9f2"')
    if number % 30 == 0:
        lines.append(f'ENDPOINT = "https://api{number % 7}.partner.example.com:8443/v2/orders"')
    lines += [
        "",
        "",
        "def transform(ti, **context):",
        "    rows = ti.xcom_pull(task_ids='task_0')",
        f"    limit = Variable.get('var_{number % VARIABLES}', default_var='10')",
        "    return json.dumps({'rows': rows, 'limit': limit, 'day': context['execution_date'].isoformat()})",
        "",
        "",
        "default_args = {'owner': 'airflow', 'retries': 2, 'retry_delay': timedelta(minutes=5)}",
    ]
    schedule = SCHEDULES[number % len(SCHEDULES)]
    shown = f'"{schedule}"' if schedule not in (None, "dataset") else "None"
    lines += [
        "with DAG(",
        f'    "{dag_id(number)}",',
        f"    schedule_interval={shown},",
        f"    start_date={'days_ago(2)' if number % 11 == 0 else 'datetime(2025, 1, 1)'},",
        "    default_args=default_args,",
        "    tags=['bench'],",
        ") as dag:",
    ]
    for task in range(tasks):
        if task % 3 == 0:
            lines.append(f"    t{task} = BashOperator(task_id='task_{task}', bash_command='echo {{{{ ds }}}} {task}')")
        elif task % 3 == 1:
            lines.append(f"    t{task} = PythonOperator(task_id='task_{task}', python_callable=transform)")
        else:
            lines += [
                f"    t{task} = SQLExecuteQueryOperator(",
                f"        task_id='task_{task}',",
                f"        conn_id='conn_{(number + task) % CONNECTIONS}',",
                f"        sql=\"select * from orders where day = '{{{{ ds }}}}' and part = {task}\",",
                "    )",
            ]
        if task:
            lines.append(f"    t{task - 1} >> t{task}")
    return "\n".join(lines) + "\n"


def serialized(number: int, tasks: int) -> dict[str, Any]:
    """Give a DAG as Airflow 2.11.2 serializes it (serialization version 1)."""
    schedule = SCHEDULES[number % len(SCHEDULES)]
    zone = "Europe/Berlin" if number % 60 == 0 else "UTC"
    if schedule == "dataset":
        timetable: dict[str, Any] = {
            "__type": "airflow.timetables.datasets.DatasetTriggeredTimetable",
            "__var": {"dataset_condition": {"__type": "dataset", "uri": f"s3://lake/{number // 9}"}},
        }
    elif schedule is None:
        timetable = {"__type": "airflow.timetables.simple.NullTimetable", "__var": {}}
    else:
        timetable = {
            "__type": "airflow.timetables.interval.CronDataIntervalTimetable",
            "__var": {"expression": schedule, "timezone": zone},
        }
    dependencies: list[dict[str, Any]] = []
    if number % 20 == 0 and number:
        other = dag_id(number - 1)
        dependencies.append(
            {"source": dag_id(number), "target": other, "dependency_type": "trigger", "dependency_id": "t"}
        )
    if number % 9 == 6:
        uri = f"s3://lake/{number // 9}"
        dependencies.append(
            {"source": dag_id(number), "target": "dataset", "dependency_type": "dataset", "dependency_id": uri}
        )
    return {
        "__version": 1,
        "dag": {
            "_dag_id": dag_id(number),
            "fileloc": f"{DAGS_FOLDER}/{file_of(number)}",
            "_processor_dags_folder": DAGS_FOLDER,
            "timezone": zone,
            "timetable": timetable,
            "start_date": 1735689600.0,
            "catchup": number % 5 == 0,
            "max_active_runs": 16,
            "_max_active_tasks": 16,
            "dag_dependencies": dependencies,
            "tags": ["bench"],
            "edge_info": {},
            "tasks": [_task(number, task, tasks) for task in range(tasks)],
        },
    }


def _task(number: int, task: int, tasks: int) -> dict[str, Any]:
    operator, module = OPERATORS[(number + task) % len(OPERATORS)]
    if operator == "KubernetesPodOperator" and number % 12:  # a few teams have a cluster
        operator, module = OPERATORS[0]
    data: dict[str, Any] = {
        "task_id": f"task_{task}",
        "_task_type": operator,
        "_operator_name": operator,
        "_task_module": module,
        "pool": f"pool_{number % POOLS}" if number % 8 == 0 else "default_pool",
        "queue": "heavy" if number % 100 == 0 else "default",
        "owner": "airflow",
        "retries": 2,
        "downstream_task_ids": [f"task_{task + 1}"] if task + 1 < tasks else [],
        "template_fields": ["bash_command", "env"],
        "template_fields_renderers": {"bash_command": "bash", "env": "json"},
        "ui_color": "#f0ede4",
        "ui_fgcolor": "#000",
        "template_ext": [".sh", ".bash"],
        "bash_command": "echo {{ ds }} and more of what a command holds when people write it",
        "is_setup": False,
        "is_teardown": False,
        "weight_rule": "downstream",
        "start_trigger_args": None,
        "_needs_expansion": False,
        "on_failure_fail_dagrun": False,
    }
    if number % 25 == 0:
        data["depends_on_past"] = True
    if number % 45 == 0:
        data["sla"] = 3600.0
    return {"__type": "operator", "__var": data}
