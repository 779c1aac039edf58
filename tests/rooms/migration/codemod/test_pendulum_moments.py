"""Moments of pendulum 1 and 2 as texts and weekdays: each rewriting, and the same words under the real pendulum of both sides."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.rooms.migration.aged import old_venv

from aerodrome.builds import Venv
from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.rules import RULES

OURS = [rule for rule in RULES if rule.code == "pendulum-moment"]


def done(source: str, version: str) -> Rewritten:
    return rewrite(source.encode(), OURS, Options(source_version=version))


def in_task(line: str) -> str:
    return f"import pendulum\n\n\ndef run(**context):\n    when = context['execution_date']\n    return {line}\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("when.day_of_week", "when.isoweekday() % 7"),
        ("when.day_of_week + 1", "(when.isoweekday() % 7) + 1"),
        ("context['execution_date'].subtract(days=1).day_of_week == 3", "context['execution_date'].subtract(days=1).isoweekday() % 7 == 3"),
        ("when.day_of_week == pendulum.MONDAY", "when.day_of_week == pendulum.MONDAY"),
        ("frame.index.dt.day_of_week", "frame.index.dt.day_of_week"),
        ("str(when)", "when.isoformat()"),
        ("str(when - timedelta(1))", "(when - timedelta(1)).isoformat()"),
        ("str(when - pendulum.now())", "str(when - pendulum.now())"),
        ("str(other)", "str(other)"),
        ("str(when.replace(hour=1) - timedelta(1) - timedelta(2))", "(when.replace(hour=1) - timedelta(1) - timedelta(2)).isoformat()"),
        ("str((when + timedelta(1)).replace(day=1))", "(when + timedelta(1)).replace(day=1).isoformat()"),
        ("format(when), when.__str__(), str(max(when, when))", "when.isoformat(), when.isoformat(), max(when, when).isoformat()"),
        ("str(when if other else when.add(days=1))", "(when if other else when.add(days=1)).isoformat()"),
        ("str(when or other)", "str(when or other)"),
        ("'%(a)s' % {'a': when}, '%s' % {'a': when}", "'%(a)s' % {'a': when.isoformat()}, '%s' % {'a': when}"),
        ("f'a/{when}/{when:%Y}/{when!r}/{other}'", "f'a/{when.isoformat()}/{when:%Y}/{when!r}/{other}'"),
        ("f'{{{{ ds }}}} {context[\"execution_date\"]}'", "f'{{{{ ds }}}} {context[\"execution_date\"].isoformat()}'"),
        ("'{} {}'.format(when, other)", "'{} {}'.format(when.isoformat(), other)"),
        ("'%s %s' % (other, when)", "'%s %s' % (other, when.isoformat())"),
        ("'x {{ execution_date }} {{ ds }}'", "'x {{ execution_date.isoformat() }} {{ ds }}'"),
        ("'{{ execution_date - macros.timedelta(days=1) }}'", "'{{ (execution_date - macros.timedelta(days=1)).isoformat() }}'"),
        ("'{{ execution_date.subtract(days=1) }}'", "'{{ execution_date.subtract(days=1).isoformat() }}'"),
        ("'{{ prev_execution_date_success }}'", "'{{ prev_execution_date_success.isoformat() if prev_execution_date_success else prev_execution_date_success }}'"),
        ("'{{ execution_date.day_of_week }}'", "'{{ (execution_date.isoweekday() % 7) }}'"),
        ("'{{ execution_date.strftime(\"%Y\") }} {{ execution_date | ds }}'", "'{{ execution_date.strftime(\"%Y\") }} {{ execution_date | ds }}'"),
    ],
)  # fmt: skip
def test_moments_of_both_old_pendulums(old: str, new: str) -> None:
    for version in ("1.10.15", "2.2.5"):
        made = done(in_task(old), version)
        assert made.text.decode() == in_task(new)
        assert done(made.text.decode(), version).text == made.text
    assert done(in_task(old), "2.9.3").text.decode() == in_task(old)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("when.format('%Y-%m-%d')", "when.strftime('%Y-%m-%d')"),
        ("when.to_iso8601_string()", "when.isoformat()"),
        ("'{{ execution_date.format(\"%Y\") }}'", "'{{ execution_date.strftime(\"%Y\") }}'"),
        ("'{0:%Y}'.format(other)", "'{0:%Y}'.format(other)"),
    ],
)
def test_formats_of_pendulum_1(old: str, new: str) -> None:
    assert done(in_task(old), "1.10.15").text.decode() == in_task(new)
    assert done(in_task(old), "2.2.5").text.decode() == in_task(old)


def test_what_nobody_can_know_is_told() -> None:
    made = done(in_task("other.day_of_week, when.format(pattern)"), "1.10.15")
    assert made.text.decode() == in_task("other.day_of_week, when.format(pattern)")
    assert [spot.line for _, spot in made.spots] == [6, 6]
    assert [spot.line for _, spot in done(in_task("when.day_of_week in (pendulum.MONDAY, 2)"), "2.2.5").spots] == [6]


def test_a_name_that_is_something_else_too_is_left_alone() -> None:
    source = in_task("str(when)").replace("    return", "    for when in others:\n        pass\n    return")
    assert done(source, "1.10.15").text.decode() == source


_CALLED = "from airflow.operators.python_operator import PythonOperator\n\n\ndef load({}):\n    return str({})\n\n\nPythonOperator(task_id='a', python_callable=load{})\n"


@pytest.mark.parametrize(
    ("parameters", "value", "more", "is_written"),
    [
        ("execution_date, **kwargs", "execution_date", "", True),
        ("**kwargs", "kwargs['execution_date']", "", True),
        ("execution_date", "execution_date", ", op_kwargs={'execution_date': '{{ ds }}'}", False),
        ("**kwargs", "kwargs['execution_date']", ", op_kwargs={'execution_date': '{{ ds }}'}", False),
        ("**context", "context['execution_date']", ", op_kwargs={'execution_date': '{{ ds }}'}", False),
        ("execution_date", "execution_date", ", op_kwargs=given", False),
    ],
)
def test_what_the_file_itself_gives_a_function_is_no_moment(
    parameters: str, value: str, more: str, is_written: bool
) -> None:
    made = done(_CALLED.format(parameters, value, more), "1.10.15").text.decode()
    assert (f"return {value}.isoformat()\n" in made) == is_written
    assert (f"return str({value})\n" in made) != is_written


@pytest.mark.parametrize("owner", ["execution_date", "kwargs['execution_date']"])
def test_a_function_that_airflow_is_not_seen_to_call_is_left_alone(owner: str) -> None:
    source = f"import pendulum\n\n\ndef path_of(execution_date, **kwargs):\n    return str({owner})\n"
    assert done(source, "1.10.15").text.decode() == source


CODE = """
import pendulum


