"""SubDags become task groups only where nothing else depended on them; the function that makes one and all its users change together."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules.subdags import RULE

_HEAD = """from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.subdag import SubDagOperator
"""
_FACTORY = """
def section(parent, child, args):
    with DAG("%s.%s" % (parent, child), default_args=args, schedule="@daily") as part:
        BashOperator(task_id="first", bash_command="date", dag=part)
    return part
"""
_DAG = """
args = {"owner": "me"}
dag = DAG("sales", schedule="@daily", default_args=args)
north = SubDagOperator(task_id="north", subdag=section("sales", "north", args), dag=dag)
"""


def apply(source: str) -> tuple[str, list[str]]:
    done = rewrite(source.encode(), [RULE], Options())
    return done.text.decode(), [spot.message for _, spot in done.spots]


def test_a_dag_that_is_not_entered_is_entered_for_the_group() -> None:
    text, spots = apply(_HEAD + _FACTORY + _DAG)
    assert spots == []
    assert (
        '    with TaskGroup(group_id=child, default_args=args) as part:\n        BashOperator(task_id="first", bash_command="date")'
        in text
    )
    assert 'with dag:\n    north = section("sales", "north", args)\n' in text
    compile(text, "x", "exec")


def test_what_the_function_is_given_of_the_dag_goes_on_being_there() -> None:
    source = (
        (_HEAD + _FACTORY + _DAG)
        .replace("(parent, child, args)", "(parent, child, args, schedule)")
        .replace('schedule="@daily") as part', "schedule_interval=schedule) as part")
        .replace('"north", args)', '"north", args, dag.schedule_interval)')
    )
    assert source.count("schedule)") == 2
    assert 'section("sales", "north", args, dag.schedule)' in apply(source)[0]


def test_comments_within_the_call_stay() -> None:
    call = 'SubDagOperator(  # the north\n    task_id="north",\n    subdag=section("sales", "north", args),\n    dag=dag,\n)'
    source = (_HEAD + _FACTORY + _DAG).replace(
        'SubDagOperator(task_id="north", subdag=section("sales", "north", args), dag=dag)', call
    )
    text, _ = apply(source)
    assert '# the north\nwith dag:\n    north = section("sales", "north", args)\n' in text


def test_a_start_date_of_its_own_stays() -> None:
    source = (_HEAD + _FACTORY + _DAG).replace(
        "default_args=args, schedule", "default_args=args, start_date=parent_start, schedule"
    )
    assert 'TaskGroup(group_id=child, default_args={"start_date": parent_start, **args})' in apply(source)[0]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('task_id="north", ', 'task_id="north", pool="slow", ', "has no pool"),
        ('task_id="north", ', 'task_id="north", propagate_skipped_state=ANY, ', "propagate_skipped_state"),
        ('schedule="@daily") as', 'schedule="@daily", max_active_tasks=2) as', "max_active_tasks"),
        ('bash_command="date", dag', 'bash_command="{{ ti.xcom_pull() }}", dag', "depends on the run"),
        ('bash_command="date", dag', 'bash_command="{{ ti.xcom_pull(task_ids=params.a) }}", dag', "depends on the run"),
        (
            'bash_command="date", dag',
            "bash_command=\"{{ ti.xcom_pull(task_ids='a', dag_id='a.b') }}\", dag",
            "depends on the run",
        ),
        ('"north", args)', '"north", args, "{{ run_id }}")', "depends on the run"),
        ('"north", args)', '"north", args, "{{ ti.xcom_pull(task_ids=\'a\') }}")', "depends on the run"),
        ('bash_command="date", dag', 'bash_command="date", trigger_rule="all_done", dag', "trigger_rule"),
        ("    return part", "    print(part.dag_id)\n    return part", "more than making tasks"),
        ("    return part", "    check(part)\n    return part", "more than making tasks"),
        ('default_args=args, schedule="@daily") as', 'schedule="@daily") as', "would reach its tasks"),
        ('"north", args)', '"north", {"owner": "you"})', "not those of the DAG"),
        ('"%s.%s" % (parent, child)', "name_of(parent, child)", "own name"),
        ("dag=dag)\n", "dag=dag)\nprint(north.task_id)\n", "more than the order"),
        ("dag=dag)\n", "dag=dag)\nother = section('a', 'b', args)\n", "something else"),
        (
            "dag=dag)\n",
            "dag=dag)\nlast = BashOperator(task_id='z', trigger_rule='one_failed', dag=dag)\n",
            "trigger rule",
        ),
        ("dag=dag)\n", "dag=find())\n", "cannot be seen"),
        ('section("sales", "north", args)', "made", "no function of the project"),
        ('date", dag=part', 'date", on_failure_callback=tell, dag=part', "cannot be followed"),
    ],
)
def test_whatever_may_mean_something_else_is_a_finding(old: str, new: str, reason: str) -> None:
    source = _HEAD + _FACTORY + _DAG
    assert old in source
    text, spots = apply(source := source.replace(old, new))
    assert text == source
    assert len(spots) == 1
    assert reason in spots[0]


_SENSOR = "from airflow.sensors.external_task import ExternalTaskSensor\n"


@pytest.mark.parametrize(
    "arguments",
    [
        "external_dag_id='stock', external_task_id='load'",
        "external_dag_id=parent, external_task_id='load', execution_date_fn=lambda at: at",
        "external_dag_id='stock', soft_fail=False, skipped_states=[], failed_states=['failed'], mode='reschedule'",
    ],
)
def test_a_sensor_of_another_dag_skips_only_when_it_is_told_to(arguments: str) -> None:
    made = f"ExternalTaskSensor(task_id='wait', {arguments}, dag=part)\n        BashOperator("
    text, spots = apply(_SENSOR + _HEAD + _FACTORY.replace("BashOperator(", made) + _DAG)
    assert spots == []
    assert f"ExternalTaskSensor(task_id='wait', {arguments})" in text


@pytest.mark.parametrize(
    ("arguments", "args", "reason"),
    [
        ("external_dag_id='stock', soft_fail=True", "{}", "`soft_fail` may skip"),
        ("external_dag_id='stock', soft_fail=is_soft", "{}", "`soft_fail` may skip"),
        ("external_dag_id='stock', skipped_states=['skipped']", "{}", "`skipped_states` may skip"),
        ("external_dag_id='stock'", "{'soft_fail': True}", "in a dict of the project"),
        ("external_dag_id='stock'", "dict(skipped_states=['skipped'])", "in a dict of the project"),
        ("external_dag_id='sales.south'", "{}", "may be the id of a SubDag"),
        ("external_dag_id='%s.%s' % (parent, child)", "{}", "may be the id of a SubDag"),
        ("external_dag_id='stock', execution_date_fn=find", "{}", "cannot be followed"),
    ],
)
def test_a_sensor_that_may_skip_or_asks_for_a_subdag_stays(arguments: str, args: str, reason: str) -> None:
    made = f"ExternalTaskSensor(task_id='wait', {arguments}, dag=part)\n        BashOperator("
    source = _SENSOR + _HEAD + _FACTORY.replace("BashOperator(", made) + _DAG.replace('{"owner": "me"}', args)
    text, spots = apply(source)
    assert text == source
    assert [reason in spot for spot in spots] == [True]


def test_names_that_only_sound_like_skipping_are_harmless() -> None:
    source = (_HEAD + _FACTORY + _DAG).replace("child, args)", "child, args, branch=1)", 1)
    source = source.replace('bash_command="date"', "bash_command='load %s' % branch")
    text, spots = apply(source)
    assert spots == []
    assert "TaskGroup(" in text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("from airflow.operators.python import BranchPythonOperator as Load\n", "`Load` may skip"),
        ("class Load(BranchPythonOperator):\n    pass\n", "`BranchPythonOperator` may skip"),
        ("class Load(BashOperator):\n    def execute(self, context):\n        raise AirflowSkipException\n", "`AirflowSkipException`"),
        ("from company.operators import Load\n", "`Load` cannot be followed"),
        ("Load = find()\n", "`Load` cannot be followed"),
    ],
)  # fmt: skip
def test_operators_that_are_none_of_airflows_are_looked_into(line: str, reason: str) -> None:
    source = "from airflow.operators.python import BranchPythonOperator\n" + _HEAD + line
    source += _FACTORY.replace("BashOperator(", "Load(") + _DAG
    text, spots = apply(source)
    assert text == source
    assert [reason in spot for spot in spots] == [True]
    plain = "class Load(BashOperator):\n    pass\n"
    text, spots = apply(source.replace(line, plain))
    assert spots == []


@pytest.mark.parametrize("command", ["test -f a || exit 99", "exit  99"])
def test_what_airflow_2_skips_by_an_exit_code_stays(command: str) -> None:
    source = (_HEAD + _FACTORY + _DAG).replace('"date"', f'"{command}"')
    assert "may skip" in apply(source)[1][0]


@pytest.mark.parametrize("schedule", ["None", "'@once'", "'@hourly'"])
def test_the_schedule_of_a_subdag_decides_nothing(schedule: str) -> None:
    source = (
        _HEAD.replace("operators.subdag ", "operators.subdag_operator ")
        + f"""
