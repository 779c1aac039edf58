"""Arguments of DAGs that stand in another file. If these break, a DAG is missing in Airflow 3 for an argument that no file near it shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.rooms.migration.codemod.projects import upgraded

_SETTINGS = "from datetime import datetime\n\nDEFAULTS = {'task_concurrency': 2}\nARGS = {'schedule_interval': '@daily', 'default_view': 'graph', 'default_args': DEFAULTS}\n"
_MENDED = "from datetime import datetime\n\nDEFAULTS = {'max_active_tis_per_dag': 2}\nARGS = {'schedule': '@daily', 'default_args': DEFAULTS}\n"


@pytest.mark.parametrize(
    "dag",
    [
        "from airflow import DAG\nfrom shop import settings\n\nDAG('a', **settings.ARGS)\n",
        "from airflow import DAG\nfrom shop.settings import ARGS as MORE\n\nDAG('a', **MORE)\n",
        "from airflow import DAG\nfrom .shop.settings import ARGS\n\nDAG('a', **ARGS)\n",
        "from airflow.decorators import dag\nfrom shop import settings\n\n\n@dag(**settings.ARGS)\ndef a(): pass\n",
    ],
)
def test_it_is_changed_where_it_stands(tmp_path: Path, dag: str) -> None:
    files = {"dags/a.py": dag, "dags/b.py": dag.replace("'a'", "'b'"), "dags/shop/settings.py": _SETTINGS}
    done, texts = upgraded(tmp_path, {"dags/shop/__init__.py": ""} | files)
    assert texts["dags/shop/settings.py"] == _MENDED
    assert not [item for item in done.findings if item.rule == "dag-argument"]


@pytest.mark.parametrize(
    ("other", "settings"),
    [
        ("from shop.settings import ARGS\n\nprint(ARGS['schedule_interval'])\n", _SETTINGS),
        ("from shop import settings\n\nsettings.ARGS.pop('schedule_interval')\n", _SETTINGS),
        ("", f"{_SETTINGS}print(ARGS['schedule_interval'])\n"),
        ("", "ARGS = dict(schedule_interval='@daily', default_view='graph')\n"),
    ],
)
def test_where_somebody_looks_into_it_it_is_found(tmp_path: Path, other: str, settings: str) -> None:
    dag = "from airflow import DAG\nfrom shop.settings import ARGS\n\nDAG('a', **ARGS)\n"
    done, texts = upgraded(
        tmp_path,
        {"dags/shop/__init__.py": ""} | {"dags/a.py": dag, "dags/b.py": other, "dags/shop/settings.py": settings},
    )
    assert "schedule_interval" in texts["dags/shop/settings.py"]
    (found,) = [item for item in done.findings if item.rule == "dag-argument"]
    assert "schedule_interval is schedule, default_view is gone" in found.hint


def test_default_args_alone(tmp_path: Path) -> None:
    dag = "from airflow import DAG\nfrom shop.settings import DEFAULTS\n\nDAG('a', schedule=None, default_args=DEFAULTS)\n"
    _, texts = upgraded(
        tmp_path,
        {"dags/shop/__init__.py": ""}
        | {"dags/a.py": dag, "dags/shop/settings.py": "DEFAULTS = {'task_concurrency': 2}\n"},
    )
    assert texts["dags/shop/settings.py"] == "DEFAULTS = {'max_active_tis_per_dag': 2}\n"
