"""An estate becomes DAGs that keep every value, flag, wait and time, and says what it could not keep."""

from __future__ import annotations

import ast
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jinja2
import pytest
from tests.rooms.migration.convert.oozie.estates import CHILD, WORKFLOW, write_estate

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert import report, symbols
from aerodrome.migration.convert.contract import TARGETS, Conversion, Dag
from aerodrome.migration.convert.emission import compose
from aerodrome.migration.convert.oozie.model import read_workflow
from aerodrome.migration.convert.oozie.oracle import nominal_times
from aerodrome.migration.convert.oozie.proof import prove_flow
from aerodrome.migration.convert.oozie.reading import read
from aerodrome.migration.convert.xmlreading import read_file


def by_id(conversion: Conversion) -> dict[str, Dag]:
    return {dag.dag_id: dag for dag in conversion.dags}


def arguments(dag: Dag, task: str) -> dict[str, Any]:
    return dict(dag.task(task).arguments)


@pytest.fixture
def dags(tmp_path: Path) -> dict[str, Dag]:
    return by_id(read(write_estate(tmp_path), {"sub_workflows": "trigger"}))


def test_a_coordinator_and_its_workflow_are_one_dag(dags: dict[str, Dag]) -> None:
    assert set(dags) == {"daily", "child"}
    schedule = dags["daily"].schedule
    assert schedule.start == datetime(2025, 6, 1, 4, 30, tzinfo=UTC)
    assert schedule.end == datetime(2026, 1, 10, 4, 29, tzinfo=UTC)
    assert schedule.is_catching_up
    assert dags["daily"].max_active_runs == 2
    times = nominal_times(schedule.oracle, 200)
    assert {moment.hour for moment in times} == {4, 5}  # half past six in Paris, summer and winter
    assert dags["child"].schedule.expression is None
    assert dags["child"].is_paused is False


def test_every_flag_and_argument_is_kept(dags: dict[str, Dag]) -> None:
    task = dags["daily"].task("load")
    command = arguments(dags["daily"], "load")["bash_command"]
    assert command.splitlines()[:2] == [
        "set -e",
        'hdfs dfs -rm -r -f -skipTrash {{ params.nameNode | quote }}/out/{{ logical_date.subtract(days=1).strftime("%Y-%m-%d") | quote }}',
    ]
    assert "--master yarn --deploy-mode cluster" in command
    assert "--executor-memory 4G --conf 'spark.x=a b' --queue {{ params.queue | quote }}" in command
    assert "--conf spark.hadoop.mapreduce.job.queuename={{ params.queue | quote }}" in command
    assert "'it'\"'\"'s {{ '{' }}{ plain }}'" in command
    assert (task.retries, task.retry_delay) == (2, timedelta(minutes=3))
    assert dict(dags["daily"].default_arguments) == {"skip_on_exit_code": None}  # exit code 99 fails in Oozie


def test_captured_output_reaches_the_child(dags: dict[str, Dag]) -> None:
    count = arguments(dags["daily"], "count")
    assert '\nenv PATH=".:$PATH" REGION={{ params.region | quote }} count.sh {{' in count["bash_command"]
    assert "tee captured.properties" in count["bash_command"]
    publish = arguments(dags["daily"], "publish")
    assert publish["trigger_dag_id"] == "child"
    assert publish["conf"]["rows"] == '{{ (ti.xcom_pull(task_ids="count") or {}).get("rows", "") }}'
    assert publish["conf"]["nameNode"] == "{{ params.nameNode }}"
    assert publish["wait_for_completion"] is True


def test_waits_are_kept(dags: dict[str, Dag]) -> None:
    daily = dags["daily"]
    waits = [task for task in daily.tasks if task.is_waiting]
    assert [task.task_id for task in waits] == ["wait_for_logs", "wait_for_users"]
    assert dict(waits[0].arguments)["timeout"] == timedelta(minutes=90)
    texts = {function.name: function.source for function in daily.functions}
    assert "between(logical_date, -23, 0)" in texts["logs_uris"]
    assert 'moment.strftime("/logs/%Y/%m/%d/%H")' in texts["logs_uris"]
    assert 'uri + "/_SUCCESS"' in texts["logs_arrived"]
    assert ".latest(dag_run.start_date, 0, 0, is_there)" in texts["users_arrived"]
    assert "str(moment.month + 0)" in texts["users_arrived"]
    assert daily.task("outputs").outlets


