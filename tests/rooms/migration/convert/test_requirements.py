"""Whatever a converter imports from a provider, the requirements of the project name it: what reads the DAGs installs those."""

from __future__ import annotations

import gc
import importlib
import pkgutil
import re
from pathlib import Path

from bench.convert_oozie import requirements_of

import aerodrome.migration.convert
from aerodrome.migration.convert.contract import TARGETS, Symbol
from aerodrome.migration.convert.controlm.reading import read
from aerodrome.migration.convert.emission import compose


def symbols() -> list[Symbol]:
    for module in pkgutil.walk_packages(aerodrome.migration.convert.__path__, "aerodrome.migration.convert."):
        if "inside" not in module.name:  # runs within Airflow
            importlib.import_module(module.name)
    return [item for item in gc.get_objects() if isinstance(item, Symbol)]


def test_every_name_of_a_provider_has_its_package() -> None:
    found = symbols()
    assert len(found) > 80
    for symbol in found:
        for target in TARGETS:
            module = symbol.modules.get(target, "")
            if not module.startswith("airflow.providers."):
                continue
            package = re.split(r"[\[<>=]", symbol.packages.get(target, ""))[0]
            inside = package.removeprefix("apache-airflow-providers-").replace("-", ".")
            assert package, (symbol.name, target)
            assert f"{module}.".startswith(f"airflow.providers.{inside}."), (symbol.name, package)


def test_the_bench_installs_what_a_project_needs_besides_airflow(tmp_path: Path) -> None:
    job = (
        '{"F": {"Type": "Folder", "J": {"Type": "Job:Database:SQLScript", "ConnectionProfile": "C", "SQLScript": "a"}}}'
    )
    (tmp_path / "jobs.json").write_text(job)
    for target in TARGETS:
        files = compose(read(tmp_path, {}), target)
        needed = requirements_of(files)
        used = set(re.findall(r"from airflow\.providers\.(\w+)", "".join(files.values())))
        assert used
        assert not [name for name in used if not any(name in line for line in needed)]
        assert not any(re.match(r"apache-airflow\W", line + " ") for line in needed if "providers" not in line)
