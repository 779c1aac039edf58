"""Pulls of several tasks: what stands for those that pushed nothing, and what kind of list it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import RULES

_TASKS = """from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator

NAMES = ["bash", "sure"]
ONE = "bash"


def sure():
    return {"rows": 3}


def maybe():
    return look()


PythonOperator(task_id="sure", python_callable=sure)
PythonOperator(task_id="maybe", python_callable=maybe)
BashOperator(task_id="bash", bash_command="ls")
"""


def apply(source: str, version: str) -> Rewritten:
    project = Project({"a.py": source.encode()})
    options = Options(source_version=version, file="a.py", project=project)
    return rewrite(source.encode(), [rule for rule in RULES if rule.code == "xcom-several"], options)


def kept(text: str) -> str:
    return f"[value for value in {text} if value is not None]"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ti.xcom_pull(task_ids=['maybe', 'bash'])", kept("ti.xcom_pull(task_ids=['maybe', 'bash'])")),
        ("max(ti.xcom_pull(('maybe', 'bash')))", f"max({kept('ti.xcom_pull((' + repr('maybe') + ', ' + repr('bash') + '))')})"),
        ("ti.xcom_pull(task_ids=[f'a_{n}' for n in x])[0]", kept("ti.xcom_pull(task_ids=[f'a_{n}' for n in x])") + "[0]"),
        ("ti.xcom_pull(task_ids=list(x))", kept("ti.xcom_pull(task_ids=list(x))")),
        ("ti.xcom_pull(task_ids=ti.task.upstream_task_ids)", kept("ti.xcom_pull(task_ids=ti.task.upstream_task_ids)")),
        ("ti.xcom_pull(task_ids='maybe', map_indexes=[0, 1])", kept("ti.xcom_pull(task_ids='maybe', map_indexes=[0, 1])")),
        ("ti.xcom_pull(task_ids=NAMES, key='rows')", kept("ti.xcom_pull(task_ids=NAMES, key='rows')")),
        ("ti.xcom_pull(task_ids=NAMES)", "ti.xcom_pull(task_ids=NAMES)"),  # both surely push
        ("ti.xcom_pull(task_ids=['sure', 'bash'])", "ti.xcom_pull(task_ids=['sure', 'bash'])"),
        ("[x for x in ti.xcom_pull(task_ids=['maybe']) if x]", "[x for x in ti.xcom_pull(task_ids=['maybe']) if x]"),
        ("list(filter(None, ti.xcom_pull(task_ids=['maybe'])))", "list(filter(None, ti.xcom_pull(task_ids=['maybe'])))"),
        ("any(ti.xcom_pull(task_ids=['maybe']))", "any(ti.xcom_pull(task_ids=['maybe']))"),
        ("ti.xcom_pull(task_ids=ONE)", "ti.xcom_pull(task_ids=ONE)"),
        ("ti.xcom_pull(task_ids='a' + x)", "ti.xcom_pull(task_ids='a' + x)"),
        ("[ti.xcom_pull(task_ids=n) for n in NAMES]", "[ti.xcom_pull(task_ids=n) for n in NAMES]"),
        ("ti.xcom_pull(task_ids=task_id)", "ti.xcom_pull(task_ids=task_id)"),
        ("ti.xcom_pull(task_ids=several)", None),
        ("f\"{ti.xcom_pull(task_ids=['maybe'])}\"", None),
    ],
)  # fmt: skip
def test_pulls_of_several_tasks(old: str, new: str | None) -> None:
    source = f"{_TASKS}\n\ndef read(ti, x, task_id, several):\n    return {old}\n"
    done = apply(source, "2.9.3")
    assert done.text.decode() == source.replace(old, new or old)
    assert [spot.line for _, spot in done.spots] == ([] if new else [source.count("\n")])
    again = apply(done.text.decode(), "2.9.3")
    assert again.text == done.text


@pytest.mark.parametrize("version", ["2.0.2", "2.2.5", "3.0.6"])
def test_versions_that_gave_none_as_well_need_nothing(version: str) -> None:
    source = f"{_TASKS}\n\ndef read(ti, several):\n    return max(ti.xcom_pull(task_ids=['a', 'b'])), ti.xcom_pull(several)\n"
    done = apply(source, version)
    assert done.text.decode() == source
    assert done.spots == []


def test_a_skipped_branch_pushes_nothing() -> None:
    source = f"{_TASKS}\n\ndef read(ti):\n    return ti.xcom_pull(task_ids=['sure', 'bash'])\n\n\nx = dict(trigger_rule='one_success')\n"
    assert kept("ti.xcom_pull(task_ids=['sure', 'bash'])") in apply(source, "2.9.3").text.decode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{{ ti.xcom_pull(['a', 'b']) }}", "{{ ti.xcom_pull(['a', 'b']) | reject('none') | list }}"),
        ("{{ ti.xcom_pull(['a', 'b'])[0] }}", "{{ (ti.xcom_pull(['a', 'b']) | reject('none') | list)[0] }}"),
        ("{{ ti.xcom_pull(['a', 'b']) | join(',') }}", "{{ ti.xcom_pull(['a', 'b']) | reject('none') | list | join(',') }}"),
        ("{% for x in ti.xcom_pull(task_ids=['a', 'b']) %}{{ x }}{% endfor %}", "{% for x in ti.xcom_pull(task_ids=['a', 'b']) | reject('none') | list %}{{ x }}{% endfor %}"),
        ("{{ ti.xcom_pull(['a', 'b']) | select | list }}", "{{ ti.xcom_pull(['a', 'b']) | select | list }}"),
        ("{{ ti.xcom_pull(task_ids='a') }}", "{{ ti.xcom_pull(task_ids='a') }}"),
        ("{{ ti.xcom_pull(task_ids=params.task) }}", "{{ ti.xcom_pull(task_ids=params.task) }}"),
    ],
)  # fmt: skip
def test_pulls_in_templates(old: str, new: str, tmp_path: Path) -> None:
    source = f'command = """tell {old}"""\n'
    done = apply(source, "2.9.3")
    assert done.text.decode() == source.replace(old, new)
    assert done.spots == []
    assert apply(done.text.decode(), "2.9.3").text == done.text
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "tell.sql").write_text(old)
    upgrade(folder, tmp_path / "new", "3.3.2", Options(source_version="2.9.3"))
    assert (tmp_path / "new/tell.sql").read_text() == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"%s %s" % ti.xcom_pull(task_ids=["a", "b"])', '"%s %s" % tuple(ti.xcom_pull(task_ids=["a", "b"]))'),
        ("ti.xcom_pull(('a', 'b')) + (3,)", "tuple(ti.xcom_pull(('a', 'b'))) + (3,)"),
        ("ti.xcom_pull(['a', 'b'])[1]", "ti.xcom_pull(['a', 'b'])[1]"),
        ("max(ti.xcom_pull(['a', 'b']))", "max(ti.xcom_pull(['a', 'b']))"),
        ("[x for x in ti.xcom_pull(['a', 'b'])]", "[x for x in ti.xcom_pull(['a', 'b'])]"),
        ("ti.xcom_pull('a')", "ti.xcom_pull('a')"),
        ("ti.xcom_pull(several)", "ti.xcom_pull(several)"),
    ],
)
def test_airflow_1_gave_tuples(old: str, new: str) -> None:
    source = f"def read(ti, several):\n    return {old}\n"
    done = apply(source, "1.10.15")
    assert done.text.decode() == source.replace(old, new)
    assert apply(done.text.decode(), "1.10.15").text == done.text


def test_a_tuple_that_is_unpacked_stays_and_one_that_is_written_is_found() -> None:
    source = "def read(ti):\n    a, b = ti.xcom_pull(['a', 'b'])\n    return a\n"
    assert apply(source, "1.10.15").text.decode() == source
    template = "command = '''{{ ti.xcom_pull(['a', 'b']) }} {{ ti.xcom_pull(['a', 'b'])[0] }}'''\n"
    done = apply(template, "1.10.15")
    assert done.text.decode() == template
    assert [spot.message for _, spot in done.spots] == [
        "xcom_pull of several tasks gave a tuple, written (…) in a text; Airflow 3 gives a list, written […]."
    ]
