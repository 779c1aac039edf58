"""The code step: gathers the source's folders into one project and upgrades it to the target version.

A file whose upgrade a person rejected (`code.rejected` of the plan) is what the source has, in the deployed project as well.
Changes can be looked at before (`review`).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from aerodrome.airflowkit.versions import DEFAULT_PYTHON
from aerodrome.kernel.trees import LeftOut, copy_tree
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.service.folder import MigrationFolder, read_json, write_json
from aerodrome.migration.sources.contract import CodeFolders

_SKIPPED = {"__pycache__", ".git", ".venv"}


def upgrade_into(
    folder: MigrationFolder,
    source: CodeFolders,
    target_version: str,
    *,
    catchup_by_default: bool,
    default_timezone: str = "",
    source_version: str = "",
    rejected: Collection[str] = (),
    python: str = DEFAULT_PYTHON,
    requirements_as_of: date | None = None,
) -> Mapping[str, Any]:
    """Write the upgraded project to `folder.code` and its diffs to `folder.code_json`; the source's files stay as they are.

    With `requirements_as_of` the package index is asked which versions go with the target, among those published up to that day.
    """
    left = gather(source, folder.gathered)
    shutil.rmtree(folder.code, ignore_errors=True)
    options = _Options(catchup_by_default, default_timezone, source_version, python, requirements_as_of)
    data = _upgraded(folder.gathered, folder.code, target_version, options, left)
    kept = _take_back(folder, {file["path"] for file in data["files"] if file["diff"]} & set(rejected))
    write_json(folder.code_json, data)
    raising = raising_of(data["files"], rejected)
    write_json(folder.raising_json, raising)
    changed, open_spots = data["files_changed"], sum(len(file["findings"]) for file in data["files"])
    return {
        "files_total": data["files_total"],
        "files_changed": changed - kept,
        "files_rejected": kept,
        "rules": data["rules"],
        "findings": open_spots,
        "files_raising": len(raising),
        "summary": f"{changed - kept} of {data['files_total']} files changed, {open_spots} spots for a person to look at"
        + (f"; {kept} rejected and as the source has them" if kept else "")
        + (f"; in {len(raising)} files tasks raise because their class is gone." if raising else "."),
    }


def raising_of(files: Iterable[Mapping[str, Any]], rejected: Collection[str]) -> dict[str, list[str]]:
    """Give the files in which something stands in for a class that is gone, and what is said of each; a rejected file is the source's."""
    from aerodrome.migration.codemod import GONE  # as in `_upgraded`

    found = {
        file["path"]: [finding["message"] for finding in file["findings"] if finding["rule"] == GONE]
        for file in files
        if file["path"] not in rejected
    }
    return {path: messages for path, messages in found.items() if messages}


def review(
    folder: MigrationFolder,
    source: CodeFolders,
    target_version: str,
    *,
    catchup_by_default: bool,
    default_timezone: str = "",
    source_version: str = "",
    python: str = DEFAULT_PYTHON,
    requirements_as_of: date | None = None,
) -> None:
    """Write to `folder.review_json` what the code step would change; nothing of the project is kept."""
    with tempfile.TemporaryDirectory(prefix="aerodrome-review-", dir=folder.root) as scratch:
        left = gather(source, Path(scratch) / "gathered")
        options = _Options(catchup_by_default, default_timezone, source_version, python, requirements_as_of)
        data = _upgraded(Path(scratch) / "gathered", Path(scratch) / "code", target_version, options, left)
    write_json(folder.review_json, {"status": "done", **data})


def newest(folder: MigrationFolder) -> dict[str, Any] | None:
    """Give the code step's changes, or those of a review that is newer; None before either."""
    done, seen = read_json(folder.code_json), read_json(folder.review_json)
    if seen is None or seen["status"] != "done":
        return done  # type: ignore[no-any-return]
    is_newer = done is None or folder.review_json.stat().st_mtime_ns > folder.code_json.stat().st_mtime_ns
    return {name: value for name, value in seen.items() if name != "status"} if is_newer else done


class _Options(NamedTuple):
    catchup_by_default: bool
    default_timezone: str
    source_version: str
    python: str
    requirements_as_of: date | None


def _upgraded(
    gathered: Path, out: Path, target_version: str, options: _Options, left: Collection[LeftOut]
) -> dict[str, Any]:
    from aerodrome.migration.codemod import Options, upgrade  # rules and tables that a server at rest does not need

    return upgrade(gathered, out, target_version, Options(**options._asdict()), left).as_data()


def resolution_day(text: object) -> date | None:
    """Give the plan's `code.requirements_as_of`; None when it has none, and nothing is asked of the package index."""
    return date.fromisoformat(str(text)) if text else None


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


def default_timezone(estate: Estate) -> str:
    """Give the zone in which the source reads dates that name none; "" when its configuration does not say."""
    for option in estate.records("config"):
        if option.option == "core.default_timezone" and option.value is not None:
            return str(option.value).strip()
    return ""


def gather(source: CodeFolders, into: Path) -> list[LeftOut]:
    """Copy dags/, plugins/, include/ and requirements.txt into one project folder, anew each time; give what cannot be copied."""
    left: list[LeftOut] = []
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    parts = {"dags": source.dags_folder, "plugins": source.plugins_folder, "include": source.include_folder}
    for name, place in parts.items():
        if place is not None:
            found = copy_tree(place, into / name, lambda file: file in _SKIPPED or file.endswith(".pyc"))
            left += [LeftOut(f"{name}/{item.path}", item.reason) for item in found]
    if source.requirements_file is not None:
        shutil.copy2(source.requirements_file, into / "requirements.txt")
    return left
