"""A file of common imports: what others take from it stays, and their code is read as if they imported Airflow themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.rooms.migration.codemod.projects import upgraded

_BASE = """from airflow import DAG
from airflow.datasets import Dataset
from airflow.models import Variable
from airflow.operators.dummy import DummyOperator
from airflow.operators.python import PythonOperator
from airflow.utils import timezone
from airflow.utils.dates import days_ago
from airflow.utils.trigger_rule import TriggerRule
"""
_DAG = """IMPORT


def tell(**context):
    print(context["execution_date"], X.timezone.utcnow(), context.get("triggering_dataset_events"))


with X.DAG("a", start_date=X.days_ago(1), schedule_interval=None) as dag:
    X.DummyOperator(task_id="d", trigger_rule=X.TriggerRule.DUMMY, outlets=[X.Dataset("s3://a")])
    X.PythonOperator(task_id="p", python_callable=tell, provide_context=True)
"""
_NAMES = "DAG, Dataset, DummyOperator, PythonOperator, TriggerRule, days_ago, timezone"


@pytest.mark.parametrize(
    ("line", "owner"),
    [
        ("from lib.base import *", ""),
        (f"from lib.base import {_NAMES}", ""),
        ("from lib import *", ""),
        (f"from lib import {_NAMES}", ""),
        (f"from .lib.base import {_NAMES}", ""),
        ("import lib.base as base", "base."),
        ("from lib import base", "base."),
        ("import lib.base", "lib.base."),
    ],
)
def test_names_of_a_common_file(tmp_path: Path, line: str, owner: str) -> None:
    text = _DAG.replace("IMPORT", line).replace("X.", owner)
    files = {"dags/lib/__init__.py": "from lib.base import *\n", "dags/lib/base.py": _BASE, "dags/a.py": text}
    done, texts = upgraded(tmp_path, files, "2.9.3", "3.3.2")
    base, dag = texts["dags/lib/base.py"], texts["dags/a.py"]
    assert 'context["logical_date"]' in dag
    assert 'context.get("triggering_asset_events")' in dag
    assert 'start_date=pendulum.today("UTC").add(days=-1)' in dag
    assert "schedule=None" in dag
    assert "TriggerRule.ALWAYS" in dag
    assert "provide_context" not in dag
    assert "days_ago" not in dag + base
    wanted = [part for part in base.splitlines() if "import" in part]
    assert any(line.startswith("from airflow.sdk import timezone") for line in wanted)
    if not owner:
        assert "from airflow.sdk import Asset as Dataset" in wanted
        assert "from airflow.providers.standard.operators.empty import EmptyOperator as DummyOperator" in wanted
    assert [item.rule for item in done.findings if item.rule in ("not-fixed", "passed-on-name")] == []


def test_a_name_that_is_gone_and_still_needed(tmp_path: Path) -> None:
    files = {
        "dags/base.py": "from airflow.utils.dates import days_ago, round_time\n",
        "dags/more.py": "from base import *\n",
        "dags/a.py": "from airflow import DAG\nfrom more import days_ago\n\nSTART = days_ago\n",
        "dags/b.py": "from airflow import DAG\nfrom base import (\n    days_ago,\n    round_time,\n)\n\nwith DAG('b', schedule=None, start_date=days_ago(1)):\n    pass\n",
    }
    done, texts = upgraded(tmp_path, files, "2.9.3", "3.3.2")
    assert "from more import days_ago" in texts["dags/a.py"]
    assert "days_ago" not in texts["dags/b.py"]
    assert "from base" not in texts["dags/b.py"]
    assert "def days_ago(*args, **kwargs):" in texts["dags/base.py"]
    assert "round_time" not in texts["dags/base.py"]
    found = {(item.rule, item.file, item.line) for item in done.findings if item.rule.startswith(("passed", "gone"))}
    assert found == {("passed-on-name", "dags/a.py", 4), ("gone-function", "dags/base.py", 4)}


def test_names_that_nobody_takes_go(tmp_path: Path) -> None:
    files = {
        "dags/base.py": "from airflow.utils import timezone\nfrom airflow.operators.dummy import DummyOperator\n\nx = 1\n",
        "dags/a.py": "from airflow import DAG\nfrom base import *\n\nprint(x)\n",
    }
    _, texts = upgraded(tmp_path, files, "2.9.3", "3.3.2")
    assert texts["dags/base.py"] == "from airflow.providers.standard.operators.empty import EmptyOperator\n\nx = 1\n"
