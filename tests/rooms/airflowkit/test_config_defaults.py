"""Our table of default values is that of the real Airflow 2.11.2. If this breaks, an option that a team set goes unmentioned."""

from __future__ import annotations

import configparser
from collections.abc import Callable

import pytest
import yaml

from aerodrome.airflowkit.config_changes import REMOVED, RENAMED
from aerodrome.airflowkit.config_defaults import DEFAULTS
from aerodrome.builds.contract import Venv


@pytest.mark.airflow
def test_the_values_are_airflows_own(airflow_venv: Callable[..., Venv]) -> None:
    (folder,) = airflow_venv("2.11.2").path.glob("lib/python3*/site-packages/airflow/config_templates")
    real = {
        f"{section}.{option}".lower(): str(text["default"]).strip().replace("{{", "{").replace("}}", "}")
        for section, content in yaml.safe_load((folder / "config.yml").read_text()).items()
        for option, text in content["options"].items()
        if text.get("default") is not None
    }
    fallback = configparser.ConfigParser(interpolation=None, strict=False)
    fallback.read(folder / "provider_config_fallback_defaults.cfg")
    real |= {f"{name}.{option}": value for name in fallback.sections() for option, value in fallback.items(name)}
    assert {name: real[name] for name in DEFAULTS if name in real} == {
        name: value for name, value in DEFAULTS.items() if name in real
    }
    assert len([name for name in DEFAULTS if name in real]) > 60


def test_only_options_that_changed_are_in_it() -> None:
    assert set(DEFAULTS) <= REMOVED | set(RENAMED)
