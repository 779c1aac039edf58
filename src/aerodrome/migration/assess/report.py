"""Draws an assessment: JSON for machines, one self-contained HTML page for people. Neither holds a secret."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from aerodrome.migration.assess.checks import ALL
from aerodrome.migration.assess.contract import SEVERITIES, Assessment, Finding
from aerodrome.migration.assess.page import PAGE
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.estate.records import DagRecord


def to_json(assessment: Assessment, estate: Estate) -> dict[str, Any]:
    """Give the report as plain JSON data: what was found where, and what follows."""
    header = estate.header
    return {
        "source": {
            "kind": header.source_kind,
            "name": header.source_name,
            "airflow_version": header.source_version,
            "database": header.database,
            "schema_revision": header.schema_revision,
            "taken_at": header.taken_at,
        },
        "estate_digest": estate.digest,
        "found": dict(estate.counts),
        **assessment.as_data(),
    }


def to_html(assessment: Assessment, estate: Estate) -> str:
    """Draw the page: no outside files, light and dark by the reader's setting, tables that can be filtered."""
    totals, counts = assessment.totals, assessment.counts
    cards = [
        ("DAGs", totals["dags"]),
        ("tasks", totals["tasks"]),
        ("runs", totals["runs"]),
        ("connections", totals["connections"]),
        ("blockers", counts["blocker"]),
        ("warnings", counts["warning"]),
        ("hours of work", totals["effort_h"]),
    ]
    header = estate.header
    title = f"Airflow {header.source_version} to {assessment.target_version}"
    name = escape(header.source_name or header.source_kind)
    about = f"Assessment of {name} ({escape(header.database)}), taken {escape(header.taken_at)}"
    drawn = "".join(f"<div><b>{_number(value)}</b><span>{escape(label)}</span></div>" for label, value in cards)
    body = [
        f"<header><h1>{escape(title)}</h1><p class=dim>{about}<br>estate <code>{estate.digest[:16]}</code></p></header>",
        f"<section class=cards>{drawn}</section>",
        _section(
            "Findings",
            "findings",
            ("severity", "code", "where", "what", "next step"),
            _finding_rows(assessment.findings),
        ),
        _section(
            "DAGs",
            "dags",
            ("DAG", "schedule", "tasks", "runs (30 d)", "risk", "hours", "why"),
            _dag_rows(assessment, estate),
        ),
        _section(
            "Found",
            "found",
            ("kind", "count"),
            ([_cell(kind), _cell(count, "n")] for kind, count in estate.counts.items()),
        ),
        _section("What was asked", "checks", ("code", "severity", "question", "findings"), _check_rows(assessment)),
    ]
    return PAGE.replace("{{title}}", escape(title)).replace("{{body}}", "\n".join(body))


def _finding_rows(findings: Sequence[Finding]) -> Iterable[list[str]]:
    for item in findings:
        place = f"{item.file}:{item.line}" if item.file and item.line else item.file or ""
        subject = item.subject if item.file is None or item.subject != f"file:{item.file}" else ""
        where = escape(subject) + (f"<br><code>{escape(place)}</code>" if place else "")
        yield [
            f"<td><span class='tag {item.severity}'>{item.severity}</span></td>",
            f"<td><code>{escape(item.code)}</code></td>",
            f"<td>{where}</td>",
            _cell(item.message),
            _cell(item.hint),
        ]


def _dag_rows(assessment: Assessment, estate: Estate) -> Iterable[list[str]]:
    order = {"high": 0, "medium": 1, "low": 2}
    dags = sorted(estate.all(DagRecord), key=lambda d: (order[assessment.dag_risks[d.dag_id].risk], d.dag_id))
    for dag in dags:
        risk = assessment.dag_risks[dag.dag_id]
        paused = " <span class=dim>paused</span>" if dag.is_paused else ""
        yield [
            f"<td>{escape(dag.dag_id)}{paused}</td>",
            _cell(dag.schedule or dag.schedule_kind),
            _cell(dag.task_count, "n"),
            _cell(dag.runs_30d, "n"),
            f"<td><span class='tag {risk.risk}'>{risk.risk}</span></td>",
            _cell(risk.effort_h, "n"),
            _cell(" ".join(risk.reasons)),
        ]


def _check_rows(assessment: Assessment) -> Iterable[list[str]]:
    for severity in SEVERITIES:
        for check in ALL:
            if check.severity == severity:
                count = sum(finding.code == check.code for finding in assessment.findings)
                yield [
                    f"<td><code>{check.code}</code></td>",
                    f"<td><span class='tag {severity}'>{severity}</span></td>",
                    _cell(check.title),
                    _cell(count, "n"),
                ]


def _section(title: str, name: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["<tr>" + "".join(row) + "</tr>" for row in rows]
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    label = escape(f"Filter {title.lower()}")
    return (
        f"<section><h2>{escape(title)} <span class=dim>{len(lines)}</span></h2>"
        f"<input type=search data-table={name} placeholder='{label}' aria-label='{label}'>"
        f"<table id={name}><thead><tr>{head}</tr></thead><tbody>{''.join(lines) or _empty(len(columns))}</tbody></table></section>"
    )


def _empty(width: int) -> str:
    return f"<tr><td colspan={width} class=dim>None.</td></tr>"


def _cell(value: object, kind: str = "") -> str:
    text = _number(value) if kind == "n" else escape(str(value))
    return f"<td class={kind}>{text}</td>" if kind else f"<td>{text}</td>"


def _number(value: object) -> str:
    return (
        f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if isinstance(value, float) else escape(str(value))
    )
