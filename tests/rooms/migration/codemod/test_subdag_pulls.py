"""XComs in and around SubDags that become task groups, and SubDags within them: pulls mean the same, or somebody is told."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules.subdags import RULE

_HEAD = """from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator, get_current_context
from airflow.operators.subdag import SubDagOperator
"""
_FACTORY = """

def section(parent, child, args):
    with DAG(f"{parent}.{child}", default_args=args, schedule="@daily") as part:
        BashOperator(task_id="first", bash_command="date")
        LAST
    return part
"""
_DAG = """
args = {"owner": "me"}
with DAG("sales", schedule="@daily", default_args=args) as dag:
    north = SubDagOperator(task_id="north", subdag=section("sales", "north", args))
    MORE
"""
_OWN = "ti.task.task_group.child_id"


def look(source: str, **files: str) -> Rewritten:
    texts = {f"{name}.py": text.encode() for name, text in files.items()}
    project = Project({"main.py": source.encode(), **texts})
    return rewrite(source.encode(), [RULE], Options(file="main.py", project=project))


def whole(functions: str = "", last: str = "", more: str = "pass") -> str:
    return _HEAD + functions + _FACTORY.replace("LAST", last or "pass") + _DAG.replace("MORE", more)


@pytest.mark.parametrize(
    ("pull", "new"),
    [
        ("ti.xcom_pull(task_ids='first')", f"ti.xcom_pull(task_ids={_OWN}('first'))"),
        ("ti.xcom_pull('first', key='a')", f"ti.xcom_pull({_OWN}('first'), key='a')"),
        ("task_instance.xcom_pull(key='a', task_ids=['first', 'b'])", f"task_instance.xcom_pull(key='a', task_ids=[task_instance.{_OWN[3:]}('first'), task_instance.{_OWN[3:]}('b')])"),
        ("ti.xcom_pull(task_ids='start', dag_id='sales')", None),
        ("ti.xcom_pull(task_ids=params.a, dag_id='stock')", None),
        ("ti.xcom_pull(task_ids='start', dag_id=dag.parent_dag.dag_id)", "ti.xcom_pull(task_ids='start', dag_id=dag.dag_id)"),
        ("ti.xcom_pull(task_ids='first', dag_id='sales.north')", "ti.xcom_pull(task_ids='north.first', dag_id='sales')"),
    ],
)  # fmt: skip
def test_pulls_of_templates(pull: str, new: str | None) -> None:
    last = f'BashOperator(task_id="last", bash_command="echo {{{{ {pull} }}}} {{{{ ds }}}}")'
    source = whole(last=last)
    done = look(source)
    text = done.text.decode()
    assert f"echo {{{{ {new or pull} }}}} {{{{ ds }}}}" in text
    assert "TaskGroup(group_id=child" in text
    assert done.spots == []
    assert look(text).text.decode() == text


@pytest.mark.parametrize(
    ("line", "new"),
    [
        ("ti.xcom_pull(task_ids='first')", f"ti.xcom_pull(task_ids={_OWN}('first'))"),
        ("context['ti'].xcom_pull(task_ids=('first', 'b'))", "context['ti'].xcom_pull(task_ids=(context['ti'].task.task_group.child_id('first'), context['ti'].task.task_group.child_id('b')))"),
        ("get_current_context()['ti'].xcom_pull(key='a', task_ids='start', dag_id='sales')", None),
        ("ti.xcom_pull(task_ids='start', dag_id=context['dag'].parent_dag.dag_id)", "ti.xcom_pull(task_ids='start', dag_id=context['dag'].dag_id)"),
        ("ti.xcom_pull(task_ids='first', dag_id='sales.north')", "ti.xcom_pull(task_ids='north.first', dag_id='sales')"),
        ("ti.xcom_pull(task_ids=f'first_{context[0]}')", f"ti.xcom_pull(task_ids={_OWN}(f'first_{{context[0]}}'))"),
        ("ti.xcom_pull('first_%d' % context[0])", f"ti.xcom_pull({_OWN}('first_%d' % context[0]))"),
        ("ti.xcom_pull(task_ids=['first_{}'.format(1), str(2)])", f"ti.xcom_pull(task_ids=[{_OWN}('first_{{}}'.format(1)), {_OWN}(str(2))])"),
    ],
)  # fmt: skip
def test_pulls_of_functions(line: str, new: str | None) -> None:
    function = f"\n\ndef load(ti, **context):\n    return {line}\n"
    done = look(whole(function, 'PythonOperator(task_id="last", python_callable=load)'))
    text = done.text.decode()
    assert f"    return {new or line}\n" in text
    assert "TaskGroup(group_id=child" in text
    assert done.spots == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ti.xcom_pull()", "cannot be seen from which"),
        ("ti.xcom_pull(task_ids=context['params']['a'])", "cannot be seen from which"),
        ("ti.xcom_pull(task_ids='a', dag_id=context['params']['a'])", "cannot be seen from which"),
        ("ti.xcom_pull(task_ids='a', dag_id='sales.east')", "cannot be seen from which"),
        ("ti.xcom_pull(task_ids=f'first_{context}', dag_id='sales.north')", "cannot be seen from which"),
        ("ti.xcom_pull(task_ids='a_%s' % context['run_id'])", "depends on the run"),
        ("ti.xcom_pull(**context)", "cannot be seen from which"),
        ("ti.task_id", "is another in a task group"),
        ("context['dag'].dag_id", "is another in a task group"),
        ("context['run_id']", "depends on the run"),
    ],
)
def test_what_is_not_understood_keeps_the_subdag(line: str, reason: str) -> None:
    function = f"\n\ndef load(ti, **context):\n    return {line}\n"
    source = whole(function, 'PythonOperator(task_id="last", python_callable=load)')
    done = look(source)
    assert done.text.decode() == source
    assert [reason in spot.message for _, spot in done.spots] == [True]


def test_a_function_within_the_function_knows_its_parent() -> None:
    last = """
        def load(ti):
            return ti.xcom_pull(task_ids="first"), ti.xcom_pull(task_ids="start", dag_id=parent)
        PythonOperator(task_id="last", python_callable=load)"""
    done = look(whole(last=last))
    text = done.text.decode()
    assert done.spots == []
    assert f'ti.xcom_pull(task_ids={_OWN}("first")), ti.xcom_pull(task_ids="start", dag_id=parent)' in text
    assert "TaskGroup(group_id=child" in text


def test_a_template_in_a_name_of_the_file_is_followed() -> None:
    text = "\n\nCOMMAND = \"echo {{ ti.xcom_pull(task_ids='first') }}\"\n"
    last = 'BashOperator(task_id="last", bash_command=COMMAND)'
    done = look(whole(text, last))
    assert f"COMMAND = \"echo {{{{ ti.xcom_pull(task_ids={_OWN}('first')) }}}}\"" in done.text.decode()
    source = whole(text.replace("xcom_pull(task_ids='first')", "run_id"), last)
    done = look(source)
    assert done.text.decode() == source
    assert "depends on the run" in done.spots[0][1].message


def test_who_uses_the_same_function_in_a_group_of_its_own_keeps_the_subdag() -> None:
    function = "\n\ndef load(ti):\n    return ti.xcom_pull(task_ids='first')\n"
    more = "with TaskGroup('east'):\n        PythonOperator(task_id='load', python_callable=load)"
    head = "from airflow.utils.task_group import TaskGroup\n"
    source = head + whole(function, 'PythonOperator(task_id="last", python_callable=load)', more)
    done = look(source)
    assert done.text.decode() == source
    assert "may be used in a task group of main.py" in done.spots[0][1].message


def test_pulls_from_outside_follow_the_tasks() -> None:
    more = """BashOperator(task_id="tell", bash_command="{{ ti.xcom_pull('first', 'sales.north') }}")
    PythonOperator(task_id="say", python_callable=lambda ti: ti.xcom_pull(dag_id="sales.north", task_ids=["first"]))"""
    done = look(whole(more=more))
    text = done.text.decode()
    assert "{{ ti.xcom_pull('north.first', 'sales') }}" in text
    assert 'ti.xcom_pull(dag_id="sales", task_ids=["north.first"])' in text
    assert done.spots == []


_OTHER = """from airflow import DAG
from airflow.operators.python import PythonOperator
from airflow.sensors.external_task import ExternalTaskSensor