def run(**context):
    when = context["execution_date"]
    return [str(when), f"{when}", "%s" % when, "{}".format(when), when.day_of_week, when.to_iso8601_string(), when.format("%d.%m.%Y")]
"""
CALL = """
import datetime

print([run(execution_date=pendulum.instance(datetime.datetime(2020, 9, day, 4, 30))) for day in (6, 7)])
"""


@pytest.mark.airflow
@pytest.mark.matrix
def test_the_words_are_the_same_under_both(tmp_path: Path, venv_cache: Path, airflow_venv: Callable[..., Venv]) -> None:
    def said(python: Path, code: str) -> str:
        return subprocess.run(
            [python, "-c", code + CALL], capture_output=True, text=True, check=True, timeout=120
        ).stdout

    old = said(old_venv(venv_cache, "1.10.15") / "bin/python", CODE)
    target = airflow_venv("3.3.2").path / "bin/python"
    assert said(target, CODE) != old
    assert said(target, done(CODE, "1.10.15").text.decode()) == old


def test_files_of_templates_are_written_so_too(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "requirements.txt").write_text("apache-airflow==2.5.3\n")
    (source / "load.sql").write_text("select '{{ execution_date }}', '{{ var.value.get(\"region\") }}'\n")
    upgrade(source, tmp_path / "out", "3.3.2", Options())
    assert (
        tmp_path / "out/load.sql"
    ).read_text() == "select '{{ logical_date.isoformat() }}', '{{ var.value[\"region\"] }}'\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{{ execution_date - macros.timedelta(days=1) - macros.timedelta(minutes=15) }}", "{{ (execution_date - macros.timedelta(days=1) - macros.timedelta(minutes=15)).isoformat() }}"),
        ("{{ (execution_date - macros.timedelta(days=1)).replace(hour=1) }}", "{{ (execution_date - macros.timedelta(days=1)).replace(hour=1).isoformat() }}"),
        ("{{ execution_date.replace(hour=1) - macros.timedelta(days=1) }}", "{{ (execution_date.replace(hour=1) - macros.timedelta(days=1)).isoformat() }}"),
        ("{{ (execution_date - macros.timedelta(1)) - macros.timedelta(2) }}", "{{ ((execution_date - macros.timedelta(1)) - macros.timedelta(2)).isoformat() }}"),
        ("{{ (execution_date + macros.timedelta(hours=params.hours)) }}", "{{ (execution_date + macros.timedelta(hours=params.hours)).isoformat() }}"),
        ("{{- execution_date.add(days=1) -}}", "{{- execution_date.add(days=1).isoformat() -}}"),
        ("{{ execution_date | string }} {{ execution_date|replace(':', '') }}", "{{ execution_date.isoformat() | string }} {{ execution_date.isoformat()|replace(':', '') }}"),
        ("{{ (execution_date + macros.timedelta(1)) | string | upper }}", "{{ (execution_date + macros.timedelta(1)).isoformat() | string | upper }}"),
        ("{{ '%s' | format(execution_date) }} {{ '%s' % execution_date }}", "{{ '%s' | format(execution_date.isoformat()) }} {{ '%s' % execution_date.isoformat() }}"),
        ("{{ '{}'.format(next_execution_date) }}", "{{ '{}'.format(next_execution_date.isoformat()) }}"),
        ("{{ 'a/' ~ execution_date ~ '.csv' }}", "{{ 'a/' ~ execution_date.isoformat() ~ '.csv' }}"),
        ("{{ execution_date if params.a else ds }}", "{{ execution_date.isoformat() if params.a else ds }}"),
        ("{{ prev_execution_date | string }} {{ prev_execution_date }} {{ prev_execution_date.add(days=1) }}", "{{ prev_execution_date | string }} {{ prev_execution_date }} {{ prev_execution_date.add(days=1) }}"),
        ("{{ prev_execution_date_success | string }}", "{{ (prev_execution_date_success.isoformat() if prev_execution_date_success else prev_execution_date_success) | string }}"),
        ("{% set d = execution_date - macros.timedelta(days=1) %}{{ d }} {{ d.year }}", "{% set d = execution_date - macros.timedelta(days=1) %}{{ d.isoformat() }} {{ d.year }}"),
        ("{% set d = ds %}{{ d }}", "{% set d = ds %}{{ d }}"),
        ("{{ execution_date - prev_execution_date }}", "{{ execution_date - prev_execution_date }}"),
        ("{{ macros.ds_add(ds, 1) }} {{ execution_date | ds }} {{ execution_date.year }}", "{{ macros.ds_add(ds, 1) }} {{ execution_date | ds }} {{ execution_date.year }}"),
        ("{{ (execution_date - macros.timedelta(1)).strftime('%Y') }}", "{{ (execution_date - macros.timedelta(1)).strftime('%Y') }}"),
        ("{{ execution_date == 1 }} {{ f(execution_date) }}", "{{ execution_date == 1 }} {{ f(execution_date) }}"),
        ("{% if execution_date > a %}x{% endif %}", "{% if execution_date > a %}x{% endif %}"),
        ("{{ execution_date.in_tz('Asia/Seoul').format('%H') }}", "{{ execution_date.in_tz('Asia/Seoul').strftime('%H') }}"),
        ("{{ (execution_date + macros.timedelta(1)).format('%d') }}", "{{ (execution_date + macros.timedelta(1)).strftime('%d') }}"),
        ("{{ execution_date.add(days=1).day_of_week }}", "{{ (execution_date.add(days=1).isoweekday() % 7) }}"),
    ],
)  # fmt: skip
def test_what_a_template_writes_out(old: str, new: str) -> None:
    source = f'from airflow.operators.bash_operator import BashOperator\ncommand = """{old}"""\n'
    made = done(source, "1.10.15")
    assert made.text.decode() == source.replace(old, new)
    assert done(made.text.decode(), "1.10.15").text == made.text