def test_what_is_unknown_raises_and_says_so(dags: dict[str, Dag]) -> None:
    odd = dags["daily"].task("odd")
    assert odd.role == "raises"
    assert odd.operator is not symbols.EMPTY
    assert "<secret>1</secret>" in odd.doc
    accounts = [account for account in dags["daily"].accounts if account.outcome == "raises"]
    assert [(account.code, account.name) for account in accounts] == [("action-unknown", "odd")]


def test_each_node_is_accounted_for_once(dags: dict[str, Dag], tmp_path: Path) -> None:
    workflow = read_workflow(read_file(tmp_path / "apps/daily/workflow.xml"), "workflow.xml")
    names = [
        account.name
        for account in dags["daily"].accounts
        if not account.element.startswith("coordinator/") and account.name
    ]
    assert sorted(names) == sorted(workflow.nodes)
    assert prove_flow(workflow, dags["daily"]) == ()


def test_a_bundle_gives_its_values(tmp_path: Path) -> None:
    conversion = read(write_estate(tmp_path, with_bundle=True), {})
    daily = by_id(conversion)["daily"]
    assert daily.schedule.start == datetime(2026, 1, 1, 4, 30, tzinfo=UTC)
    assert daily.is_paused is True
    assert "bundle:all" in daily.tags


@pytest.mark.parametrize("target", TARGETS)
def test_output_is_python_and_the_same_every_time(target: Any, tmp_path: Path) -> None:
    folder = write_estate(tmp_path)
    files = compose(read(folder, {}), target)
    assert files == compose(read(folder, {}), target)
    text = files["dags/daily_dag.py"]
    ast.parse(text)
    assert ("from airflow.sdk import" in text) is (target == "3.3")
    assert "apache-airflow-providers-smtp" in files["requirements.txt"]


def test_a_start_that_nobody_knows_is_asked_for(tmp_path: Path) -> None:
    folder = write_estate(tmp_path)
    properties = folder / "apps/daily/coordinator.properties"
    properties.write_text(properties.read_text().replace("start=", "begin="))
    conversion = read(folder, {})
    assert conversion.questions[0].code == "unknown-start"
    assert by_id(conversion)["daily"].task("start").role == "raises"
    assert report.raising(conversion) == 2
    answered = read(folder, {"defaults": {"start": "2025-06-01T04:30Z"}})
    assert by_id(answered)["daily"].schedule.start == datetime(2025, 6, 1, 4, 30, tzinfo=UTC)


def test_a_dataset_that_nobody_defines_is_asked_for_and_waited_for(tmp_path: Path) -> None:
    folder = write_estate(tmp_path)
    (folder / "apps/datasets.xml").unlink()
    daily = by_id(read(folder, {}))["daily"]
    assert sum(task.is_waiting for task in daily.tasks) == 2
    assert "dataset.logs.uri" in {item.name for item in daily.parameters if item.default is None}
    assert daily.tasks[0].task_id == "check_params"


def test_broken_files_are_rejected_and_the_rest_converted(tmp_path: Path) -> None:
    folder = write_estate(tmp_path)
    (folder / "broken").mkdir()
    (folder / "broken/workflow.xml").write_text("<workflow-app><start></workflow-app>")
    conversion = read(folder, {})
    assert [(item.file, item.code, item.line) for item in conversion.rejected] == [
        ("broken/workflow.xml", "xml-malformed", 1)
    ]
    assert [dag.dag_id for dag in conversion.dags] == ["daily"]


@pytest.mark.parametrize(
    ("runner", "operator"),
    [
        ("ssh", "SSHOperator"),
        ("kubernetes", "KubernetesPodOperator"),
        ("emr", "EmrAddStepsOperator"),
        ("livy", "LivyOperator"),
        ("dataproc", "DataprocSubmitJobOperator"),
    ],
)
def test_profiles_choose_where_spark_runs(runner: str, operator: str, tmp_path: Path) -> None:
    folder = write_estate(tmp_path)
    path = folder / "apps/daily/workflow.xml"
    if runner in ("livy", "dataproc"):  # they take a job, and no commands around it
        refused = by_id(read(folder, {"runners": {"spark": runner}}))["daily"].task("load")
        assert refused.role == "raises"
        path.write_text(path.read_text().replace('<prepare><delete path="${nameNode}/out/${day}"/></prepare>', ""))
    conversion = read(folder, {"runners": {"spark": runner}})
    task = by_id(conversion)["daily"].task("load")
    assert task.operator.name == operator
    assert "4G" in repr(task.arguments)
    for target in TARGETS:
        ast.parse(compose(conversion, target)["dags/daily_dag.py"])


