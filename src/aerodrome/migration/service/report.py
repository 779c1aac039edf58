"""The report of a migration: what was found, moved, failed and proved; JSON for machines, one HTML page for people.

Composed from the journal and the assessment alone, so it can be made at any time and never needs the source or target.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from aerodrome.kernel.clock import to_text
from aerodrome.migration.service.boards import SplitBrain
from aerodrome.migration.service.report_style import STYLE
from aerodrome.migration.service.views import MigrationView, StepView, TrackView

OBJECTS = {"transfer.pools": "pool", "transfer.variables": "variable", "transfer.connections": "connection"}
FAILED_VARIABLES = ("env-gone", "env-doubled", "env-name-invalid")
PASSES = ("transfer.history", "cutover.sync")
SHOWN_REASONS = 200
"""How many rows that stayed behind a report names per kind; all of them are counted."""


def compose(
    view: MigrationView,
    assessment: Mapping[str, Any] | None,
    code: Mapping[str, Any] | None,
    both_active: Iterable[SplitBrain] = (),
) -> dict[str, Any]:
    """Give the report as plain JSON. Counts are rows or objects; hashes are hex texts, equal when both sides agree."""
    steps = [step for track in view.tracks for step in track.steps]
    return {
        "migration": view.name,
        "migration_id": view.id,
        "status": view.status,
        "source": view.source_label,
        "source_version": view.source_version,
        "target_version": view.target_version,
        "target_deployment": view.target_deployment_id,
        "estate_digest": view.estate_digest,
        "plan_digest": view.plan_digest,
        "findings": dict(view.findings),
        "kinds": _kinds(view, steps),
        "history": _history(steps),
        "code": _code(code),
        "validation": _validation(steps),
        "cutover": _cutover(view.tracks),
        "active_on_both_sides": [_window(window) for window in both_active],
        "phases": _phases(view.tracks),
        "steps": [_step(track, step) for track in view.tracks for step in track.steps],
        "error": dict(view.error) if view.error else None,
        "created_at": to_text(view.created_at),
        "updated_at": to_text(view.updated_at),
        "risks": (assessment or {}).get("totals", {}),
    }


def _kinds(view: MigrationView, steps: Iterable[StepView]) -> dict[str, Any]:
    """Per kind of object: found in the source, moved (or found the same) in the target, failed with reasons."""
    kinds: dict[str, Any] = {}
    for step in steps:
        result = step.result or {}
        if step.kind in OBJECTS and result:
            kinds[OBJECTS[step.kind]] = {
                "found": result["found"],
                "moved": result["moved"] + result["same"],
                "failed": len(result["failed"]),
                "reasons": result["failed"],
                "source_hash": result["source_hash"],
                "target_hash": result["target_hash"],
            }
        elif step.kind == "environment.variables" and result:
            failed = [entry for entry in result["left_out"] if entry["code"] in FAILED_VARIABLES]
            kinds["env_var"] = {
                "found": result["found"],
                "moved": result["moved"],
                "left_out": len(result["left_out"]) - len(failed),  # on purpose: the machine's own, the platform's own
                "failed": len(failed),
                "reasons": result["left_out"],
            }
        elif step.kind == "validate.dags" and result:
            kinds["dag"] = {
                "found": view.found.get("dag", 0),
                "moved": result["ok"],
                "failed": len(result["failed_dags"]),
                "reasons": [row for row in result["rows"] if not row["is_ok"]],
            }
    return kinds


def _history(steps: Iterable[StepView]) -> dict[str, Any]:
    """Sum the history passes: the first transfer whole, and of each DAG's last sync (after its drain) what was new.

    A sync reads its DAG's whole history again to prove it, so rows that stood there already, and rows refused before,
    do not count twice. `rows_per_s` counts every row that was read.
    """
    total: dict[str, Any] = {}
    refused: dict[str, set[str]] = {}
    rows, seconds = 0, 0.0
    for step, history in _passes(steps):
        seconds += history["seconds"]
        for item in history["kinds"]:
            rows += item["found"]
            kind = total.setdefault(item["kind"], _nothing_yet())
            keys = {entry["key"] for entry in item["failed"]}
            known = refused.setdefault(item["kind"], set())
            failed = item["failed_count"] - len(keys & known)
            known |= keys
            arrived = item["moved"] + (0 if step.kind == "cutover.sync" else item["same"])
            kind["found"] += arrived + failed
            kind["moved"] += arrived
            kind["failed"] += failed
            if failed:
                for code, count in item["failed_by_code"].items():
                    kind["failed_by_code"][code] = kind["failed_by_code"].get(code, 0) + count
            _tell_reasons(kind, item)
            kind["source_hashes"].append(item["source_hash"])
            kind["target_hashes"].append(item["target_hash"])
    for kind in total.values():
        kind["hashes_equal"] = kind["source_hashes"] == kind["target_hashes"]
    per_s = round(rows / seconds) if seconds else 0
    return {"kinds": total, "rows": rows, "seconds": round(seconds, 3), "rows_per_s": per_s}


def _passes(steps: Iterable[StepView]) -> Iterator[tuple[StepView, Mapping[str, Any]]]:
    """Give each pass over history with the step that tells of it; a sync tells of what moved ahead of the pause, too."""
    for step in steps:
        result = step.result or {} if step.kind in PASSES else {}
        yield from ((step, history) for history in (*result.get("ahead", ()), result.get("history")) if history)


def _tell_reasons(kind: dict[str, Any], item: Mapping[str, Any]) -> None:
    """Add the rows that stayed behind, and the parts of moved rows that did (notices), each once with its reason."""
    shown = {(entry["key"], entry["code"]) for entry in kind["reasons"]}
    notices = item.get("notices", ())
    known = sum((entry["key"], entry["code"]) in shown for entry in notices)
    if sum(item.get("noticed_by_code", {}).values()) > known:  # else a sync read again what a pass before told
        for code, count in item["noticed_by_code"].items():
            kind["noticed_by_code"][code] = kind["noticed_by_code"].get(code, 0) + count
    for entry in (*item["failed"], *notices):
        if (entry["key"], entry["code"]) not in shown and len(kind["reasons"]) < SHOWN_REASONS:
            kind["reasons"].append({"message": "", **entry})


def _left_behind(kind: str, row: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for code, count in (*row["failed_by_code"].items(), *row["noticed_by_code"].items()):
        first = next((entry for entry in row["reasons"] if entry["code"] == code), {"key": "", "message": ""})
        yield kind, code, count, first["key"], first["message"]


def _nothing_yet() -> dict[str, Any]:
    return {
        "found": 0, "moved": 0, "failed": 0, "failed_by_code": {}, "noticed_by_code": {}, "reasons": [],
        "source_hashes": [], "target_hashes": [],
    }  # fmt: skip


def _code(code: Mapping[str, Any] | None) -> dict[str, Any]:
    files = (code or {}).get("files", [])
    return {
        "files_changed": sum(1 for file in files if file["diff"]),
        "findings": sum(len(file["findings"]) for file in files),
    }


def _validation(steps: Iterable[StepView]) -> list[Any]:
    return [row for step in steps if step.phase == "validate" and step.result for row in step.result["rows"]]


def _cutover(tracks: Iterable[TrackView]) -> list[dict[str, Any]]:
    """One entry per DAG handed over: its last interval in the source and its first in the target, really awaited."""
    entries: list[dict[str, Any]] = []
    for track in tracks:
        if not track.name.startswith("cutover:"):
            continue
        entries += [
            {"wave": track.name.removeprefix("cutover:"), **step.result}
            for step in track.steps
            if step.kind == "cutover.watch" and step.result
        ]
    return entries


def _window(window: SplitBrain) -> dict[str, Any]:
    """Write one time in which both sides were active.

    It may have begun at any moment after `seen_whole_at`: at the last look
    before it was noticed all was well.
    """
    return {
        "dag_id": window.dag_id,
        "wave": window.wave,
        "seen_whole_at": to_text(window.seen_whole_at),
        "noticed_at": to_text(window.noticed_at),
        "ended_at": to_text(window.ended_at),
        "action": window.action,
        "source_runs": list(window.source_runs),
        "doubled": list(window.doubled),
    }


def _phases(tracks: Iterable[TrackView]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for track in tracks:
        for step in track.steps:
            if step.started_at and step.finished_at:
                took = (step.finished_at - step.started_at).total_seconds()
                seconds[step.phase] = round(seconds.get(step.phase, 0.0) + took, 3)
    return seconds


def _step(track: TrackView, step: StepView) -> dict[str, Any]:
    return {
        "track": track.name,
        "key": step.key,
        "title": step.title,
        "status": step.status,
        "attempts": step.attempts,
        "started_at": to_text(step.started_at),
        "finished_at": to_text(step.finished_at),
        "error": dict(step.error) if step.error else None,
    }


def to_html(report: Mapping[str, Any]) -> str:
    """Draw the report as one self-contained page without scripts."""
    title = f"Migration {report['migration']}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _about(report),
        _table(
            "What moved",
            ("Kind", "Found", "Moved", "Failed", "Hashes"),
            [
                (
                    kind,
                    row["found"],
                    row["moved"],
                    row["failed"],
                    _equal(row.get("source_hash"), row.get("target_hash")),
                )
                for kind, row in report["kinds"].items()
            ],
        ),
        _table(
            f"Run history ({report['history']['rows_per_s']:,} rows/s)",
            ("Kind", "Found", "Moved", "Failed", "Hashes"),
            [
                (kind, row["found"], row["moved"], row["failed"], "equal" if row["hashes_equal"] else "DIFFERENT")
                for kind, row in report["history"]["kinds"].items()
            ],
        ),
        _table(
            "History that stayed behind, in whole or in part",
            ("Kind", "Reason", "Rows", "For example", "Why"),
            [line for kind, row in report["history"]["kinds"].items() for line in _left_behind(kind, row)],
        ),
        _table(
            "Cutover",
            ("DAG", "Wave", "Last interval in the source", "First interval in the target", "State"),
            [
                (
                    row["dag_id"],
                    row["wave"],
                    _interval(row.get("last_source_interval")),
                    _interval(row.get("first_target_interval")),
                    row.get("first_target_state") or "nothing to wait for",
                )
                for row in report["cutover"]
            ],
        ),
        _table(
            "Active on both sides",
            ("DAG", "Wave", "Began after", "Noticed", "Ended", "Then", "The source ran", "Ran twice"),
            [
                (
                    row["dag_id"],
                    row["wave"],
                    str(row["seen_whole_at"])[:19],
                    str(row["noticed_at"])[:19],
                    str(row["ended_at"])[:19] if row["ended_at"] else "still active",
                    row["action"],
                    len(row["source_runs"]),
                    len(row["doubled"]),
                )
                for row in report["active_on_both_sides"]
            ],
        ),
        _table(
            "Checks in the target",
            ("Check", "Subject", "Result", "Message"),
            [
                (row["check"], row["subject"], "ok" if row["is_ok"] else "failed", row["message"])
                for row in report["validation"]
            ],
        ),
        _table("Seconds by phase", ("Phase", "Seconds"), [(phase, took) for phase, took in report["phases"].items()]),
        _table(
            "Steps",
            ("Track", "Step", "Status", "Attempts"),
            [(row["track"], row["title"], row["status"], row["attempts"]) for row in report["steps"]],
        ),
        f"<p class=dim>Estate <code>{_text(report['estate_digest'])}</code></p>",
        f"<p class=dim>Plan <code>{_text(report['plan_digest'])}</code></p>",
    ]
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{escape(title)}</title>"
    return (
        f"<!doctype html><html lang=en><head>{head}<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _about(report: Mapping[str, Any]) -> str:
    versions = f"Airflow {_text(report['source_version'])} → Airflow {_text(report['target_version'])}"
    status, source = escape(report["status"]), escape(report["source"])
    return f"<p class=dim>{versions}. Status: {status}. Source: <code>{source}</code></p>"


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    if not rows:
        return f"<h2>{escape(title)}</h2><p class=dim>Nothing yet.</p>"
    head = "".join(
        f"<th{' class=number' if isinstance(value, int | float) else ''}>{escape(column)}</th>"
        for column, value in zip(columns, rows[0], strict=True)
    )
    body = "".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in rows)
    return (
        f"<h2>{escape(title)}</h2><div class=scroll><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(value: Any) -> str:
    if isinstance(value, int | float):
        return f"<td class=number>{value:,}</td>"
    return f"<td>{escape(str(value))}</td>"


def _text(value: Any) -> str:
    return escape(str(value)) if value is not None else "–"


def _equal(source: str | None, target: str | None) -> str:
    if source is None:
        return "–"
    return "equal" if source == target else "DIFFERENT"


def _interval(interval: Any) -> str:
    if not interval:
        return "–"
    return " → ".join(str(moment)[:19] for moment in interval)
