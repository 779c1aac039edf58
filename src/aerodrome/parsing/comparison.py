"""Compares two readings of the same project, possibly under two Airflow versions.

Airflow's serialized form differs between versions (field names, encodings, defaults that are left out), so what is compared is
the shape that each interpreter read from the DAG itself: what a person would call its structure. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from aerodrome.parsing.contract import DagDifference, NextRun, ParsedDag, ParseResult
from aerodrome.parsing.subdags import folded

Severity = Literal["info", "warning", "blocker"]
_BLOCKERS = ("tasks", "edges", "schedule")
_INFO = ("tags", "owner", "operator", "template_fields", "doc_md", "description")
_TASK_ITSELF = re.compile(r"tasks\.[^.]+$")
_CONTINUOUS = "ContinuousTimetable"
_UNSCHEDULED = ("NullTimetable", "OnceTimetable", _CONTINUOUS, "AssetTriggeredTimetable")
_TASK = re.compile(r"tasks\.(.+)\.([a-z_]+)$")


def compare(before: ParseResult, after: ParseResult) -> tuple[DagDifference, ...]:
    """Give what differs between the DAGs, by dag_id and path; what only the serializer's format changed is left out.

    A DAG that is only in `before` is a blocker, one that is only in `after` is information.
    """
    before, groups = folded(before, after)
    old, new = _by_id(before), _by_id(after)
    found: list[DagDifference] = list(groups)
    for dag_id in sorted(old.keys() | new.keys()):
        if dag_id not in new:
            reason = _why_gone(old[dag_id].file, after)
            found.append(DagDifference(dag_id, "", old[dag_id].file, None, "blocker", reason))
        elif dag_id not in old:
            found.append(DagDifference(dag_id, "", None, new[dag_id].file, "info", "The DAG is new."))
        else:
            versions = (before.airflow_version, after.airflow_version)
            found.extend(_of_dag(old[dag_id], new[dag_id], versions))
    return tuple(sorted(found, key=lambda item: item.dag_id))


def _by_id(result: ParseResult) -> dict[str, ParsedDag]:
    return {dag.dag_id: dag for dag in result.dags}


def _why_gone(file: str, after: ParseResult) -> str:
    failures = [failure.message for failure in after.failures if failure.file == file]
    return f"The file cannot be read any more: {failures[0]}" if failures else "No file defines it any more."


def _of_dag(before: ParsedDag, after: ParsedDag, versions: tuple[str, str]) -> Iterator[DagDifference]:
    for path, old, new in _walk("", before.shape, after.shape):
        if ".template texts" in path:  # no task_id has a space
            continue
        severity, reason = _severity(path, old, new), _reason(path, versions)
        if path.endswith(".template_fields") and (lost := _lost_templates(path, before, after)):
            severity, reason = "blocker", f"A template in {', '.join(lost)} is not rendered any more."
        if path == "catchup" and _is_unscheduled(before) and _is_unscheduled(after):
            severity, reason = "info", "The DAG has no schedule, so there is nothing to catch up with."
        yield DagDifference(before.dag_id, path, old, new, severity, reason)
    yield from _of_runs(before, after, versions)


def _is_unscheduled(dag: ParsedDag) -> bool:
    return _timetable(dag) in _UNSCHEDULED


def _timetable(dag: ParsedDag) -> str:
    return str(dict(dag.shape.get("schedule") or {}).get("timetable"))


def _lost_templates(path: str, before: ParsedDag, after: ParsedDag) -> list[str]:
    """Give the fields that a task lost with the templates in them; none when as many templates are rendered, in other fields."""
    task_id = path.removeprefix("tasks.").rpartition(".")[0]
    old, new = ((dag.shape.get("tasks") or {}).get(task_id) or {} for dag in (before, after))
    held, rendered = ({text for texts in _held(task).values() for text in texts} for task in (old, new))
    gone = sorted(_held(old).keys() - set(new.get("template_fields") or ()))
    lost = [name for name in gone if not rendered.issuperset(_held(old)[name])]
    return (lost or gone) if len(rendered) < len(held) else []


def _held(task: Mapping[str, Any]) -> Mapping[str, list[int]]:
    found: Mapping[str, list[int]] = task.get("template texts") or {}
    return found


def _of_runs(before: ParsedDag, after: ParsedDag, versions: tuple[str, str]) -> Iterator[DagDifference]:
    """Give the first run that differs: the others follow from it. A run that follows upon the one before has the time of the reading."""
    if _timetable(before) == _timetable(after) == _CONTINUOUS:
        return
    severity, reason = _run_reason(before, after, versions)
    for index, (old, new) in enumerate(zip(before.next_runs, after.next_runs, strict=False)):
        if old != new:
            yield DagDifference(before.dag_id, f"next_runs[{index}]", _run(old), _run(new), severity, reason)
            return
    if bool(before.next_runs) != bool(after.next_runs):
        counts = len(before.next_runs), len(after.next_runs)
        yield DagDifference(before.dag_id, "next_runs", counts[0], counts[1], severity, reason)


def _walk(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted(before.keys() | after.keys()):
            name = f"{path}.{key}" if path else str(key)
            if path == "tasks" and (key not in before or key not in after):
                yield name, "there" if key in before else None, "there" if key in after else None
            elif (not path or _TASK_ITSELF.match(path)) and (key not in before or key not in after):
                continue  # one of the versions does not know the field
            else:
                yield from _walk(name, before.get(key), after.get(key))
    elif before != after:
        yield path, before, after


def _severity(path: str, before: Any, after: Any) -> Severity:
    if (match := _TASK.match(path)) is None:
        head = path.partition(".")[0]
        return "blocker" if head in _BLOCKERS else "info" if head in _INFO else "warning"
    if match[2] == "downstream":
        return "blocker"
    if match[2] == "trigger_rule" and {before, after} <= {
        "dummy",
        "always",
        "none_failed_or_skipped",
        "none_failed_min_one_success",
    }:
        return "info"
    return "info" if match[2] in _INFO else "warning"


_REASONS: tuple[tuple[str, tuple[int, int], str], ...] = (
    # pattern of the path, (highest major before, lowest major after), what changed between them
    (r"^catchup$", (2, 3), "Airflow 3 does not catch up unless it is asked to: catchup_by_default is False."),
    (r"^schedule", (2, 3), "Airflow 3 reads schedules anew: see create_cron_data_intervals and create_delta_data_intervals."),
    (r"\.operator$", (2, 3), "The operator moved to another package; it is the same one."),
    (r"\.trigger_rule$", (2, 3), "The trigger rules `dummy` and `none_failed_or_skipped` have other names in Airflow 3."),
    (r"\.template_fields$", (0, 0), "The package that brings the operator has another version."),
    (r"\.(retries|retry_delay|pool|queue)$", (0, 0), "The default comes from this version's configuration, or a policy changes it."),
    (r"^max_active_(tasks|runs)$", (0, 0), "The default comes from this version's configuration."),
    (r"^sla|sla_miss", (2, 3), "SLAs are gone in Airflow 3."),
    (r"^start_date$", (0, 0), "The file computes the date when it is read."),
)  # fmt: skip


def _reason(path: str, versions: tuple[str, str]) -> str:
    if path.startswith("tasks.") and path.count(".") == 1:
        return "The file makes other tasks under this version."
    majors = tuple(int(version.partition(".")[0] or 0) for version in versions)
    for pattern, (low, high), text in _REASONS:
        crosses = not high or (min(majors) <= low and max(majors) >= high)
        if crosses and versions[0] != versions[1] and re.search(pattern, path):
            return text
    return ""


def _run(run: NextRun) -> str:
    if run.interval_start is None:
        return f"runs at {run.run_after}"
    return f"runs at {run.run_after} for {run.interval_start} to {run.interval_end}"


def _run_reason(before: ParsedDag, after: ParsedDag, versions: tuple[str, str]) -> tuple[Severity, str]:
    if before.shape.get("start_date") != after.shape.get("start_date"):
        return "warning", "The file computes its start date when it is read, so every reading gives other runs."
    if versions[0] == versions[1]:
        return "blocker", ""
    return "blocker", (
        "Both Airflows compute other runs from the same schedule: look at create_cron_data_intervals, "
        "create_delta_data_intervals and the time zone."
    )
