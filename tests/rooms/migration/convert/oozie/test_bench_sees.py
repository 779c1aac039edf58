"""The bench sees each kind of silent change: what is right passes, what is damaged does not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench.convert_oozie import _in_app, silent

from aerodrome.migration.convert.contract import Conversion, Dag, Parameter, Task
from aerodrome.migration.convert.oozie.actions import IN_APP
from aerodrome.migration.convert.oozie.reading import read

_COORDINATOR = """<coordinator-app name="c" frequency="${coord:days(1)}" start="2024-03-01T05:00+0900" end="2024-06-01T05:00+0900" timezone="GMT+09:00"
  xmlns="uri:oozie:coordinator:0.4"><datasets><dataset name="d" frequency="${coord:days(1)}" initial-instance="2024-01-01T05:00+0900" timezone="UTC">
  <uri-template>/d/${DAY}</uri-template></dataset></datasets><input-events><data-in name="d" dataset="d"><instance>${coord:current(0)}</instance></data-in></input-events>
  <action><workflow><app-path>${place}</app-path><configuration>
  <property><name>dir</name><value>${dir}/${coord:formatTime(coord:nominalTime(), 'yyyyMMddHH')}</value></property>
  <property><name>before</name><value>${coord:dateOffset(coord:nominalTime(), -1, 'MONTH')}</value></property></configuration></workflow></action></coordinator-app>"""
_WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="load"/><action name="load"><hive xmlns="uri:oozie:hive-action:0.5">
  <script>load.hql</script><argument>${dir}</argument><argument>${wf:conf('user.name')}</argument><argument>${keytab}</argument></hive>
  <ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""


_BUNDLE = """<bundle-app xmlns="uri:oozie:bundle:0.2" name="b"><coordinator name="c"><app-path>/apps/coordinator.xml</app-path>
  <configuration><property><name>dir</name><value>${dir}/entry</value></property></configuration></coordinator></bundle-app>"""


def convert(folder: Path, *, is_here: bool, is_bundled: bool = False) -> Conversion:
    (folder / "coordinator.xml").write_text(_COORDINATOR)
    (folder / "coordinator.properties").write_text("dir=/data/tide\n")
    if is_bundled:
        (folder / "bundle.xml").write_text(_BUNDLE)
    if is_here:
        (folder / "workflow.xml").write_text(_WORKFLOW)
    return read(folder, {})


def count(conversion: Conversion, folder: Path, dag: Dag) -> int:
    return silent(replace(conversion, dags=(dag,)), folder, {}, is_verbose=False)[0]


def with_argument(dag: Dag, task_id: str, name: str, value: Any) -> Dag:
    def changed(task: Task) -> Task:
        arguments = tuple((key, value if key == name else item) for key, item in task.arguments)
        return replace(task, arguments=arguments) if task.task_id == task_id else task

    return replace(dag, tasks=tuple(map(changed, dag.tasks)))


@pytest.mark.parametrize("name", ["dir", "before"])
@pytest.mark.parametrize("is_bundled", [True, False])
def test_a_value_that_is_handed_on(tmp_path: Path, name: str, is_bundled: bool) -> None:
    conversion = convert(tmp_path, is_here=False, is_bundled=is_bundled)
    (dag,) = conversion.dags
    conf = dict(dag.task("workflow").arguments)["conf"]
    assert isinstance(conf, dict)
    assert count(conversion, tmp_path, dag) == 0
    twice = {"dir": "{{ params.dir }}/x", "before": '{{ logical_date.strftime("%Y-%m-%dT%H:%MZ") }}'}
    assert count(conversion, tmp_path, with_argument(dag, "workflow", "conf", {**conf, name: twice[name]})) == 1


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('in_timezone("Etc/GMT-9")', 'in_timezone("UTC")'),
        ("params.place | app_folder", "params.place"),
        ('"/data/tide"', "params.keytab"),
    ],
)
def test_an_argument(tmp_path: Path, right: str, wrong: str) -> None:
    conversion = convert(tmp_path, is_here=True)
    (dag,) = conversion.dags
    command = str(dict(dag.task("load").arguments)["bash_command"])
    assert right in command
    assert count(conversion, tmp_path, dag) == 0
    assert count(conversion, tmp_path, with_argument(dag, "load", "bash_command", command.replace(right, wrong))) == 1


@pytest.mark.parametrize("name", ["user.name", "keytab"])
def test_an_empty_default(tmp_path: Path, name: str) -> None:
    conversion = convert(tmp_path, is_here=True)
    (dag,) = conversion.dags
    assert name in {item.name for item in dag.parameters}
    parameters = tuple(Parameter(item.name, "") if item.name == name else item for item in dag.parameters)
    assert count(conversion, tmp_path, replace(dag, parameters=parameters)) == 1


def test_runs_that_wait_without_a_word(tmp_path: Path) -> None:
    conversion = convert(tmp_path, is_here=True)
    (dag,) = conversion.dags
    accounts = tuple(item for item in dag.accounts if item.element != "coordinator/concurrency")
    assert count(conversion, tmp_path, replace(dag, accounts=accounts)) == 1


def test_a_run_that_waits_for_itself(tmp_path: Path) -> None:
    conversion = convert(tmp_path, is_here=False)
    (dag,) = conversion.dags
    assert count(conversion, tmp_path, dag) == 0
    assert count(conversion, tmp_path, with_argument(dag, "workflow", "trigger_dag_id", dag.dag_id)) == 1


_JOB = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="load"/><action name="load">{body}<ok to="end"/><error to="k"/></action>
  <kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
_SPARK = "<spark xmlns='uri:oozie:spark-action:1.0'><master>yarn</master><mode>cluster</mode><name>x</name><jar>/j.jar</jar><file>/c/tide.conf</file></spark>"


@pytest.mark.parametrize(("body", "right", "wrong"), [(_SPARK, '--files tide.conf"${lib_files:+,$lib_files}"', "")])
def test_a_file_that_stays_behind(tmp_path: Path, body: str, right: str, wrong: str) -> None:
    (tmp_path / "workflow.xml").write_text(_JOB.replace("{body}", body))
    (tmp_path / "job.properties").write_text("oozie.wf.application.path=/apps/tide\n")
    conversion = read(tmp_path, {})
    (dag,) = conversion.dags
    command = str(dict(dag.task("load").arguments)["bash_command"])
    assert right in command
    assert count(conversion, tmp_path, dag) == 0
    assert count(conversion, tmp_path, with_argument(dag, "load", "bash_command", command.replace(right, wrong))) == 1


@pytest.mark.parametrize(
    "body",
    [
        "<map-reduce><file>/c/tide.xsl</file></map-reduce>",
        '<sqoop xmlns="uri:oozie:sqoop-action:0.4"><command>list-tables</command><file>/c/ojdbc.jar</file></sqoop>',
    ],
    ids=["map-reduce", "sqoop"],
)
def test_a_file_that_does_not_reach_the_tasks_of_a_job(tmp_path: Path, body: str) -> None:
    (tmp_path / "workflow.xml").write_text(_JOB.replace("{body}", body))
    conversion = read(tmp_path, {})
    (dag,) = conversion.dags
    assert count(conversion, tmp_path, dag) == 0
    command = str(dict(dag.task("load").arguments)["bash_command"])
    lost = command.replace("mapreduce.job.cache.files", "mapreduce.job.name")
    assert count(conversion, tmp_path, with_argument(dag, "load", "bash_command", lost)) == 1


def test_a_relative_path_below_an_application_whose_path_names_its_file_is_no_change(tmp_path: Path) -> None:
    """The sample of the whole application path ends with /workflow.xml: a script that only the run names stands beside it."""
    (tmp_path / "workflow.xml").write_text(_WORKFLOW.replace("load.hql", "${script}"))
    (tmp_path / "coordinator.xml").write_text(_COORDINATOR)
    (tmp_path / "coordinator.properties").write_text("dir=/data/tide\n")
    conversion = read(tmp_path, {})
    (dag,) = conversion.dags
    command = str(dict(dag.task("load").arguments)["bash_command"])
    assert "in_app" in command
    assert count(conversion, tmp_path, dag) == 0
    damaged = command.replace("in_app(params.place)", "in_app(params.place ~ '/workflow.xml/x')")
    assert damaged != command
    assert count(conversion, tmp_path, with_argument(dag, "load", "bash_command", damaged)) == 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b", "/a/b"),
        ("hdfs://nn/a", "hdfs://nn/a"),
        ("a/b:c", "/apps/x/a/b:c"),
        ("value of p", "/apps/x/value of p"),
        ("a b:c", "/apps/x/a b:c"),
        ("1:2", "/apps/x/1:2"),
    ],
)
@pytest.mark.parametrize("application", ["/apps/x", "/apps/x/workflow.xml"])
def test_a_path_is_within_an_application_as_dag_files_see_it(path: str, expected: str, application: str) -> None:
    space: dict[str, Any] = {"re": re}
    exec(IN_APP.source, space)
    assert _in_app(path, application) == space["in_app"](path, application) == expected


@pytest.mark.parametrize("is_here", [True, False])
def test_times_of_a_job_say_where_its_server_is(tmp_path: Path, is_here: bool) -> None:
    """As those that are written do: `start=${begin}`."""
    convert(tmp_path, is_here=is_here)
    text = re.sub(r'"2024-0(\d)-01T05:00\+0900"', r'"${begin_\1}"', _COORDINATOR)
    (tmp_path / "coordinator.xml").write_text(text)
    values = "".join(f"begin_{month}=2024-0{month}-01T05:00+0900\n" for month in (1, 3, 6))
    (tmp_path / "coordinator.properties").write_text(f"dir=/data/tide\n{values}")
    conversion = read(tmp_path, {})
    (dag,) = conversion.dags
    assert count(conversion, tmp_path, dag) == 0
