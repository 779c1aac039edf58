"""Every operator that a conversion can write is constructed and kept by the real Airflow 2.11 and 3.3 with the real providers."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.rooms.migration.convert.oozie.estates import WORKFLOW

from aerodrome.builds import Venv
from aerodrome.migration.convert.contract import Conversion, Dag, Expression, Origin, Target, Task
from aerodrome.migration.convert.controlm.plugins.rows import Argument, Plugin
from aerodrome.migration.convert.controlm.plugins.table import PLUGINS
from aerodrome.migration.convert.controlm.reading import read as read_controlm
from aerodrome.migration.convert.emission import compose, emit
from aerodrome.migration.convert.oozie.reading import read as read_oozie

PROBE = Path(__file__).parent / "controlm" / "probe.py"
VERSIONS: tuple[tuple[Target, str, str], ...] = (
    ("2.11", "2.11.2", "google"),
    ("2.11", "2.11.2", "others"),
    ("3.3", "3.3.2", "google"),
    ("3.3", "3.3.2", "others"),
)
PROVIDERS: dict[str, tuple[str, ...]] = {  # Google's want other releases of common libraries than the rest
    "google": ("standard", "smtp", "ssh", "google>=22", "apache-beam"),
    "others": (
        "standard", "ssh", "sftp", "ftp", "common-io", "smtp", "common-sql", "http", "amazon", "microsoft-azure", "databricks", "airbyte",
        "jenkins", "tableau", "dbt-cloud", "cncf-kubernetes", "apache-spark", "apache-livy",
    ),
}  # fmt: skip
FLOORS = {"google": ("apache-beam>=2.60",), "others": ()}
RUNNERS: tuple[dict[str, Any], ...] = (
    {"runner": "ssh"},
    {"runner": "kubernetes", "kubernetes": {"image": "registry.example.com/client:1"}},
    {"runner": "emr", "emr": {"job_flow_id": "j-1"}},
    {"runners": {"spark": "livy"}},
    {"runners": {"spark": "dataproc", "hive": "dataproc", "pig": "dataproc"}, "dataproc": {"project_id": "p", "region": "r", "cluster": "c"}},
)  # fmt: skip
ENGINES = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="engines"><start to="s"/>
<action name="s"><spark xmlns="uri:oozie:spark-action:0.1"><master>yarn</master><mode>cluster</mode><name>n</name><class>x.Load</class><jar>/lib/load.jar</jar>
<spark-opts>--executor-memory 4G --conf spark.x=1</spark-opts><arg>a b</arg></spark><ok to="h"/><error to="k"/></action>
<action name="h"><hive xmlns="uri:oozie:hive-action:0.2"><script>/q.hql</script><param>A=1</param></hive><ok to="p"/><error to="k"/></action>
<action name="p"><pig><script>/q.pig</script><param>A=1</param></pig><ok to="end"/><error to="k"/></action>
<kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""


def value(argument: Argument) -> Expression:
    if argument.form in ("map", "json"):
        return {"a": "b"}
    return ["a"] if argument.form == "list" else "a-1"


def tasks() -> Iterator[Task]:
    for kind, rows in PLUGINS.items():
        for number, row in enumerate(rows):
            yield from _tasks(f"{kind}_{number}", row)


def _tasks(name: str, row: Plugin) -> Iterator[Task]:
    given = tuple((argument.name, value(argument)) for argument in row.arguments)
    yield Task(name, row.operator, ((row.connection, "conn"), *given, *row.fixed))
    if row.waits is not None:
        yield Task(f"{name}_end", row.waits, ((row.connection, "conn"), *given, *row.waits_for))


def jobs(side: str) -> dict[str, Any]:
    """Give jobs of the kinds that stand in no table."""
    if side == "google":
        return google_jobs()
    transfer = {"Type": "Job:FileTransfer", "ConnectionProfileSrc": "A", "ConnectionProfileDest": "B"}
    blob = {"Type": "Job:ApplicationIntegrator:AI Blob Storage", "ConnectionProfile": "C"}
    return {
        "Type": "Folder",
        "command": {"Type": "Job:Command", "Command": "ls", "Host": "h", "RunAs": "u"},
        "watch": {"Type": "Job:FileWatcher:Create", "Path": "/a/*.csv", "Host": "h", "RunAs": "u"},
        "copy": transfer | {"FileTransfers": [{"Src": "/a", "Dest": "/b", "TransferOption": "SrcToDestFileWatcher"}]},
        "home": transfer | {"FileTransfers": [{"Src": "a", "Dest": "~/b", "PostCommandDest": {"action": "chmod", "arg1": "700", "arg2": "b"}}]},
        "sql": {"Type": "Job:Database:EmbeddedQuery", "Query": "select 1", "ConnectionProfile": "D"},
        "blob": blob | {"AI-Action": "Watch", "AI-BlobWatch Container": "c", "AI-BlobWatch Blob Name": "b"},
        "rest": {"Type": "Job:Web Services REST", "Endpoint URL": "https://e.example.com", "Method": "GET"},
        "airflow": {"Type": "Job:Airflow", "DagId": "d", "ConfigurationJson": '{"a": 1}'},
    }  # fmt: skip


def google_jobs() -> dict[str, Any]:
    flow = {"Type": "Job:GCP Dataflow", "Project ID": "p", "Region": "r", "Template Location (gs://)": "gs://t"}
    return {
        "Type": "Folder",
        "flow": flow | {"Parameters (JSON Format)": '{"parameters": {"a": "b"}}'},
        "flex": flow | {"Template Type": "Flex Template", "Parameters (JSON Format)": '{"jobName": "x"}'},
        "query": {"Type": "Job:GCP BigQuery", "SQL Statement": "select 1", "Project Id": "p"},
    }


def is_of(side: str, task: Task) -> bool:
    return (task.operator.packages["3.3"] == "apache-airflow-providers-google") == (side == "google")


def conversions(folder: Path, side: str) -> Iterator[tuple[str, Conversion]]:
    rows = Dag("every_row", tuple(task for task in tasks() if is_of(side, task)), origin=Origin("rows"))
    yield "rows", Conversion("controlm", (rows,))
    (folder / "jobs").mkdir()
    (folder / "jobs" / "jobs.json").write_text(json.dumps({"every_kind": jobs(side)}))
    conversion = read_controlm(folder / "jobs", {})
    assert [item for dag in conversion.dags for item in dag.accounts if item.outcome == "raises"] == []
    yield "jobs", conversion
    for number, profile in enumerate(RUNNERS):
        if ("dataproc" in profile) != (side == "google"):
            continue
        for name, text in (("estate", WORKFLOW), ("engines", ENGINES)):
            place = folder / f"{name}_{number}"
            place.mkdir()
            (place / "workflow.xml").write_text(text)
            made = read_oozie(place, profile)
            if name == "engines":
                assert all(task.role != "raises" for dag in made.dags for task in dag.tasks), profile
            dags = tuple(replace(dag, dag_id=f"{name}_{number}_{place}") for place, dag in enumerate(made.dags))
            yield f"{name}_{number}", replace(made, dags=dags)


@pytest.mark.airflow
@pytest.mark.matrix
@pytest.mark.parametrize(("target", "version", "side"), VERSIONS)
def test_every_operator_is_constructed_and_kept(
    tmp_path: Path, airflow_venv: Callable[..., Venv], target: Target, version: str, side: str
) -> None:
    providers = (f"apache-airflow-providers-{name}" for name in PROVIDERS[side])
    venv = airflow_venv(version, (*providers, *FLOORS[side]))
    project = tmp_path / "project"
    wanted: dict[str, Any] = {}
    for name, conversion in conversions(tmp_path, side):
        out = tmp_path / "out" / name
        emit(compose(conversion, target), out)
        wanted |= json.loads((out / "tests" / "expected.json").read_text())
        for file in (out / "dags").rglob("*.py"):
            (project / "dags" / name).mkdir(parents=True, exist_ok=True)
            (project / "dags" / name / file.name).write_text(file.read_text())
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",  # the first import of Google's libraries is slow on a busy machine
    }
    done = subprocess.run(
        [str(venv.path / "bin/python"), str(PROBE), str(project)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["errors"] == {}
    assert seen["dags"] == wanted
