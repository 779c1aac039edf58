"""XComs: pulled without a key, of earlier runs, with a default; pushed and pulled by operators themselves, by earlier tasks, for later dates."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import RULES


def apply(code: str, source: str, version: str = "2.9.3", **others: str) -> Rewritten:
    project = Project({"a.py": source.encode(), **{name: text.encode() for name, text in others.items()}})
    options = Options(source_version=version, file="a.py", project=project)
    return rewrite(source.encode(), [rule for rule in RULES if rule.code == code], options)


_TASKS = """from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator


def one(ti):
    ti.xcom_push(key="rows", value=3)


def two(ti):
    ti.xcom_push("rows", 3)
    ti.xcom_push("files", 4)


def sure(ti):
    ti.xcom_push("rows", 3)
    return {"rows": 3}


def unsure(ti):
    ti.xcom_push("rows", 3)
    return look()


def silent(**kwargs):
    return kwargs["ds"]


def away(ti):
    helper(ti)


PythonOperator(task_id="one", python_callable=one)
PythonOperator(task_id="two", python_callable=two)
PythonOperator(task_id="sure", python_callable=sure)
PythonOperator(task_id="unsure", python_callable=unsure)
PythonOperator(task_id="silent", python_callable=silent)
PythonOperator(task_id="away", python_callable=away)
BashOperator(task_id="bash", bash_command="ls")
BashOperator(task_id="mute", bash_command="ls", do_xcom_push=False)
BashOperator(task_id="loud", bash_command="ls", do_xcom_push=True)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ti.xcom_pull(key=None, task_ids='one')", "ti.xcom_pull(key=\"rows\", task_ids='one')"),
        ("ti.xcom_pull('one', None, None)", "ti.xcom_pull('one', None, \"rows\")"),
        ("ti.xcom_pull(key='', task_ids='bash')", "ti.xcom_pull(task_ids='bash')"),
        ("ti.xcom_pull('bash', key=None)", "ti.xcom_pull('bash')"),
        ("ti.xcom_pull(key=None, task_ids='sure')", "ti.xcom_pull(task_ids='sure')"),
        ("ti.xcom_pull(key=None, task_ids='silent')", "ti.xcom_pull(task_ids='silent')"),
        ("ti.xcom_pull(key=None, task_ids=['silent', 'bash'])", "ti.xcom_pull(task_ids=['silent', 'bash'])"),
        ("ti.xcom_pull(key=None, task_ids=['silent', 'one'])", None),
        ("ti.xcom_pull(key=None, task_ids=['sure'])", None),  # of 2.x: all XComs of it
        ("ti.xcom_pull(key=None, task_ids='two')", None),
        ("ti.xcom_pull(key=None, task_ids='unsure')", None),
        ("ti.xcom_pull(key=None, task_ids='away')", None),
        ("ti.xcom_pull(key=None, task_ids='mute')", None),
        ("ti.xcom_pull(key=None, task_ids='loud')", "ti.xcom_pull(task_ids='loud')"),
        ("ti.xcom_pull(key=None, task_ids='nowhere')", None),
        ("ti.xcom_pull(key=None, task_ids='bash', dag_id='other')", None),
        ("ti.xcom_pull(key=None)", None),
        ("ti.xcom_pull(task_ids='', key='rows')", None),
    ],
)
def test_pulls_without_a_key(old: str, new: str | None) -> None:
    source = f"{_TASKS}\n\ndef read(ti):\n    return {old}\n"
    done = apply("xcom-any-key", source)
    assert done.text.decode() == source.replace(old, new or old)
    assert [spot.line for _, spot in done.spots] == ([] if new else [source.count("\n")])
    template = f'{_TASKS}\n\nCOMMAND = """date\n{{{{ {old} }}}}"""\n'
    written = apply("xcom-any-key", template)
    assert bool(written.spots) == (new is None)
    assert (written.text.decode() == template) == (new is None)


def test_airflow_1_gave_the_newest_of_each_task() -> None:
    source = f"{_TASKS}\n\ndef read(ti):\n    return ti.xcom_pull(key=None, task_ids=('sure', 'bash'))\n"
    assert "ti.xcom_pull(task_ids=('sure', 'bash'))" in apply("xcom-any-key", source, "1.10.15").text.decode()