def tell(ti):
    return LINE


with DAG("stock", schedule="@daily"):
    PythonOperator(task_id="tell", python_callable=tell)
    SENSOR
"""


@pytest.mark.parametrize(
    ("line", "new", "finding"),
    [
        ("ti.xcom_pull(dag_id='sales.north', task_ids='first')", "ti.xcom_pull(dag_id='sales', task_ids='north.first')", ""),
        ("ti.xcom_pull(dag_id='sales.north', task_ids=name)", "", "became a task group"),
        ("ti.xcom_pull(dag_id='%s.north' % name, task_ids='first')", "", "became a task group"),
        ("ti.xcom_pull(dag_id='other.dag', task_ids='first')", "", ""),
        ("ti.xcom_pull(task_ids='first')", "", ""),
    ],
)  # fmt: skip
def test_pulls_of_other_files(line: str, new: str, finding: str) -> None:
    source = _OTHER.replace("LINE", line).replace("SENSOR", "pass")
    project = Project({"main.py": whole().encode(), "other.py": source.encode()})
    done = rewrite(source.encode(), [RULE], Options(file="other.py", project=project))
    assert f"return {new or line}\n" in done.text.decode()
    assert [finding in spot.message for _, spot in done.spots] == ([True] if finding else [])


@pytest.mark.parametrize(
    ("arguments", "finding"),
    [
        ("external_dag_id='sales', external_task_id='north'", "waits for the SubDag `north`"),
        ("external_dag_id='sales.north', external_task_id='first'", "waits for a SubDag"),
        ("external_dag_id='sales.north'", "waits for a SubDag"),
        ("external_dag_id='sales', external_task_id='start'", ""),
        ("external_dag_id='sales'", ""),
    ],
)
def test_sensors_of_other_files_are_found(arguments: str, finding: str) -> None:
    sensor = f"ExternalTaskSensor(task_id='wait', {arguments})"
    source = _OTHER.replace("LINE", "1").replace("SENSOR", sensor)
    project = Project({"main.py": whole().encode(), "other.py": source.encode()})
    done = rewrite(source.encode(), [RULE], Options(file="other.py", project=project))
    assert [finding in spot.message for _, spot in done.spots] == ([True] if finding else [])


def test_a_file_that_tasks_render_keeps_the_subdag(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "dags/sql").mkdir(parents=True)
    main = whole(last='BashOperator(task_id="last", bash_command="sql/daily.sh")')
    (folder / "dags/sales.py").write_text(main)
    for text, is_kept in (
        ("echo {{ ti.xcom_pull('first') }}", True),
        ("echo {{ ti.xcom_pull('first', dag_id='stock') }} {{ ds }}", False),
        ("echo {{ run_id }}", True),
    ):
        (folder / "dags/sql/daily.sh").write_text(text)
        out = tmp_path / f"out{len(text)}"
        done = upgrade(folder, out, "3.3.2")
        assert ("SubDagOperator(" in (out / "dags/sales.py").read_text()) is is_kept
        assert any("dags/sql/daily.sh" in item.message for item in done.findings) is is_kept


def test_a_function_of_another_file_is_written_there(tmp_path: Path) -> None:
    (tmp_path / "in/dags").mkdir(parents=True)
    (tmp_path / "in/dags/work.py").write_text("def load(ti):\n    return ti.xcom_pull(task_ids='first')\n")
    main = whole("from work import load\n", 'PythonOperator(task_id="last", python_callable=load)')
    (tmp_path / "in/dags/sales.py").write_text(main)
    upgrade(tmp_path / "in", tmp_path / "out", "3.3.2")
    assert f"ti.xcom_pull(task_ids={_OWN}('first'))" in (tmp_path / "out/dags/work.py").read_text()
    assert "SubDag" not in (tmp_path / "out/dags/sales.py").read_text()
    upgrade(tmp_path / "out", tmp_path / "again", "3.3.2")
    for name in ("work.py", "sales.py"):
        assert (tmp_path / "again/dags" / name).read_text() == (tmp_path / "out/dags" / name).read_text()


_INNER = """

