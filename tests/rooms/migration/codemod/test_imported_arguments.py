"""Arguments of operators that stand in another file. If these break, a task is missing in Airflow 3 for an argument that no file near it shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.rooms.migration.codemod.projects import upgraded

_HEAD = "from airflow.providers.docker.operators.docker import DockerOperator\n"
_COMMON = "ARGS = {\n    'image': 'shop',\n    'auto_remove': True,\n    'volumes': ['/srv/data:/data'],\n}\n"
_CALL = "DockerOperator(task_id='fit', command='fit', **{})\n"


@pytest.mark.parametrize(
    ("way", "name"),
    [
        ("from shop import common", "common.ARGS"),
        ("from shop.common import ARGS as MORE", "MORE"),
        ("from .shop.common import ARGS", "ARGS"),
        ("from .shop import common", "common.ARGS"),
        ("import shop.common as common", "common.ARGS"),
        ("from shop.handed import ARGS", "ARGS"),
    ],
)
def test_it_is_changed_where_it_stands(tmp_path: Path, way: str, name: str) -> None:
    dag = f"{_HEAD}{way}\n\n{_CALL.format(name)}"
    handed = "from shop.common import ARGS\n"
    files = {"dags/a.py": dag, "dags/b.py": dag, "dags/shop/common.py": _COMMON, "dags/shop/handed.py": handed}
    done, texts = upgraded(tmp_path, {"dags/shop/__init__.py": ""} | files)
    assert texts["dags/shop/common.py"] == (
        "from docker.types import Mount\n"
        "ARGS = {\n    'image': 'shop',\n    'auto_remove': \"success\",\n"
        '    \'mounts\': [Mount(source="/srv/data", target="/data", type="bind")],\n}\n'
    )
    assert texts["dags/a.py"] == dag
    assert not [item for item in done.findings if item.rule == "shared-argument"]


@pytest.mark.parametrize(
    ("other", "common"),
    [
        ("from shop.common import ARGS\n\nprint(ARGS['volumes'])\n", _COMMON),
        ("from shop import common\n\ncommon.ARGS.pop('volumes')\n", _COMMON),
        ("from shop.common import ARGS as MORE\n\nALL = {**MORE}\n", _COMMON),
        ("", f"{_COMMON}print(ARGS['volumes'])\n"),
    ],
)
def test_where_somebody_looks_into_it_it_is_found(tmp_path: Path, other: str, common: str) -> None:
    dag = f"{_HEAD}from shop.common import ARGS\n\n{_CALL.format('ARGS')}"
    done, texts = upgraded(
        tmp_path, {"dags/shop/__init__.py": ""} | {"dags/a.py": dag, "dags/b.py": other, "dags/shop/common.py": common}
    )
    assert texts["dags/shop/common.py"] == common
    found = [item for item in done.findings if item.rule == "shared-argument"]
    assert {item.file for item in found} == {"dags/shop/common.py"}
    assert all("used for something else, too" in item.message for item in found)
    assert len(found) == len(("auto_remove", "volumes"))


def test_operators_that_want_different_ones(tmp_path: Path) -> None:
    bash = "from airflow.operators.bash import BashOperator\nfrom shop.common import ARGS\n\nBashOperator(task_id='a', bash_command='a', **ARGS)\n"
    dag = f"{_HEAD}from shop.common import ARGS\n\n{_CALL.format('ARGS')}"
    common = "ARGS = {'auto_remove': True}\n"
    done, texts = upgraded(
        tmp_path, {"dags/shop/__init__.py": ""} | {"dags/a.py": dag, "dags/b.py": bash, "dags/shop/common.py": common}
    )
    assert texts["dags/shop/common.py"] == common
    (found,) = [item for item in done.findings if item.rule == "shared-argument"]
    assert "want different ones" in found.message
