"""The table of moved names is true: the real Airflow 3.3.2 imports what it says. What needs providers runs with AERODROME_MATRIX=1."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod.coverage import COVERAGE
from aerodrome.migration.codemod.moves import companions, package_of, table
from aerodrome.migration.codemod.rules import RULES
from aerodrome.migration.codemod.rules.unknown_arguments import KNOWN
from aerodrome.migration.codemod.significant import CHANGES

_FACTS = {
    "subdag", "sla", "orm-access", "xcom-pull-all", "trigger-callable", "plugin", "old-cli", "old-rest-api",
    "airflow-pin", "constraint", "provider-pin", "provider-needed", "unused-import", "python2", "config-variable", "config-option", "airflow-image",
    "dead-pin", "requirement-version", "requirements-unchecked", "requirements-unresolvable", "airflowignore", "source-version",
}  # fmt: skip
SCRIPTS = Path(__file__).parents[4] / "scripts"
_NEED_LIBRARIES = (
    "mysql",
    "hdfs",
    "samba",
    "winrm",
    "psrp",
    "druid",
    "beam",
    "kylin",
    "hive_stats",
)  # of the system; read as text by scripts/moves
_IMPORT = """
import importlib, json, logging, sys, warnings
warnings.simplefilter("ignore"); logging.disable(50)
broken = {}
for name in json.load(sys.stdin):
    module, _, item = name.rpartition(".")
    try:
        getattr(importlib.import_module(module), item)
    except Exception as error:
        broken[name] = repr(error)
print("RESULT" + json.dumps(broken))
"""


def test_no_way_goes_on() -> None:
    known = table()
    assert not set(known.moves.values()) & set(known.moves)
    assert not set(known.moves.values()) & known.gone
    assert not set(known.moves) & known.gone
    assert len(known.moves) > 800


def test_coverage_names_what_exists() -> None:
    codes = {rule.code for rule in RULES} | _FACTS
    for item in COVERAGE:
        assert item.codes or item.treatment in ("proof only", "not applicable"), item.change
        assert all(code in codes or code.startswith("AIR") for code in item.codes), item.change
    assert {rule.code for rule in RULES} <= {code for item in COVERAGE for code in item.codes}
    for change in CHANGES:
        assert change.codes or (change.treatment in ("proof only", "not applicable") and change.note), change.heading
        assert all(code in codes or code.startswith("AIR") for code in change.codes), change.heading
    assert len({(change.version, change.heading) for change in CHANGES}) == len(CHANGES)
    assert {change.version for change in CHANGES} == {"3.0", "3.1", "3.2", "3.3"}


def _broken(venv: Venv, names: set[str], home: Path) -> dict[str, str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    env |= {"AIRFLOW_HOME": str(home), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/none.db"}
    command = [str(venv.path / "bin/python"), "-c", _IMPORT]
    done = subprocess.run(command, input=json.dumps(sorted(names)), env=env, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout.rpartition("RESULT")[2])
    return found


@pytest.mark.airflow
def test_core_imports_what_the_table_says(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    wanted = {new for new in table().moves.values() if (package_of(new) or "standard").endswith("standard")}
    assert len(wanted) > 80
    assert _broken(airflow_venv("3.3.2"), wanted, tmp_path) == {}
    old = {name for name in table().gone if name.startswith(("airflow.operators.", "airflow.utils.dates."))}
    assert set(_broken(airflow_venv("3.3.2"), old, tmp_path)) == old


_SIGNATURES = """
import importlib, inspect, json, logging, sys, warnings
warnings.simplefilter("ignore"); logging.disable(50)
found = {}
for name in json.load(sys.stdin):
    module, _, item = name.rpartition(".")
    known = set()
    for cls in getattr(importlib.import_module(module), item).__mro__:
        act = cls.__dict__.get("__init__")
        if act and inspect.isfunction(inspect.unwrap(act)):
            known |= set(inspect.signature(inspect.unwrap(act)).parameters)
    found[name] = sorted(known)
print("RESULT" + json.dumps(found))
"""


@pytest.mark.airflow
def test_no_argument_is_dropped_that_airflow_knows(airflow_venv: Callable[..., Venv]) -> None:
    """An argument that the table lacks would be taken out of people's code."""
    names = sorted(name for name in KNOWN if name.startswith("airflow.providers.standard."))
    command = [str(airflow_venv("3.3.2").path / "bin/python"), "-c", _SIGNATURES]
    done = subprocess.run(command, input=json.dumps(names), capture_output=True, text=True, check=True)
    real: dict[str, list[str]] = json.loads(done.stdout.rpartition("RESULT")[2])
    ways = {"self", "args", "kwargs"}
    assert {name: set(real[name]) - ways - KNOWN[name] for name in names} == {name: set() for name in names}


@pytest.mark.airflow
@pytest.mark.matrix
def test_providers_import_what_the_table_says(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    names, packages = set[str](), set[str]()
    for new in table().moves.values():
        needed = {package_of(new), *companions().get(new.rpartition(".")[0], ())} - {None}
        if needed and not any(str(name).endswith(_NEED_LIBRARIES) for name in needed):
            names.add(new)
            packages |= {str(name) for name in needed}
    venv = airflow_venv("3.3.2", tuple(sorted(packages)))
    assert _broken(venv, names, tmp_path) == {}
    (site,) = venv.path.glob("lib/python3*/site-packages")
    scan = runpy.run_path(str(SCRIPTS / "companions"))["companions"](site)
    assert {module: found for module, found in scan.items() if companions().get(module) != found} == {}
