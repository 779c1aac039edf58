"""The code step: gathers the source's folders into one project and upgrades it to the target version, or converts definitions.

A file whose upgrade a person rejected (`code.rejected` of the plan) is what the source has, in the deployed project as well.
Changes can be looked at before (`review`).
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from difflib import unified_diff
from pathlib import Path
from typing import Any

from aerodrome.builds.locks import read_lock
from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert import report as accounts
from aerodrome.migration.convert.contract import Account, Dag, Target
from aerodrome.migration.convert.emission import compose, emit
from aerodrome.migration.convert.emission.project import file_names
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.service.folder import MigrationFolder, read_json, write_json
from aerodrome.migration.sources.contract import CodeFolders, DefinitionsConfig
from aerodrome.migration.sources.definitions.conversions import conversion_of

_ANY_LOCKED_PYTHON = "3.12"
_NAME = re.compile(r"[\w.-]*")
_SKIPPED = shutil.ignore_patterns("__pycache__", ".git", ".venv", "*.pyc")


def upgrade_into(
    folder: MigrationFolder,
    source: CodeFolders,
    target_version: str,
    *,
    catchup_by_default: bool,
    rejected: Collection[str] = (),
) -> Mapping[str, Any]:
    """Write the upgraded project to `folder.code` and its diffs to `folder.code_json`; the source's files stay as they are."""
    gather(source, folder.gathered)
    shutil.rmtree(folder.code, ignore_errors=True)
    data = _upgraded(folder.gathered, folder.code, target_version, catchup_by_default=catchup_by_default)
    kept = _take_back(folder, {file["path"] for file in data["files"] if file["diff"]} & set(rejected))
    write_json(folder.code_json, data)
    changed, open_spots = data["files_changed"], sum(len(file["findings"]) for file in data["files"])
    return {
        "files_total": data["files_total"],
        "files_changed": changed - kept,
        "files_rejected": kept,
        "rules": data["rules"],
        "findings": open_spots,
        "summary": f"{changed - kept} of {data['files_total']} files changed, {open_spots} spots for a person to look at"
        + (f"; {kept} rejected and as the source has them." if kept else "."),
    }


def review(folder: MigrationFolder, source: CodeFolders, target_version: str, *, catchup_by_default: bool) -> None:
    """Write to `folder.review_json` what the code step would change; nothing of the project is kept."""
    with tempfile.TemporaryDirectory(prefix="aerodrome-review-", dir=folder.root) as scratch:
        gather(source, Path(scratch) / "gathered")
        data = _upgraded(
            Path(scratch) / "gathered", Path(scratch) / "code", target_version, catchup_by_default=catchup_by_default
        )
    write_json(folder.review_json, {"status": "done", **data})


def newest(folder: MigrationFolder) -> dict[str, Any] | None:
    """Give the code step's changes, or those of a review that is newer; None before either."""
    done, seen = read_json(folder.code_json), read_json(folder.review_json)
    if seen is None or seen["status"] != "done":
        return done  # type: ignore[no-any-return]
    is_newer = done is None or folder.review_json.stat().st_mtime_ns > folder.code_json.stat().st_mtime_ns
    return {name: value for name, value in seen.items() if name != "status"} if is_newer else done


def _upgraded(gathered: Path, out: Path, target_version: str, *, catchup_by_default: bool) -> dict[str, Any]:
    from aerodrome.migration.codemod import Options, upgrade  # rules and tables that a server at rest does not need

    return upgrade(gathered, out, target_version, Options(catchup_by_default=catchup_by_default)).as_data()


def _take_back(folder: MigrationFolder, rejected: Collection[str]) -> int:
    for path in rejected:
        shutil.copyfile(folder.gathered / path, folder.code / path)
    return len(rejected)


def catches_up(estate: Estate) -> bool:
    """Tell the source's own default for DAGs that do not say: True in Airflow 2 unless its configuration says no."""
    for option in estate.records("config"):
        if option.option == "scheduler.catchup_by_default" and option.value is not None:
            return str(option.value).strip().lower() in {"true", "1", "t", "yes"}
    return True


def gather(source: CodeFolders, into: Path) -> None:
    """Copy dags/, plugins/, include/ and requirements.txt into one project folder, anew each time."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    parts = {"dags": source.dags_folder, "plugins": source.plugins_folder, "include": source.include_folder}
    for name, place in parts.items():
        if place is not None:
            shutil.copytree(place, into / name, ignore=_SKIPPED)
    if source.requirements_file is not None:
        shutil.copy2(source.requirements_file, into / "requirements.txt")


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
