"""The code step: gathers the source's folders into one project and upgrades it to the target version."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aerodrome.migration.service.folder import MigrationFolder, write_json
from aerodrome.migration.sources.contract import CodeFolders

_SKIPPED = shutil.ignore_patterns("__pycache__", ".git", ".venv", "*.pyc")


def upgrade_into(
    folder: MigrationFolder, source: CodeFolders, target_version: str, *, catchup_by_default: bool
) -> Mapping[str, Any]:
    """Write the upgraded project to `folder.code` and its diffs to `folder.code_json`; the source's files stay as they are."""
    from aerodrome.migration.codemod import Options, upgrade  # rules and tables that a server at rest does not need

    gather(source, folder.gathered)
    shutil.rmtree(folder.code, ignore_errors=True)
    found = upgrade(folder.gathered, folder.code, target_version, Options(catchup_by_default=catchup_by_default))
    data = found.as_data()
    write_json(folder.code_json, data)
    changed, open_spots = data["files_changed"], len(found.findings)
    return {
        "files_total": found.files_total,
        "files_changed": changed,
        "rules": found.rules,
        "findings": open_spots,
        "summary": f"{found.files_total} files copied as they are; the rules of the upgrade are for Airflow 3."
        if target_version.startswith("2.")
        else f"{changed} of {found.files_total} files changed, {open_spots} spots for a person to look at.",
    }


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