def test_a_key_that_is_none_unless_it_is_given_is_found() -> None:
    source = "def read(ti, key=None):\n    return ti.xcom_pull(task_ids='a', key=key)\n"
    assert [spot.line for _, spot in apply("xcom-any-key", source).spots] == [2]
    for other in (source.replace("=None", ""), source.replace("    return", "    key = key or 'a'\n    return")):
        assert apply("xcom-any-key", other).spots == []


def test_pulls_of_other_objects_stay() -> None:
    source = (
        "import helpers\n\n\nclass Store:\n    def xcom_pull(self, key=None):\n        return self.xcom_pull(key=None)\n\n\n"
        "store = Store()\nstore.xcom_pull(key=None)\nStore().xcom_pull(key=None)\nhelpers.xcom_pull(key=None, task_ids='')\n"
    )
    done = apply("xcom-any-key", source)
    assert done.text.decode() == source
    assert done.spots == []


def test_quotes_within_texts_that_escape_them() -> None:
    source = (
        _TASKS
        + r"""c = 'echo "{{ ti.xcom_pull(key=None, task_ids=\'bash\') }}{{ ti.xcom_pull(\'bash\', default=\"x\") }}"'"""
        + "\n"
    )
    text = apply("xcom-any-key", source).text.decode()
    assert r"ti.xcom_pull(task_ids=\'bash\')" in text
    assert r"ti.xcom_pull(\'bash\', default=\"x\", map_indexes=None)" in apply("xcom-prior-date", text).text.decode()
    formatted = f"{_TASKS}c = f'{{{{{{{{ ti.xcom_pull(task_ids=\"bash\", key=None) }}}}}}}} {{x}}'\n"
    assert "f'{{{{ ti.xcom_pull(task_ids=\"bash\") }}}} {x}'" in apply("xcom-any-key", formatted).text.decode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ti.xcom_pull('bash', include_prior_dates=True)", "ti.xcom_pull('bash', include_prior_dates=True, map_indexes=None)"),
        ("ti.xcom_pull('bash', None, 'k', True)", "ti.xcom_pull('bash', None, 'k', True, map_indexes=None)"),
        ("ti.xcom_pull('bash', default=0)", "ti.xcom_pull('bash', default=0, map_indexes=None)"),
        ("ti.xcom_pull(ti.task_id, include_prior_dates=True)", "ti.xcom_pull(ti.task_id, include_prior_dates=True, map_indexes=None)"),
        ("ti.xcom_pull('bash', dag_id=ti.dag_id, include_prior_dates=True)", "ti.xcom_pull('bash', dag_id=ti.dag_id, include_prior_dates=True, map_indexes=None)"),
        ("ti.xcom_pull('bash', include_prior_dates=True, map_indexes=0)", "ti.xcom_pull('bash', include_prior_dates=True, map_indexes=0)"),
        ("ti.xcom_pull('bash', include_prior_dates=False, default=None)", "ti.xcom_pull('bash', include_prior_dates=False, default=None)"),
        ("ti.xcom_pull(['bash', 'one'], include_prior_dates=True)", "ti.xcom_pull(['bash', 'one'], include_prior_dates=True)"),
        ("ti.xcom_pull(names, include_prior_dates=True)", None),
        ("ti.xcom_pull(names, default=0)", None),
        ("ti.xcom_pull('bash', dag_id='other', include_prior_dates=True)", None),
    ],
)  # fmt: skip
def test_pulls_of_earlier_runs(old: str, new: str | None) -> None:
    source = f"{_TASKS}\n\ndef read(ti, names):\n    return {old}\n"
    done = apply("xcom-prior-date", source)
    assert done.text.decode() == source.replace(old, new or old)
    assert [spot.line for _, spot in done.spots] == ([] if new else [source.count("\n")])
    assert done.notes == []
    assert apply("xcom-prior-date", source, "3.0.2").text.decode() == source
    for_3 = f"from airflow.sdk import task\n{source}"
    assert apply("xcom-prior-date", for_3).text.decode() == for_3