args = {{"owner": "me"}}
def section():
    part = DAG("sales.north", default_args=args, schedule_interval={schedule})
    with part:
        BashOperator(task_id="first", bash_command="date")
    return part
dag = DAG("sales", schedule_interval="@daily", default_args=args)
with dag:
    SubDagOperator(task_id="north", subdag=section())
"""
    )
    text, spots = apply(source)
    assert spots == []
    assert '    part = TaskGroup(group_id="north", default_args=args)\n    with part:\n' in text
    assert text.endswith("with dag:\n    section()\n")


def _project(folder: Path, more: str = "") -> Path:
    (folder / "dags/parts").mkdir(parents=True)
    (folder / "dags/parts/__init__.py").touch()
    (folder / "dags/parts/load.py").write_text(
        _HEAD.replace("from airflow.operators.subdag import SubDagOperator\n", "") + _FACTORY
    )
    (folder / "dags/sales.py").write_text(_HEAD + "from parts.load import section\n" + _DAG)
    if more:
        (folder / "dags/more.py").write_text(more)
    return folder


def test_a_function_of_another_file_changes_with_its_users(tmp_path: Path) -> None:
    done = upgrade(_project(tmp_path / "in"), tmp_path / "out", "3.3.2")
    assert "TaskGroup(group_id=child" in (tmp_path / "out/dags/parts/load.py").read_text()
    text = (tmp_path / "out/dags/sales.py").read_text()
    assert "SubDag" not in text
    assert 'with dag:\n    north = section("sales", "north", args)' in text
    assert {(item.file, item.rule) for item in done.findings} <= {
        ("dags/sales.py", "subdag"),
        ("dags/sales.py", "catchup-default"),
    }
    (found,) = (item for item in done.findings if item.rule == "subdag")
    assert text.splitlines()[found.line - 1] == "with dag:"
    assert "ids begin with the group's" in found.message
    again = upgrade(tmp_path / "out", tmp_path / "again", "3.3.2")
    assert [file.path for file in again.files if file.diff] == []


def test_one_user_that_cannot_change_keeps_all(tmp_path: Path) -> None:
    more = "from parts.load import section\nlonely = section('a', 'b', {})\n"
    done = upgrade(_project(tmp_path / "in", more), tmp_path / "out", "3.3.2")
    assert "TaskGroup" not in (tmp_path / "out/dags/parts/load.py").read_text()
    assert "SubDagOperator(" in (tmp_path / "out/dags/sales.py").read_text()
    assert "subdag" in {item.rule for item in done.findings}


def test_airflow_2_keeps_its_subdags(tmp_path: Path) -> None:
    upgrade(_project(tmp_path / "in"), tmp_path / "out", "2.11.2")
    assert (tmp_path / "out/dags/sales.py").read_text() == (tmp_path / "in/dags/sales.py").read_text()


@pytest.mark.parametrize(
    ("lines", "is_followed"),
    [
        ("    dag_id = '%s.%s' % (parent, child)\n", True),
        ('    dag_id = f"{parent}.{child}"\n', True),
        ('    dag_id = f"{parent}.{child}"\n    dag_id += "x"\n', False),
        ('    child = child + "x"\n    dag_id = f"{parent}.{child}"\n', False),
        ('    if child:\n        dag_id = f"{parent}.{child}"\n', False),
    ],
)
def test_the_dag_id_may_stand_in_a_local_name_first(lines: str, is_followed: bool) -> None:
    source = (_HEAD + _FACTORY + _DAG).replace(
        '    with DAG("%s.%s" % (parent, child)', f"{lines}    with DAG(dag_id=dag_id"
    )
    text, spots = apply(source)
    assert ("with TaskGroup(group_id=child, default_args=args) as part:" in text) == is_followed
    assert len(spots) == (0 if is_followed else 1)