@pytest.mark.parametrize("profile", [{"runer": "ssh"}, {"runner": "moon"}, {"ssh": 1}])
def test_a_wrong_profile_is_refused(profile: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        read(tmp_path, profile)
    assert caught.value.code == "convert-profile-invalid"


def test_one_file_is_enough(tmp_path: Path) -> None:
    (tmp_path / "workflow.xml").write_text(CHILD)
    (tmp_path / "other.xml").write_text(WORKFLOW)
    assert [dag.dag_id for dag in read(tmp_path / "workflow.xml", {}).dags] == ["child"]


def test_file_operations_keep_their_order(dags: dict[str, Dag]) -> None:
    assert arguments(dags["child"], "clean")["bash_command"].splitlines() == [
        "set -e",
        "hdfs dfs -mkdir -p {{ params.nameNode | quote }}/a",
        "hdfs dfs -mv {{ params.nameNode | quote }}/a /b",
        "hdfs dfs -chmod 750 /b",
    ]


LOGIC = """<input-logic><or name="any"><and><data-in dataset="logs" min="2"/><data-in dataset="users"/></and>
  <combine name="both"><data-in dataset="logs"/><data-in dataset="users"/></combine></or></input-logic>"""


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ({"l0", "l1", "u0", "u1", "u2"}, ["u0", "u1", "u2", "l0", "l1"]),  # the first alternative, its last part first
        ({"l0", "u1", "u2"}, ["l0", "u1", "u2"]),  # the second: each hour from one of the two
        ({"l0", "u1"}, []),
    ],
)
def test_input_logic_waits_for_alternatives(there: set[str], found: list[str], tmp_path: Path) -> None:
    folder = write_estate(tmp_path)
    path = folder / "apps/daily/coordinator.xml"
    text = path.read_text().replace("</input-events>", f"</input-events>{LOGIC}").replace("latest(0)", "current(0)")
    path.write_text(text.replace("coord:dataIn('logs')", "coord:dataIn('any')"))
    daily = by_id(read(folder, {}))["daily"]
    assert [task.task_id for task in daily.tasks if task.is_waiting] == ["wait_for_inputs"]
    assert 'ti.xcom_pull(task_ids="wait_for_inputs")["any"]' in arguments(daily, "load")["bash_command"]
    sources = {function.name: function.source for function in daily.functions}
    names: dict[str, Any] = {
        "hdfs_test": lambda _, uri: uri.partition("/")[0] in there,
        "logs_uris": lambda *_: ["l0", "l1", "l2"],
        "users_uris": lambda *_: ["u0", "u1", "u2"],
        "PokeReturnValue": lambda is_done, value: (is_done, value["any"]),
    }
    exec(sources["exists"] + sources["there"] + sources["inputs_arrived"], names)
    got = names["inputs_arrived"]({}, None, None)
    assert got == (bool(found), [uri.partition("/")[0] for uri in found])


@pytest.mark.parametrize("path", ["/apps/relative", "/apps/relative/workflow.xml"])
def test_a_file_beside_a_workflow_whose_place_only_the_run_knows(tmp_path: Path, path: str) -> None:
    (tmp_path / "workflow.xml").write_text(
        '<workflow-app xmlns="uri:oozie:workflow:0.5" name="relative"><start to="h"/><action name="h"><hive xmlns="uri:oozie:hive-action:0.2">'
        '<script>q.hql</script></hive><ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>'
    )
    (dag,) = read(tmp_path, {}).dags
    space: dict[str, Any] = {}
    for function in dag.functions:
        exec(function.source, space)  # a function that the converter has written
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # as Airflow renders
    environment.filters |= {"quote": shlex.quote, "app_folder": space["app_folder"]}
    command = environment.from_string(arguments(dag, "h")["bash_command"])
    assert "-get -f /apps/relative/q.hql q.hql" in command.render(params={"oozie.wf.application.path": path})


@pytest.mark.parametrize(("most", "is_told"), [("3", False), ("4", True), ("${tries}", True)])
def test_tries_beyond_what_oozies_server_allows_are_told(tmp_path: Path, most: str, is_told: bool) -> None:
    text = CHILD.replace('<action name="clean">', f'<action name="clean" retry-max="{most}">')
    (tmp_path / "workflow.xml").write_text(text)
    (tmp_path / "job.properties").write_text("nameNode=hdfs://n\ntries=9\n")
    (dag,) = read(tmp_path, {}).dags
    (account,) = [item for item in dag.accounts if item.name == "clean"]
    assert ("retry-limit" in account.code) == is_told
    assert dag.task("clean").retries == (9 if "{" in most else int(most))
