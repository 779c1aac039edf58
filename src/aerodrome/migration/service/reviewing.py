"""The review of the code upgrade: asked for by a person, made by the worker, decided file by file. The decisions stand in the plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from aerodrome.kernel.errors import AerodromeError, Invalid
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.service import code
from aerodrome.migration.service.folder import MigrationFolder, read_json, write_json
from aerodrome.migration.sources.contract import AnySourceConfig
from aerodrome.migration.sources.registry import code_of

JOB = "migration.code-review"


def asked(folder: MigrationFolder) -> None:
    write_json(folder.review_json, {"status": "asked"})


def state(folder: MigrationFolder) -> Mapping[str, Any]:
    """Give `status`: none, asked, done or failed; with `error` (code, message, hint) when it failed."""
    found = read_json(folder.review_json) or {"status": "none"}
    return {"status": found["status"], "error": found.get("error")}


def make(folder: MigrationFolder, config: AnySourceConfig, settings: Mapping[str, Any], estate: Estate) -> None:
    """Make the review that was asked for, by the plan's settings; done already: nothing happens."""
    if state(folder)["status"] == "asked":
        target = settings["target"]
        code.review(
            folder,
            code_of(config),
            target["airflow"],
            catchup_by_default=code.catches_up(estate),
            default_timezone=code.default_timezone(estate),
            source_version=estate.header.source_version,
            python=target["python"],
            requirements_as_of=code.resolution_day(settings.get("code", {}).get("requirements_as_of")),
        )


def failed(folder: MigrationFolder, error: AerodromeError) -> None:
    """Keep an error for the one who asked."""
    write_json(folder.review_json, {"status": "failed", "error": error.as_data()})


def checked(changes: Mapping[str, Any], rejected: Collection[str]) -> list[str]:
    """Give the paths in order; Invalid for one that the upgrade does not change."""
    known = {file["path"] for file in changes["files"] if file["diff"]}
    if unknown := sorted(set(rejected) - known):
        raise Invalid(
            f"rejected: the upgrade does not change {unknown[0]}.",
            code="code-file-unknown",
            hint="Name paths as `aerodrome migrate code NAME` shows them.",
            details={"field": "rejected"},
        )
    return sorted(set(rejected))