def deep(parent, child, args):
    with DAG(f"{parent}.{child}", default_args=args) as part:
        BashOperator(task_id="a", bash_command="date")
        BashOperator(task_id="b", bash_command="echo {{ ti.xcom_pull('a') }}")
    return part
"""


@pytest.mark.parametrize(
    ("inner", "new"),
    [
        ('SubDagOperator(task_id="deep", subdag=deep(f"{parent}.{child}", "deep", args))', 'deep(f"{parent}.{child}", "deep", args)'),
        ('SubDagOperator(task_id="deep", subdag=deep(part.dag_id, "deep", args), dag=part)', 'deep(part.group_id, "deep", args)'),
    ],
)  # fmt: skip
def test_a_subdag_within_a_subdag(inner: str, new: str) -> None:
    more = "BashOperator(task_id=\"tell\", bash_command=\"{{ ti.xcom_pull('a', 'sales.north.deep') }}\")"
    done = look(whole(_INNER, f"{inner} >> BashOperator(task_id='last', bash_command='date')", more))
    text = done.text.decode()
    assert done.spots == []
    assert text.count("TaskGroup(group_id=child, default_args=args)") == 2
    assert f"        {new} >> BashOperator(task_id='last', bash_command='date')\n" in text
    assert "{{ ti.xcom_pull('north.deep.a', 'sales') }}" in text
    assert f"{{{{ ti.xcom_pull({_OWN}('a')) }}}}" in text
    assert "SubDagOperator(" not in text


def test_a_subdag_within_one_that_is_not_entered() -> None:
    source = whole(_INNER).replace(
        '    with DAG(f"{parent}.{child}", default_args=args, schedule="@daily") as part:\n        BashOperator(task_id="first", bash_command="date")\n        pass\n',
        '    part = DAG(f"{parent}.{child}", default_args=args)\n    first = BashOperator(task_id="first", bash_command="date", dag=part)\n'
        '    last = SubDagOperator(task_id="deep", subdag=deep(part.dag_id, "deep", args), dag=part)\n    first >> last\n',
    )
    text = look(source).text.decode()
    assert '    with part:\n        last = deep(part.group_id, "deep", args)\n    first >> last\n' in text
    assert 'first = BashOperator(task_id="first", bash_command="date", task_group=part)' in text


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("ti.xcom_pull('a')", "run_id", "depends on the run"),
        ('task_id="deep", ', 'task_id="deep", pool="slow", ', "another SubDag is made in it"),
        ('bash_command="date")\n        SubDag', 'bash_command="{{ run_id }}")\n        SubDag', "the SubDag around it"),
        ("echo {{ ti.xcom_pull('a') }}", "echo {{ ti.xcom_pull('first', dag_id=dag.parent_dag.dag_id) }}", "another SubDag"),
        ('deep(f"{parent}.{child}", "deep", args)', 'deep(f"{parent}.{child}", "deep", {})', "another SubDag"),
        ('deep(f"{parent}.{child}", "deep", args)', 'deep(f"{parent}.{child}", "deep", part.default_args)', "more than making tasks"),
    ],
)  # fmt: skip
def test_subdags_within_each_other_stay_together(old: str, new: str, reason: str) -> None:
    inner = 'SubDagOperator(task_id="deep", subdag=deep(f"{parent}.{child}", "deep", args))'
    source = whole(_INNER, inner)
    assert old in source
    done = look(source := source.replace(old, new))
    assert done.text.decode() == source
    assert any(reason in spot.message for _, spot in done.spots)
    assert len(done.spots) == 2


_GROUPS = """
from airflow.sdk import DAG, TaskGroup
from airflow.providers.standard.operators.empty import EmptyOperator

def section(child):
    with TaskGroup(group_id=child) as part:
        EmptyOperator(task_id="a")
    return part

with DAG("sales", schedule=None) as dag:
    EmptyOperator(task_id="a")
    with TaskGroup("north"):
        section("deep")
    part = TaskGroup("south")
    EmptyOperator(task_id="a", task_group=part)
print("RESULT", sorted(task.task_group.child_id("b") for task in dag.tasks))
"""


@pytest.mark.airflow
def test_a_task_of_a_real_airflow_knows_the_ids_of_its_neighbours(
    airflow_venv: Callable[..., Venv], tmp_path: Path
) -> None:
    python = airflow_venv("3.3.2").path / "bin" / "python"
    home = {"AIRFLOW_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    run = subprocess.run([python, "-c", _GROUPS], env=home, capture_output=True, text=True, check=True)
    assert run.stdout.rpartition("RESULT ")[2].strip() == "['b', 'north.deep.b', 'south.b']"
