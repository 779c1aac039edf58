"""try_number in callbacks means what it meant where the project ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES

OURS = [rule for rule in RULES if rule.code == "try-number"]
NEXT = "(ti.try_number + 1)"


def alert(given: str, use: str = "args = dict({kind}=alert)\n") -> str:
    return f"def alert(context):\n    ti = context['ti']\n    return {given}\n\n\n{use}"


@pytest.mark.parametrize(
    ("kind", "version", "new"),
    [
        ("on_failure_callback", "1.10.15", NEXT),
        ("on_failure_callback", "2.9.3", NEXT),
        ("on_retry_callback", "2.3.4", NEXT),
        ("on_success_callback", "2.9.3", NEXT),
        ("on_execute_callback", "2.9.3", "ti.try_number"),
        ("on_failure_callback", "2.10.0", "ti.try_number"),
        ("on_failure_callback", "3.1.0", "ti.try_number"),
    ],
)
@pytest.mark.parametrize(
    "use",
    [
        "args = dict({kind}=alert)\n",
        "args = {{'{kind}': [alert]}}\n",
        "args['{kind}'] = alert\n",
        "dag.{kind} = alert\n",
    ],
)
def test_callbacks(kind: str, version: str, new: str, use: str) -> None:
    code = alert("f'{ti.try_number}', ti.try_number - 1", use.format(kind=kind))
    done = rewrite(code.encode(), OURS, Options(source_version=version))
    assert done.text.decode() == code.replace("ti.try_number", new)
    assert not done.spots
    assert rewrite(done.text, OURS, Options(source_version=version)).text == done.text


@pytest.mark.parametrize(
    "use",
    [
        "args = dict(on_failure_callback=alert, on_execute_callback=alert)\n",
        "args = dict(on_failure_callback=alert)\n\n\nPythonOperator(python_callable=alert)\n",
        "def late(context):\n    alert(context)\n\n\nargs = dict(on_failure_callback=alert, on_execute_callback=late)\n",
    ],
)
def test_what_is_called_elsewhere_too_is_found(use: str) -> None:
    code = alert("context['ti'].try_number", use)
    done = rewrite(code.encode(), OURS, Options(source_version="2.9.3"))
    assert done.text.decode() == code
    assert done.spots or "python_callable" in use  # a callable gets no context as its first argument


def test_what_tasks_ask_stays() -> None:
    code = "from airflow.decorators import task\n\n\n@task\ndef load(ti=None):\n    return ti.try_number\n"
    assert rewrite(code.encode(), OURS, Options(source_version="2.9.3")).text.decode() == code


def test_a_function_that_only_a_callback_calls() -> None:
    code = "def told(ti):\n    return ti.try_number\n\n\ndef alert(context):\n    told(context['ti'])\n\n\nargs = dict(on_retry_callback=alert)\n"
    done = rewrite(code.encode(), OURS, Options(source_version="2.9.3"))
    assert done.text.decode() == code.replace("return ti.try_number", f"return {NEXT}")


@pytest.mark.parametrize(
    "head",
    [
        "from common.alerts import failed",
        "from .common.alerts import failed",
        "from common import alerts\n\nfailed = None",
    ],
)
def test_callbacks_of_another_file(head: str, tmp_path: Path) -> None:
    (tmp_path / "in/dags/common").mkdir(parents=True)
    (tmp_path / "in/dags/common/__init__.py").write_text("")
    (tmp_path / "in/dags/common/alerts.py").write_text(
        "from airflow.models import Variable\n\n\ndef failed(what):\n    print(what['ti'].try_number, what['execution_date'])\n"
    )
    name = "alerts.failed" if "alerts\n" in head else "failed"
    (tmp_path / "in/dags/sales.py").write_text(
        f"from airflow import DAG\n{head}\n\nwith DAG('a', schedule=None, on_failure_callback={name}):\n    pass\n"
    )
    upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", Options(source_version="2.9.3"))
    text = (tmp_path / "out/dags/common/alerts.py").read_text()
    assert "print((what['ti'].try_number + 1), what['logical_date'])" in text