@pytest.mark.parametrize(
    ("dag", "dag_id", "is_own"),
    [
        ("DAG(NAME)", "NAME", True),
        ("DAG('sales')", "'sales'", True),
        ("DAG('sales')", "NAME", False),
        ("DAG('sales')", "other.dag_id", False),
        ("DAG('sales'), DAG('stock')", "'sales'", False),
    ],
)
def test_a_pull_of_the_own_dag(dag: str, dag_id: str, is_own: bool) -> None:
    pull = f"def read(ti):\n    return ti.xcom_pull('a', dag_id={dag_id}, include_prior_dates=True)\n"
    done = apply("xcom-prior-date", f"from airflow import DAG\n{dag}\n{pull}")
    assert ("map_indexes=None" in done.text.decode()) == is_own
    assert bool(done.spots) != is_own


def test_a_default_where_none_may_be_pushed_is_said() -> None:
    done = apply("xcom-prior-date", "def read(ti):\n    return ti.xcom_pull('a', key='k', default=0)\n")
    assert "map_indexes=None" in done.text.decode()
    assert ["None was pushed" in spot.message for _, spot in done.notes] == [True]


def test_several_tasks_of_airflow_1_give_their_newest_values() -> None:
    source = "def read(ti):\n    return ti.xcom_pull(['a', 'b'], include_prior_dates=True)\n"
    assert (
        "['a', 'b'], include_prior_dates=True, map_indexes=None"
        in apply("xcom-prior-date", source, "1.10.12").text.decode()
    )


def test_tasks_that_may_be_mapped_are_left_to_a_person() -> None:
    pull = "def read(ti):\n    return ti.xcom_pull('b', include_prior_dates=True)\n"
    seen = "BashOperator(task_id='b', bash_command='ls')\n"
    mapped = "BashOperator.partial(task_id='b').expand(bash_command=['ls'])\n"
    other = "other.partial(task_id='c').expand(x=[1])\n"
    for source, is_plain in (
        (pull + seen, True),
        (pull + mapped, False),
        (pull + seen + other, True),
        (pull + other, False),
    ):
        done = apply("xcom-prior-date", source)
        assert ("map_indexes=None" in done.text.decode()) == is_plain
        assert bool(done.spots) != is_plain
    assert apply("xcom-prior-date", pull, others=mapped).spots


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.xcom_push(context, 'k', 1)", "context[\"ti\"].xcom_push('k', 1)"),
        ("self.xcom_push(key='k', context=context, value=1)", "context[\"ti\"].xcom_push(key='k', value=1)"),
        ("super().xcom_push(context, 'k', 1)", "context[\"ti\"].xcom_push('k', 1)"),
        ("BaseOperator.xcom_pull(context, task_ids='a')", "context[\"ti\"].xcom_pull(task_ids='a')"),
        ("context['task'].xcom_pull(context=context, task_ids='a')", "context[\"ti\"].xcom_pull(task_ids='a')"),
        ("self.xcom_pull(get_current_context(), 'a')", "get_current_context()[\"ti\"].xcom_pull('a')"),
        ("f\"{self.xcom_pull(context, 'a')}\"", "f\"{context['ti'].xcom_pull('a')}\""),
        ("context['ti'].xcom_push('k', context)", "context['ti'].xcom_push('k', context)"),
        ("self.xcom_push(rows, 'k', 1)", "self.xcom_push(rows, 'k', 1)"),
    ],
)
def test_xcoms_of_operators(old: str, new: str) -> None:
    head = "from airflow.models import BaseOperator\nfrom airflow.operators.python import get_current_context\n\n\n"
    source = f"{head}class Load(BaseOperator):\n    def execute(self, context):\n        return {old}\n"
    assert apply("operator-xcom", source).text.decode() == source.replace(old, new)


