"""The code step for definitions of Oozie and Control-M: converts them into a project for the target version, with its tests."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from difflib import unified_diff
from typing import Any

from aerodrome.builds.locks import read_lock
from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert import report as accounts
from aerodrome.migration.convert.contract import Account, Dag, Target
from aerodrome.migration.convert.emission import compose, emit
from aerodrome.migration.convert.emission.project import file_names
from aerodrome.migration.service.folder import MigrationFolder, write_json
from aerodrome.migration.sources.contract import DefinitionsConfig
from aerodrome.migration.sources.definitions.conversions import conversion_of

_ANY_LOCKED_PYTHON = "3.12"
_NAME = re.compile(r"[\w.-]*")


def convert_into(folder: MigrationFolder, source: DefinitionsConfig, target_version: str) -> Mapping[str, Any]:
    """Write the converted project to `folder.code`, with its tests, and what needs a look to `folder.code_json`.

    No DAG says for itself whether it starts paused: the cutover decides. Airflow itself is no requirement, nor is what every deployment
    of that version has anyway.
    """
    found = conversion_of(source)
    found = replace(found, dags=tuple(replace(dag, is_paused=None) for dag in found.dags))
    target = target_of(target_version)
    files = compose(found, target)
    files["requirements.txt"] = _further(files["requirements.txt"], target_version)
    shutil.rmtree(folder.code, ignore_errors=True)
    emit(files, folder.code)
    names = file_names(found.dags)
    data = accounts.as_data(found, target)
    write_json(
        folder.code_json,
        {
            "target_version": target_version,
            "files_total": len(files),
            "files_changed": len(found.dags),
            "rules": data["codes"],
            "files": [_converted(dag, f"dags/{names[dag.dag_id]}.py", folder) for dag in found.dags],
            "conversion": {name: data[name] for name in ("format", "definitions", "totals", "rejected", "questions")},
        },
    )
    totals = data["totals"]
    return {
        "files_total": len(files),
        "files_changed": len(found.dags),
        "rules": data["codes"],
        "findings": totals["caveat"] + totals["raises"],
        "summary": f"{len(found.dags)} DAGs from {found.definitions} definitions: {totals['converted']} elements converted, "
        f"{totals['caveat']} with a caveat, {totals['raises']} raise until completed.",
    }


def _further(requirements: str, target_version: str) -> str:
    """Leave out what the deployment's own lock has."""
    lock = read_lock(target_version, _ANY_LOCKED_PYTHON) or ""
    there = {line.partition("==")[0] for line in lock.splitlines()} | {"apache-airflow"}
    return "".join(f"{line}\n" for line in requirements.splitlines() if _NAME.match(line)[0] not in there)  # type: ignore[index]


def target_of(version: str) -> Target:
    """Give for which Airflow to write; Invalid `convert-target` for a version that nothing is written for."""
    if version.startswith("2.11."):
        return "2.11"
    if version.startswith("3."):
        return "3.3"
    raise Invalid(
        f"Definitions cannot be converted for Airflow {version}.",
        code="convert-target",
        hint="Name 3.3.2, or another 3.x, as target.airflow in the plan.",
    )


def _converted(dag: Dag, path: str, folder: MigrationFolder) -> dict[str, Any]:
    text = (folder.code / path).read_text(encoding="utf-8")
    return {
        "path": path,
        "diff": "".join(unified_diff([], text.splitlines(keepends=True), str(dag.origin), path)),
        "rules": dict(Counter(item.outcome for item in dag.accounts)),
        "findings": [_finding(path, item) for item in dag.accounts if item.outcome != "converted"],
    }


def _finding(path: str, item: Account) -> dict[str, Any]:
    name = f"{item.element} {item.name}".strip()
    return {
        "path": path,
        "line": item.origin.line,
        "rule": item.code,
        "message": f"{name} ({item.origin}): {item.reason}",
        "hint": "It raises when it runs: complete it."
        if item.outcome == "raises"
        else "Read whether that matters here.",
    }
