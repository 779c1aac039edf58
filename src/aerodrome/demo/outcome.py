"""What the demo says at the end: demo-report.json, the table, and whether it all went well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from aerodrome.kernel.digest import digest_of
from aerodrome.kernel.errors import Broken

CUTOVER_FIELDS = ("dag_id", "last_source_interval", "first_target_interval", "first_target_state")


def compose(report: Mapping[str, Any], phases: Mapping[str, float]) -> dict[str, Any]:
    """Give demo-report.json: the migration's report, flattened to what the demo promises, and seconds per chapter."""
    history = report["history"]
    return {
        "source_version": report["source_version"],
        "target_version": report["target_version"],
        "kinds": {kind: _counts(row) for kind, row in report["kinds"].items()},
        "history": {kind: _history(row) for kind, row in history["kinds"].items()},
        "cutover": [{field: entry.get(field) for field in CUTOVER_FIELDS} for entry in report["cutover"]],
        "findings": report["findings"],
        "code": report["code"],
        "validation": {
            "checks": len(report["validation"]),
            "failed": sum(not row["is_ok"] for row in report["validation"]),
        },
        "history_rows_per_s": history["rows_per_s"],
        "phases": dict(phases),
        "migration": report,
    }


def _counts(row: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("found", "moved", "failed", "reasons", "source_hash", "target_hash")
    return {key: row[key] for key in keys if key in row}


def _history(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "found": row["found"],
        "moved": row["moved"],
        "failed": row["failed"],
        "failed_by_code": row["failed_by_code"],
        "source_hash": _one(row["source_hashes"]),
        "target_hash": _one(row["target_hashes"]),
    }


def _one(hashes: Sequence[str]) -> str:
    """Give one hash for one or several passes."""
    return hashes[0] if len(hashes) == 1 else digest_of(list(hashes))


def check(outcome: Mapping[str, Any], first_wave: Sequence[str]) -> None:
    """Raise Broken with everything that did not come out as the demo promises."""
    wrong = [f"{kind}: {row['failed']} failed" for kind, row in outcome["kinds"].items() if row["failed"]]
    for kind, row in outcome["history"].items():
        if row["failed"]:
            wrong.append(f"history of {kind}: {row['failed']} rows refused ({', '.join(row['failed_by_code'])})")
        if row["source_hash"] != row["target_hash"]:
            wrong.append(f"history of {kind}: the two sides differ")
    states = {entry["dag_id"]: entry["first_target_state"] for entry in outcome["cutover"]}
    wrong += [f"{dag_id} ended {states.get(dag_id)}" for dag_id in first_wave if states.get(dag_id) != "success"]
    if wrong:
        raise Broken(
            f"The demo did not come out right: {'; '.join(wrong)}.",
            code="demo-not-right",
            hint="demo-report.json has the details.",
        )


def tables(outcome: Mapping[str, Any]) -> list[Table]:
    """Draw what moved and what was handed over."""
    moved = Table(box=SIMPLE_HEAD, title="What moved", title_justify="left")
    moved.add_column("Kind")
    for column in ("Found", "Moved", "Failed"):
        moved.add_column(column, justify="right")
    moved.add_column("Both sides")
    rows = [*outcome["kinds"].items(), *((f"history: {kind}", row) for kind, row in outcome["history"].items())]
    for kind, row in rows:
        moved.add_row(kind, *(f"{row[key]:,}" for key in ("found", "moved", "failed")), _equal(row))
    handed = Table(box=SIMPLE_HEAD, title="Handed over", title_justify="left")
    for column in ("DAG", "Last interval in the source", "First interval in the target", "State"):
        handed.add_column(column)
    for entry in outcome["cutover"]:
        handed.add_row(
            entry["dag_id"],
            _interval(entry["last_source_interval"]),
            _interval(entry["first_target_interval"]),
            str(entry["first_target_state"]),
        )
    return [moved, handed]


def _equal(row: Mapping[str, Any]) -> str:
    if not row.get("source_hash"):
        return ""
    return "equal" if row["source_hash"] == row["target_hash"] else "DIFFERENT"


def _interval(interval: Any) -> str:
    if not interval:
        return "–"
    return " – ".join(str(moment)[11:19] for moment in interval)
