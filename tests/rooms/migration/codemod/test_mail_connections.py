"""Mails go by a connection in Airflow 3: who has some sent is told to make it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.rooms.migration.codemod.test_old_defaults import DAG, PINNING, rewritten

from aerodrome.migration.codemod import upgrade


def test_the_connection_of_mails_is_named_and_told_once() -> None:
    calls = "Mail(task_id='a', to='b')\nMail(task_id='c', to='d')\nMail(task_id='e', to='f', conn_id='mine')\n"
    done = rewritten(
        f"{DAG}from airflow.operators.email import EmailOperator as Mail\n{calls}",
        replace(PINNING, source_version="2.9.3"),
    )
    lines = done.text.decode().splitlines()[-3:]
    assert lines[0] == "Mail(task_id='a', to='b', conn_id=\"smtp_default\")"
    assert lines[1] == "Mail(task_id='c', to='d', conn_id=\"smtp_default\")"
    assert lines[2] == "Mail(task_id='e', to='f', conn_id='mine')"
    assert [code for code, _ in done.notes] == ["email-connection"]


def test_mails_that_are_expanded_get_their_connection_once() -> None:
    head = f"{DAG}from airflow.operators.email import EmailOperator as Mail\n"
    line = "Mail.partial(task_id='a', subject='b', html_content='c').expand(to=['d'])"
    text = rewritten(f"{head}{line}\n", replace(PINNING, source_version="2.9.3")).text.decode()
    assert text.splitlines()[-1] == line.replace("'c')", "'c', conn_id=\"smtp_default\")")


def test_mails_that_had_a_connection_already_stay() -> None:
    source = (
        f"{DAG}from airflow.providers.smtp.operators.smtp import EmailOperator as Mail\nMail(task_id='a', to='b')\n"
    )
    done = rewritten(source, replace(PINNING, source_version="2.9.3"))
    assert done.text.decode().endswith("Mail(task_id='a', to='b')\n")
    assert "email-connection" not in {code for code, _ in (*done.notes, *done.spots)}


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("{'email': ['a@shop.example']}", True),
        ("{'email': 'a@shop.example', 'email_on_failure': True}", True),
        ("{'email': 'a@shop.example', 'email_on_failure': False}", False),
        ("{'email': 'a@shop.example', 'email_on_failure': False, 'retries': 2}", True),
        ("{'email': 'a@shop.example', 'email_on_failure': False, 'email_on_retry': False, 'retries': 2}", False),
        ("dict(email=ADDRESS)", True),
        ("{'email': None}", False),
        ("{'email': []}", False),
        ("{'owner': 'a'}", False),
    ],
)
def test_mails_about_failures_need_the_connection(arguments: str, found: bool) -> None:
    source = f"from airflow import DAG\nARGS = {arguments}\nDAG('a', default_args=ARGS, schedule_interval=None)\n"
    done = rewritten(source, replace(PINNING, source_version="2.9.3"))
    spots = [spot for code, spot in done.spots if code == "email-connection"]
    assert [spot.line for spot in spots] == ([2] if found else [])


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("ARGS = {'email': ADDRESS, 'email_on_failure': True}\n", 1),  # other files take them
        ("ARGS = {'email': ADDRESS, 'name': 'Ann'}\n", None),
        ("from airflow.operators.bash import BashOperator\nBashOperator(task_id='a', email=ADDRESS)\n", 2),
        ("from airflow.decorators import task\n@task(email=ADDRESS)\ndef load(): ...\n", 2),
        ("register(name='Ann', email=ADDRESS)\n", None),
    ],
)
def test_who_has_mails_sent_is_seen_at_tasks_and_in_shared_arguments(source: str, line: int | None) -> None:
    done = rewritten(source, replace(PINNING, source_version="2.9.3"))
    assert [spot.line for code, spot in done.spots if code == "email-connection"] == ([line] if line else [])


def test_classes_derived_from_the_operator_of_mails_are_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "mails.py").write_text(
        "from airflow.operators.email import EmailOperator\n\n\nclass Mail(EmailOperator):\n    pass\n\n\nclass Mine(EmailOperator):\n    conn_id = 'mine'\n"
    )
    done = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", replace(PINNING, source_version="2.9.3"))
    found = [item for item in done.findings if item.rule == "email-connection"]
    assert [(item.file, item.line) for item in found] == [("mails.py", 4)]
