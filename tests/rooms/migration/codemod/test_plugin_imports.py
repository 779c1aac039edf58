"""What plugins of 1.10 put below airflow.operators is imported from where it is defined; what the project does not have stays a finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import RULES

_PLUGIN = b"""from airflow.plugins_manager import AirflowPlugin
from warehouse import sensors
from warehouse.hooks import ShopHook
from .operators.load import LoadOperator as Load


class ShopPlugin(AirflowPlugin):
    name = "shop_plugin"
    operators = [Load]
    hooks = (ShopHook,)
    sensors = [sensors.ShopSensor]
"""


def rewritten(source: str, files: dict[str, bytes]) -> str:
    options = Options(project=Project(files))
    text = rewrite(source.encode(), RULES, options).text
    assert rewrite(text, RULES, options).text == text
    return text.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "from airflow.operators.shop_plugin import LoadOperator\n",
            "from shop.operators.load import LoadOperator\n",
        ),
        (
            "from airflow.operators import LoadOperator as L\n",
            "from shop.operators.load import LoadOperator as L\n",
        ),
        ("from airflow.hooks.shop_plugin import ShopHook\n", "from warehouse.hooks import ShopHook\n"),
        ("from airflow.sensors.shop_plugin import ShopSensor\n", "from warehouse.sensors import ShopSensor\n"),
        (
            "from airflow.operators import LoadOperator, BashOperator\n",
            "from shop.operators.load import LoadOperator\nfrom airflow.providers.standard.operators.bash import BashOperator\n",
        ),
    ],
)
def test_a_plugin_of_the_project_is_followed(before: str, after: str) -> None:
    assert rewritten(before, {"plugins/shop/__init__.py": _PLUGIN}) == after


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"plugins/a.py": b"from airflow.plugins_manager import AirflowPlugin\nclass P(AirflowPlugin):\n    name = NAME\n    operators = OPERATORS\n"},
        {"plugins/a/__init__.py": _PLUGIN, "plugins/b/__init__.py": _PLUGIN},
    ],
)  # fmt: skip
def test_what_is_not_there_or_there_twice_is_found(files: dict[str, bytes]) -> None:
    source = b"from airflow.operators.shop_plugin import LoadOperator\n"
    done = rewrite(source, RULES, Options(project=Project(files)))
    assert done.text == source
    assert [code for code, spot in done.spots if "a plugin put it there" in spot.message] == ["moved-name"]


def test_a_whole_project_follows_its_plugins(tmp_path: Path) -> None:
    place = tmp_path / "in/plugins/shop"
    place.mkdir(parents=True)
    (place / "__init__.py").write_bytes(_PLUGIN)
    (tmp_path / "in/dags").mkdir()
    (tmp_path / "in/dags/d.py").write_text(
        "from airflow.operators.shop_plugin import LoadOperator\nLoadOperator(task_id='a')\n"
    )
    done = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2")
    text = (tmp_path / "out/dags/d.py").read_text()
    assert text == "from shop.operators.load import LoadOperator\nLoadOperator(task_id='a')\n"
    assert done.rules["plugin-import"] == 1