def test_xcoms_of_classes_that_have_the_method_themselves_stay() -> None:
    own = "class Load(Base):\n    def run(self, context):\n        self.xcom_push(context, 'k', 1)\n"
    assert 'context["ti"]' in apply("operator-xcom", own).text.decode()
    method = "class Base:\n    def xcom_push(self, context, key, value):\n        pass\n\n\n"
    assert 'context["ti"]' not in apply("operator-xcom", method + own).text.decode()
    imported = f"from shop import Base\n\n\n{own}"
    assert 'context["ti"]' not in apply("operator-xcom", imported, shop=method).text.decode()
    assert 'context["ti"]' in apply("operator-xcom", imported, shop="class Base:\n    pass\n").text.decode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ti.get_previous_ti().xcom_pull(task_ids='a', key='k')", "ti.xcom_pull(task_ids='a', key='k', run_id=ti.get_previous_ti().run_id)"),
        ("context['ti'].get_previous_ti().xcom_pull('a')", "context['ti'].xcom_pull('a', run_id=context['ti'].get_previous_ti().run_id)"),
        ("ti.get_previous_ti().execution_date", "ti.get_previous_ti().logical_date"),
        ("ti.get_previous_ti().state", "ti.get_previous_ti().state"),
        ("context['ti'].get_previous_ti(state='success').run_id", "context['ti'].get_previous_ti(state='success').run_id"),
        ("self.get_previous_ti().log_url", "self.get_previous_ti().log_url"),
        ("ti.get_previous_ti().xcom_pull()", None),
        ("ti.get_previous_ti().hostname", None),
    ],
)  # fmt: skip
def test_what_an_earlier_task_is_asked(old: str, new: str | None) -> None:
    source = f"from airflow.decorators import task\n\n\n@task\ndef run(ti=None, **context):\n    return {old}\n"
    done = apply("previous-task", source)
    assert done.text.decode() == source.replace(old, new or old)
    assert [spot.line for _, spot in done.spots] == ([] if new else [6])


def test_an_earlier_task_by_a_name() -> None:
    source = (
        "def read(current):\n    last = None\n    last = current.get_previous_ti()\n    return last.xcom_pull('a')\n"
    )
    assert "current.xcom_pull('a', run_id=last.run_id)" in apply("previous-task", source).text.decode()
    mixed = source.replace("= None", "= current")
    assert [spot.line for _, spot in apply("previous-task", mixed).spots] == [4]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ti.xcom_push('k', 1, execution_date=None)", "ti.xcom_push('k', 1)"),
        ("ti.xcom_push('k', 1, ti.execution_date)", "ti.xcom_push('k', 1)"),
        ("ti.xcom_push('k', 1, execution_date=context['logical_date'], session=s)", "ti.xcom_push('k', 1)"),
        ("ti.xcom_pull('k', session=s)", "ti.xcom_pull('k')"),
        ("ti.xcom_push('k', 1, execution_date=day)", None),
        ("ti.xcom_push('k', 1, day)", None),
    ],
)
def test_xcoms_for_a_date(old: str, new: str | None) -> None:
    source = f"from airflow.decorators import task\n\n\n@task\ndef run(ti=None, **context):\n    {old}\n"
    done = apply("xcom-later-date", source)
    assert done.text.decode() == source.replace(old, new or old)
    assert [spot.line for _, spot in done.spots] == ([] if new else [6])


def test_files_of_templates_are_looked_at_as_well(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/requirements.txt").write_text("apache-airflow==2.9.3\n")
    (tmp_path / "a/q.sql").write_text(
        "select\n '{{ ti.xcom_pull('x', key=none) }}', {{ ti.xcom_pull('x', default=0) }}\n"
    )
    done = upgrade(tmp_path / "a", tmp_path / "b", "3.3.2")
    text = (tmp_path / "b/q.sql").read_text()
    assert (
        text == "select\n '{{ ti.xcom_pull('x', key=none) }}', {{ ti.xcom_pull('x', default=0, map_indexes=None) }}\n"
    )
    assert [(item.file, item.line, item.rule) for item in done.findings if item.file == "q.sql"] == [
        ("q.sql", 2, "xcom-any-key")
    ]


def test_helpers_that_import_nothing_of_airflow_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/helper.py").write_text("def last(ti):\n    return ti.xcom_pull('x', include_prior_dates=True)\n")
    upgrade(tmp_path / "a", tmp_path / "b", "3.3.2")
    assert "True, map_indexes=None)" in (tmp_path / "b/helper.py").read_text()
