"""Tries a change of the Airflow version on a copy: database, DAGs, configuration, packages, one scheduled run.

Used by the runtime. Reads the deployment's database (a consistent copy, also while Airflow runs) and writes into a folder and
scratch databases of its own, which are gone at the end.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aerodrome import databases, parsing
from aerodrome.airflowkit.config_lint import lint_config
from aerodrome.databases import AirflowTool
from aerodrome.kernel.errors import AerodromeError, Broken, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.parsing.contract import DagDifference, ParseLimits, ParseResult, ParseSetting
from aerodrome.runtimes.contract import Progress, Rehearsal, RuntimeSpec
from aerodrome.runtimes.local.changes import Database, go_back

_EXAMPLES = 200
_NEXT_RUNS = 10  # fire times that are compared for each DAG


@dataclass(frozen=True)
class Stage:
    """One of the two Airflows of a rehearsal."""

    spec: RuntimeSpec
    tool: AirflowTool
    parsing_home: Path

    @property
    def project(self) -> Path:
        """Give the project; an empty one before the first deploy."""
        if self.spec.project is not None:
            return self.spec.project
        empty = self.parsing_home.with_name("empty-project")
        (empty / "dags").mkdir(parents=True, exist_ok=True)
        return empty


def rehearse(
    database: Database, before: Stage, after: Stage, snapshot: Path | None, folder: Path, say: Progress
) -> Rehearsal:
    """Do all of it, one after the other; gives what was found."""
    began = time.monotonic()
    problems: list[str] = []
    say("Reading every DAG under both versions.")
    dags = _dags(before, after, problems, say)
    say("Comparing the packages of both environments.")
    packages = compare_packages(packages_of(before.tool.venv), packages_of(after.tool.venv))
    say("Holding the Airflow options against the other version.")
    config = _config(before, after, problems)
    figures, loss, scheduling = _on_a_copy(database, before, after, snapshot, folder, problems, say)
    return Rehearsal(
        from_version=before.spec.airflow_version,
        to_version=after.spec.airflow_version,
        database=figures,
        loss=loss,
        dags=dags,
        config=config,
        packages=packages,
        scheduling=scheduling,
        problems=tuple(problems),
        seconds=round(time.monotonic() - began, 1),
    )


def _on_a_copy(
    database: Database,
    before: Stage,
    after: Stage,
    snapshot: Path | None,
    folder: Path,
    problems: list[str],
    say: Progress,
) -> tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any]]:
    """Change a copy of the database and start the other Airflow on it."""
    say("Copying the metadata database.")
    taken = databases.snapshot(database.url, folder / "snapshot", before.tool.version, say)
    figures = {"size_bytes": taken.size_bytes, "rows_before": dict(taken.row_counts), "rows_after": {}, "seconds": None}
    loss: dict[str, Any] | None = None
    with databases.scratch(database.url) as copy:
        databases.restore(folder / "snapshot", copy, say)
        changed_at = time.monotonic()
        try:
            if snapshot is None:
                databases.upgrade(copy, before.tool, after.tool, say)
            else:
                loss = go_back(snapshot, copy, after.tool, before.tool.version, say)
        except Broken as error:
            problems.append(f"The metadata database cannot be changed. {error.message}")
            return figures, loss, {}
        figures["seconds"] = round(time.monotonic() - changed_at, 1)
        figures["rows_after"] = dict(databases.row_counts(copy))
        return figures, loss, _try(copy, after, problems, say)


def _config(before: Stage, after: Stage, problems: list[str]) -> tuple[dict[str, Any], ...]:
    spec = after.spec
    try:
        found = lint_config(spec.config, spec.env, before.tool.version, after.tool.version, after.tool.venv)
    except Unavailable as error:
        problems.append(error.message)
        return ()
    problems += [f"{item.option}: {item.message} {item.hint}" for item in found if item.severity == "blocker"]
    return tuple(asdict(item) for item in found)


def _try(copy: Secret, after: Stage, problems: list[str], say: Progress) -> dict[str, Any]:
    say(f"Starting Airflow {after.tool.version} on the copy.")
    tried = databases.try_scheduling(copy, after.tool, after.project, say)
    if not tried.is_ok:
        problems += tried.reasons or (f"Airflow {after.tool.version} did not schedule on the copy.",)
    return tried.as_data()


def _dags(before: Stage, after: Stage, problems: list[str], say: Progress) -> dict[str, Any]:
    readings = []
    limits = ParseLimits(next_runs=_NEXT_RUNS, next_runs_from=datetime.now(UTC))
    for stage in (before, after):
        setting = ParseSetting(stage.tool.venv, stage.tool.version, stage.tool.environment, stage.parsing_home)
        try:
            readings.append(parsing.parse(stage.project, setting, progress=say, limits=limits))
        except AerodromeError as error:
            problems.append(f"The DAGs cannot be read under Airflow {stage.tool.version}. {error.message}")
            return {"equal": 0, "different": [], "broken": [], "gone": []}
    return judge_dags(readings[0], readings[1], problems)


def judge_dags(before: ParseResult, after: ParseResult, problems: list[str]) -> dict[str, Any]:
    """Sort the DAGs into equal, different, broken and gone; what blocks the change is added to the problems."""
    known = {(failure.file, failure.kind) for failure in before.failures}
    broken = [asdict(failure) for failure in after.failures if (failure.file, failure.kind) not in known]
    differences = parsing.compare(before, after)
    there = {dag.dag_id for dag in after.dags}
    gone = sorted({dag.dag_id for dag in before.dags} - there)
    different = [_difference(found) for found in differences if found.dag_id in there]
    if broken:
        names = sorted({failure["file"] for failure in broken})
        problems.append(f"{len(names)} DAG {_files(names)} cannot be read under the other version: {_some(names)}.")
    if gone:
        problems.append(f"{len(gone)} DAGs are missing under the other version: {_some(gone)}.")
    blocked = sorted({found.dag_id for found in differences if found.severity == "blocker" and found.dag_id in there})
    if blocked:
        problems.append(f"{len(blocked)} DAGs would behave differently: {_some(blocked)}.")
    touched = {found["dag_id"] for found in different}
    return {
        "equal": len(there - touched),
        "different": different[:_EXAMPLES],
        "different_count": len(touched),
        "broken": broken[:_EXAMPLES],
        "gone": gone[:_EXAMPLES],
    }


def packages_of(venv: Path) -> dict[str, str]:
    """Give the distributions installed in a virtualenv, name -> version."""
    found = {}
    for path in venv.glob("lib/python3*/site-packages/*.dist-info"):
        name, _, version = path.name.removesuffix(".dist-info").rpartition("-")
        found[name.lower().replace("_", "-")] = version
    return found


def compare_packages(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any]:
    """Give what a change of the virtualenv changes."""
    both = before.keys() & after.keys()
    return {
        "changed": [
            {"name": name, "before": before[name], "after": after[name]}
            for name in sorted(both)
            if before[name] != after[name]
        ],
        "added": [{"name": name, "after": after[name]} for name in sorted(after.keys() - both)],
        "removed": [{"name": name, "before": before[name]} for name in sorted(before.keys() - both)],
        "counts": dict(Counter(same=sum(before[name] == after[name] for name in both))),
    }


def _difference(found: DagDifference) -> dict[str, Any]:
    return {**asdict(found), "before": _short(found.before), "after": _short(found.after)}


def _short(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _files(names: list[str]) -> str:
    return "file" if len(names) == 1 else "files"


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
