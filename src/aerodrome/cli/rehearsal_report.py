"""Writes the report of a rehearsal for eyes: what a change of version did to a copy."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from aerodrome.cli.output import cell, write_table
from aerodrome.client.models import Rehearsal
from aerodrome.kernel.amounts import size

_SHOWN = 20


def write_report(item: Rehearsal) -> None:
    """Write the whole report, the problems last."""
    report = item.report or {}
    _line("Change", f"Airflow {item.from_version} -> {item.to_version}, Python {item.python_version}")
    _database(report.get("database", {}))
    _dags(report.get("dags", {}))
    _packages(report.get("packages", {}))
    _scheduling(report.get("scheduling", {}), item.to_version)
    _config(report.get("config", ()))
    if report.get("loss") is not None:
        _loss(report["loss"])
    problems = report.get("problems", ())
    sys.stdout.write("\n")
    if not problems:
        sys.stdout.write("The change may be made.\n")
    for problem in problems:
        sys.stdout.write(f"PROBLEM  {cell(problem)}\n")


def _database(found: Mapping[str, Any]) -> None:
    if found.get("seconds") is None:
        return
    rows = sum(found.get("rows_before", {}).values())
    _line("Database", f"{found['seconds']} s for {rows:,} rows ({size(found.get('size_bytes', 0))} at rest)")


def _dags(found: Mapping[str, Any]) -> None:
    parts = [f"{found.get('equal', 0)} equal"]
    for name in ("different", "broken", "gone"):
        count = found.get("different_count", 0) if name == "different" else len(found.get(name, ()))
        parts += [f"{count} {name}"] if count else []
    _line("DAGs", ", ".join(parts))
    rows = [[row["dag_id"], row["path"], row["severity"], row["reason"]] for row in found.get("different", ())]
    _table(("DAG", "What", "Severity", "Why"), rows)
    rows = [[row["file"], row["kind"], row["message"]] for row in found.get("broken", ())]
    _table(("File", "Kind", "Message"), rows)


def _packages(found: Mapping[str, Any]) -> None:
    if not found:
        return
    names = [f"{len(found.get(kind, ()))} {kind}" for kind in ("changed", "added", "removed")]
    _line("Packages", ", ".join(names))


def _scheduling(found: Mapping[str, Any], version: str) -> None:
    if found:
        _line("Scheduling", f"Airflow {version} started on the copy; its probe run ended {found.get('probe_state')}")


def _config(found: Sequence[Mapping[str, Any]]) -> None:
    if found:
        _line("Configuration", f"{len(found)} options to look at")
        _table(("Option", "What"), [[cell(row.get("option")), cell(row.get("message"))] for row in found])


def _loss(found: Mapping[str, Any]) -> None:
    carried = sum(row["inserted"] + row["updated"] + row["deleted"] for row in found.get("carried", ()))
    _line("Carried back", f"{carried:,} rows made or changed since the snapshot of {found.get('taken_at', '')}")
    rows = [[row["kind"], str(row["inserted"]), str(row["updated"]), row["remark"]] for row in found.get("carried", ())]
    _table(("Kind", "New", "Changed", "Converted"), rows)
    archived = found.get("archived", ())
    if archived:
        _line("Only archived", f"{sum(row['count'] for row in archived):,} rows that the older Airflow cannot hold")
        _table(("Kind", "Rows", "Why"), [[row["kind"], str(row["count"]), row["reason"]] for row in archived])
    else:
        _line("Only archived", "nothing: all of it is carried")


def _line(title: str, text: str) -> None:
    sys.stdout.write(f"{title:<14}{text}\n")


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if rows:
        write_table(titles, [[cell(text) for text in row] for row in rows[:_SHOWN]])
        if len(rows) > _SHOWN:
            sys.stdout.write(f"… and {len(rows) - _SHOWN} more\n")
