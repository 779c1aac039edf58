"""Names that templates had and have no more, attributes in templates, and the same in Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import RULES
from aerodrome.migration.codemod.runtime import gone_names


def apply(source: str, version: str = "1.10.15", code: str = "template-name") -> Rewritten:
    options = Options(source_version=version, file="a.py", project=Project({"a.py": source.encode()}))
    return rewrite(source.encode(), [rule for rule in RULES if rule.code == code], options)


def test_the_table_is_measured() -> None:
    assert {"END_DATE", "conf", "tables", "test_mode", "latest_date"} <= gone_names("context", 1)
    assert "END_DATE" not in gone_names("context", 2)
    assert not {"ds", "ti", "params", "macros", "test"} & gone_names("context", 1)
    assert {"hive"} <= gone_names("macros", 1)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("{{ latest_date }} {{ END_DATE }} {{ end_date }}", "{{ ds }} {{ ds }} {{ ds }}", ()),
        ("{{ params.end_date }} {{ f('end_date') }}", "{{ params.end_date }} {{ f('end_date') }}", ()),
        ("{% set end_date = ds %}{{ end_date }}", "{% set end_date = ds %}{{ end_date }}", ()),
        ("{{ conf.get('core', 'x') }}", None, ("`conf`",)),
        ("{{ dag_run.conf.a }} {{ params['conf'] }}", None, ()),
        ("{{ tables }} {{ test_mode }}", None, ("`tables`", "`test_mode`")),
        ("{{ ti.get_dagrun().run_id }}", "{{ dag_run.run_id }}", ()),
        ("{{ ti.dag_run.conf }} {{ task_instance.dag_run.x }}", "{{ dag_run.conf }} {{ dag_run.x }}", ()),
        ("{{ dag_run.dag.dag_id }}", "{{ dag.dag_id }}", ()),
        ("{{ ti.operator }} {{ ti.pool }} {{ ti.logical_date }}", "{{ task.task_type }} {{ task.pool }} {{ dag_run.logical_date }}", ()),
        ("{{ task.dag.concurrency }} {{ dag.full_filepath }}", "{{ dag.max_active_tasks }} {{ dag.fileloc }}", ()),
        ("{{ ti.job_id }}", None, ("`job_id`",)),
        ("{{ ti.task_id }} {{ ti.try_number }} {{ dag_run.run_id }} {{ task.owner }}", None, ()),
        ("{{ macros.hive.max_partition('t') }}", None, ("`macros.hive`",)),
        ("{{ macros.ds_add(ds, 1) }}", None, ()),
        ("{{ execution_date.is_monday() }}", None, ("`is_monday`",)),
        ("{% if execution_date.is_dst %}a{% endif %}", "{% if execution_date.is_dst() %}a{% endif %}", ()),
    ],
)  # fmt: skip
def test_templates(old: str, new: str | None, words: tuple[str, ...], tmp_path: Path) -> None:
    source = f'from airflow import DAG\ncommand = """tell {old}"""\n'
    done = apply(source)
    assert done.text.decode() == source.replace(old, new or old)
    assert [word for word, (_, spot) in zip(words, done.spots, strict=True) if word not in spot.message] == []
    assert apply(done.text.decode()).text == done.text
    (tmp_path / "in").mkdir()
    (tmp_path / "in/tell.sql").write_text(f"-- rows\n{old}\n")
    result = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", Options(source_version="1.10.15"))
    if "execution_date" not in old:
        assert (tmp_path / "out/tell.sql").read_text() == f"-- rows\n{new or old}\n"
    found = [item for item in result.findings if item.rule == "template-name"]
    assert [item.line for item in found] == [2] * len(words)


def test_names_of_airflow_1_are_nothing_in_2() -> None:
    source = 'command = "{{ end_date }} {{ tables }} {{ macros.hive.x }} {{ conf }}"\n'
    done = apply(source, "2.9.3")
    assert done.text.decode() == source
    assert ["`conf`" in spot.message for _, spot in done.spots] == [True]
    assert apply(source, "3.0.1").spots == []


def test_texts_that_others_render_stay() -> None:
    source = 'import jinja2\n\njinja2.Template("{{ end_date }} {{ conf }}").render(end_date=1, conf=2)\n'
    done = apply(source)
    assert done.text.decode() == source
    assert done.spots == []


def test_what_python_asks_the_context_for() -> None:
    source = """from airflow.operators.python_operator import PythonOperator


def load(latest_date, **kwargs):
    print(kwargs["END_DATE"], kwargs.get("end_date"), latest_date)
    print(kwargs["tables"], kwargs["test_mode"])


def other(**kwargs):
    print(kwargs["tables"], kwargs["end_date"])


PythonOperator(task_id="a", python_callable=load, provide_context=True)
PythonOperator(task_id="b", python_callable=other, provide_context=True, op_kwargs={"tables": 1, "end_date": 2})
"""
    text = apply(source, code="context-key").text.decode()
    assert 'def load(ds, **kwargs):\n    print(kwargs["ds"], kwargs.get("ds"), ds)' in text
    assert 'print(kwargs["tables"], kwargs["end_date"])' in text
    assert [spot.line for _, spot in apply(source).spots] == [6, 6]
    assert apply(source, "2.9.3", "context-key").text.decode() == source


def test_moments_of_pendulum_1_in_python() -> None:
    source = """from airflow.operators.python_operator import PythonOperator


def load(**context):
    moment = context["execution_date"]
    if moment.is_dst and moment.is_weekend():
        return moment.is_dst()


PythonOperator(task_id="a", python_callable=load, provide_context=True)
"""
    done = apply(source)
    assert done.text.decode() == source.replace("is_dst and", "is_dst() and")
    assert ["`is_weekend`" in spot.message for _, spot in done.spots] == [True]
    assert apply(source, "2.2.5").text.decode() == source


def test_macros_that_nobody_has_are_told(tmp_path: Path) -> None:
    dags, plugins = tmp_path / "in" / "dags", tmp_path / "in" / "plugins"
    dags.mkdir(parents=True)
    plugins.mkdir()
    (plugins / "shop.py").write_text(
        "from airflow.plugins_manager import AirflowPlugin\n\n\nclass Shop(AirflowPlugin):\n    name = 'shop'\n"
    )
    (dags / "a.py").write_text(
        "import airflow\nA = '{{ macros.ds(ti) }} {{ macros.shop.of(1) }} {{ macros.uuid.uuid4() }} {{ macros.ds_add(ds, 1) }} {{ my.macros.x }}'\n"
    )
    done = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", Options(source_version="2.9.1"))
    found = [item.message for item in done.findings if item.rule == "template-name"]
    assert found == ["Airflow has no `macros.ds`, and no plugin of this project is called so."]
