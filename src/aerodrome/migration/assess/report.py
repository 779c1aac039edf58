"""Draws an assessment: JSON for machines, one self-contained HTML page for people. Neither holds a secret."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from aerodrome.migration.assess.checks import TOPICS
from aerodrome.migration.assess.contract import SEVERITIES, Assessment, DagRisk, Finding
from aerodrome.migration.assess.estimate import duration_text, size_text
from aerodrome.migration.assess.page import PAGE, SCRIPT, STYLE
from aerodrome.migration.assess.waves import Wave
from aerodrome.migration.assess.wording import counted
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.estate.records import DagRecord

_COLOURS = {
    "blocker": "var(--red)", "warning": "var(--amber)", "info": "var(--dim)", "high": "var(--red)", "medium": "var(--amber)",
    "low": "var(--green)", "private": "var(--red)", "unknown": "var(--amber)", "public": "var(--green)", "local": "var(--dim)",
}  # fmt: skip
_TOP = 12
_FILES_SHOWN = 3
_EFFORTS = 5
_PATHS = ("private", "unknown", "public", "local")


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
    header = estate.header
    title = f"Airflow {header.source_version} to {assessment.target_version}"
    name = escape(header.source_name or header.source_kind)
    about = (
        f"Assessment of {name} ({escape(header.database)}), taken {escape(header.taken_at[:16].replace('T', ' '))} UTC"
    )
    links = (
        ("findings", "Findings"),
        ("dags", "DAGs"),
        ("waves", "Waves"),
        ("hosts", "Hosts"),
        ("questions", "What was asked"),
    )
    body = [
        f"<header><h1>{escape(title)}</h1><p class=dim>{about}, estate <code>{estate.digest[:16]}</code></p>",
        f"<p class=lead>{escape(_verdict(assessment))}</p>",
        "<nav>" + "".join(f"<a href='#{place}'>{label}</a>" for place, label in links) + "</nav></header>",
        f"<section class=cards>{''.join(_cards(assessment))}</section>",
        f"<section class=panels>{''.join(_panels(assessment))}</section>",
        _table(
            "findings", "Findings", ("Severity", "Code", "Where", "What", "Next step"), _finding_filters(assessment)
        ),
        _table(
            "dags",
            "DAGs",
            ("DAG", "Schedule", "#Tasks", "#Runs, 30 d", "Risk", "#Hours", "Critical", "Wave", "Why"),
            _select("risk", "risk", ("high", "medium", "low"))
            + _select("wave", "wave", [wave.name for wave in assessment.waves]),
        ),
        _waves(assessment.waves),
        _table(
            "hosts",
            "Hosts by network path",
            ("Host", "Path", "Connections", "Files", "#DAGs"),
            _select("path", "path", _PATHS),
        ),
        _questions(assessment),
    ]
    values = {
        "title": escape(title),
        "style": STYLE,
        "body": "\n".join(body),
        "data": _within_script(_data(assessment, estate)),
        "script": SCRIPT,
    }
    page = PAGE
    head, *rest = page.split("{{")
    parts = [head]
    for piece in rest:  # in one pass: data that looks like a place must not become one
        place, _end, after = piece.partition("}}")
        parts += [values[place], after]
    return "".join(parts)


def _verdict(assessment: Assessment) -> str:
    """Say in three sentences what a manager must know."""
    totals, counts = assessment.totals, assessment.counts
    days = totals["effort_h"] / 8
    work = (
        f"about {totals['effort_h']:,.0f} hours of work ({days:,.0f} days)"
        if days >= 2
        else f"about {totals['effort_h']:,.0f} hours of work"
    )
    blocked = {finding.code for finding in assessment.findings if finding.severity == "blocker"}
    first = (
        f"{counted(totals['dags_active'], 'active DAG')} with {counted(totals['tasks'], 'task')} can move in"
        f" {counted(totals['waves'], 'wave')}; {work} for people remain."
    )
    second = (
        f"{counted(counts['blocker'], 'place')} of {counted(len(blocked), 'kind')} must be mended first."
        if blocked
        else "Nothing stands in the way."
    )
    transfer = totals["transfer"]
    third = (
        f"Their history, {transfer['rows']:,} rows{_size(transfer['bytes'])}, moves in about {duration_text(transfer['seconds'])}."
        if transfer["rows"]
        else ""
    )
    return f"{first} {second} {third}".strip()


def _size(size_bytes: int | None) -> str:
    return f" ({size_text(size_bytes)})" if size_bytes else ""


def _cards(assessment: Assessment) -> Iterator[str]:
    totals, counts = assessment.totals, assessment.counts
    size = totals["database_bytes"]
    cards: list[tuple[str, object, str]] = [
        ("active DAGs", totals["dags_active"], ""),
        ("of them paused", totals["dags_paused"], ""),
        ("task instances", totals["task_instances"], ""),
        ("connections", totals["connections"], ""),
        ("blockers", counts["blocker"], "blocker" if counts["blocker"] else ""),
        ("warnings", counts["warning"], "warning" if counts["warning"] else ""),
        ("hours of work", round(totals["effort_h"]), ""),
        ("waves", totals["waves"], ""),
        (
            "to move the history",
            duration_text(totals["transfer"]["seconds"]) if totals["transfer"]["rows"] else "–",
            "",
        ),
    ]
    if size:
        cards.append(("database", size_text(size), ""))
    for label, value, kind in cards:
        yield f"<div class='{kind}'><b>{_number(value)}</b><span>{escape(label)}</span></div>"


def _panels(assessment: Assessment) -> Iterator[str]:
    totals = assessment.totals
    yield _panel("Risk of the DAGs", _split({risk: totals["risk"][risk] for risk in ("high", "medium", "low")}))
    effort = {"high": 0.0, "medium": 0.0, "low": 0.0}
    for judged in assessment.dag_risks.values():
        effort[judged.risk] += judged.effort_h
    rest = max(0.0, totals["effort_h"] - sum(effort.values()))
    rows = [(f"{risk} risk", round(effort[risk]), _COLOURS[risk]) for risk in ("high", "medium", "low")]
    yield _panel("Hours of work", _bars([*rows, ("not of one DAG", round(rest), "var(--blue)")]))
    sizes = Counter(wave.criticality for wave in assessment.waves for _dag in wave.dag_ids)
    yield _panel(
        "DAGs in the proposed waves",
        _bars([(f"{level} criticality", sizes[level], _COLOURS[level]) for level in ("low", "medium", "high")])
        + f"<p class=dim>{counted(totals['waves'], 'wave')}; {counted(totals['groups'], 'group')} of DAGs that depend on each other"
        " stay together.</p>",
    )
    grave = Counter((f.severity, f.code) for f in assessment.findings if f.severity != "info")
    order = sorted(grave.items(), key=lambda item: (SEVERITIES.index(item[0][0]), -item[1], item[0][1]))
    yield _panel(
        "What stands in the way",
        _bars([(code, count, _COLOURS[severity]) for (severity, code), count in order[:_TOP]], is_code=True)
        or "<p class=dim>No blockers and no warnings.</p>",
    )
    topic_of = {check.code: topic for topic, checks in TOPICS.items() for check in checks}
    topics = Counter(topic_of[f.code] for f in assessment.findings if f.severity != "info")
    yield _panel("Blockers and warnings by topic", _bars([(topic, topics[topic], "var(--blue)") for topic in TOPICS]))
    hosts = totals["hosts"]
    yield _panel(
        "Hosts by network path",
        _split({path: hosts.get(path, 0) for path in _PATHS}),
    )


def _panel(title: str, inner: str) -> str:
    return f"<div class=panel><h3>{escape(title)}</h3>{inner}</div>"


def _split(parts: Mapping[str, int]) -> str:
    """Draw shares of a whole as one bar with its key."""
    total = sum(parts.values())
    if not total:
        return "<p class=dim>None.</p>"
    pieces = "".join(
        f"<i style='--c:{_COLOURS[name]};flex:{count}' title='{escape(name)}: {count:,}'></i>"
        for name, count in parts.items()
        if count
    )
    keys = "".join(
        f"<span style='--c:{_COLOURS[name]}'>{escape(name)} <b>{count:,}</b></span>" for name, count in parts.items()
    )
    return f"<div class=split>{pieces}</div><div class=key>{keys}</div>"


def _bars(rows: Sequence[tuple[str, int, str]], *, is_code: bool = False) -> str:
    most = max((count for _label, count, _colour in rows), default=0) or 1
    lines = []
    for label, count, colour in rows:
        shown = f"<code>{escape(label)}</code>" if is_code else escape(label)
        width = max(1.0, 100 * count / most) if count else 0
        lines.append(
            f"<div class=bar><span>{shown}</span><i style='--w:{width:.1f}%;--c:{colour}'></i><b>{count:,}</b></div>"
        )
    return "".join(lines)


def _finding_filters(assessment: Assessment) -> str:
    codes = sorted({finding.code for finding in assessment.findings})
    return (
        _select("severity", "severity", SEVERITIES)
        + _select("code", "code", codes)
        + "<input type=search data-filter=dag placeholder='DAG' aria-label='Findings of a DAG'>"
    )


def _select(name: str, what: str, values: Sequence[str]) -> str:
    options = "".join(f"<option>{escape(value)}</option>" for value in values)
    return f"<select data-filter={name} aria-label='Filter by {what}'><option value=''>every {what}</option>{options}</select>"


def _table(name: str, title: str, columns: Sequence[str], filters: str) -> str:
    head = "".join(f"<th class=n>{c[1:]}</th>" if c.startswith("#") else f"<th>{escape(c)}</th>" for c in columns)
    label = escape(f"Filter {title if title == 'DAGs' else title.lower()}")
    return (
        f"<section id={name}><h2>{escape(title)}</h2><div class=filters>{filters}"
        f"<input type=search data-filter=words placeholder='{label}' aria-label='{label}'><span class=count></span></div>"
        f"<div class=wide><table class=drawn><thead><tr>{head}</tr></thead><tbody></tbody></table></div>"
        "<p class=more hidden><button type=button></button></p>"
        "<noscript><p class=dim>This table needs scripts; the same is in the JSON report.</p></noscript></section>"
    )


def _waves(waves: Sequence[Wave]) -> str:
    rows = []
    for wave in waves:
        first = ", ".join(wave.dag_ids[:_FILES_SHOWN])
        more = f" and {len(wave.dag_ids) - _FILES_SHOWN:,} more" if len(wave.dag_ids) > _FILES_SHOWN else ""
        rows.append(
            f"<tr><td>{wave.name}</td><td><span class='tag {wave.criticality}'>{wave.criticality}</span></td>"
            f"<td class=n>{len(wave.dag_ids):,}</td><td class=n>{len(wave.groups):,}</td><td class=dim>{escape(first + more)}</td></tr>"
        )
    shown = "".join(rows[:_TOP])
    rest = "".join(rows[_TOP:])
    head = "<thead><tr><th>Wave</th><th>Criticality</th><th class=n>DAGs</th><th class=n>Groups</th><th>Which</th></tr></thead>"
    table = f"<div class=wide><table>{head}<tbody>{shown or _empty(5)}</tbody></table></div>"
    if rest:
        table += (
            f"<details><summary>{len(rows) - _TOP:,} more waves</summary>"
            f"<div class=wide><table>{head}<tbody>{rest}</tbody></table></div></details>"
        )
    about = "A proposal: harmless first, what depends on each other together. The plan is where you change it."
    return f"<section id=waves><h2>Waves</h2><p class=dim>{about}</p>{table}</section>"


def _questions(assessment: Assessment) -> str:
    counts = Counter(finding.code for finding in assessment.findings)
    parts = []
    for topic, checks in TOPICS.items():
        rows = []
        for check in sorted(checks, key=lambda check: SEVERITIES.index(check.severity)):
            count = counts[check.code]
            code = (
                f"<button type=button data-code={check.code}><code>{check.code}</code></button>"
                if count
                else f"<code>{check.code}</code>"
            )
            rows.append(
                f"<tr><td>{code}</td><td><span class='tag {check.severity}'>{check.severity}</span></td>"
                f"<td>{escape(check.title)}</td><td class=n>{count:,}</td></tr>"
            )
        found = sum(counts[check.code] for check in checks)
        head = "<thead><tr><th>Code</th><th>Severity</th><th>Question</th><th class=n>Places</th></tr></thead>"
        parts.append(
            f"<details><summary>{escape(topic)} <span class=dim>{len(checks)} questions, {found:,} places</span></summary>"
            f"<div class=wide><table>{head}<tbody>{''.join(rows)}</tbody></table></div></details>"
        )
    return f"<section id=questions><h2>What was asked</h2>{''.join(parts)}</section>"


class _Texts:
    """Gives a text a number: the same hint stands in the page once, not 14,000 times."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def all(self) -> list[str]:
        return list(self._numbers)


def _data(assessment: Assessment, estate: Estate) -> dict[str, Any]:
    """Give what the tables are drawn from: lists of fields, texts by number."""
    texts = _Texts()
    order = {"high": 0, "medium": 1, "low": 2}
    rows: list[list[Any]] = []
    by_file: dict[str, list[str]] = {}
    by_connection: dict[str, list[str]] = {}
    for dag in estate.all(DagRecord):
        risk = assessment.dag_risks[dag.dag_id]
        by_file.setdefault(f"dags/{dag.file}", []).append(dag.dag_id)
        for conn_id in dag.connections:
            by_connection.setdefault(f"connection:{conn_id}", []).append(dag.dag_id)
        reasons = [texts.number(reason) for reason in risk.reasons]
        rows.append([
            dag.dag_id, dag.schedule or dag.schedule_kind, int(dag.is_paused), dag.task_count, dag.runs_30d, risk.risk,
            risk.effort_h, risk.criticality, risk.wave or "stays", risk.group, reasons,
            texts.number(_effort(risk)), texts.number(", ".join(risk.criticality_reasons)),
        ])  # fmt: skip
    rows.sort(key=lambda row: (order[row[5]], -row[6], row[0]))
    position = {row[0]: number for number, row in enumerate(rows)}
    codes: dict[str, int] = {}
    kinds: list[dict[str, str]] = []
    findings: list[list[Any]] = []
    for item in assessment.findings:
        if item.code not in codes:
            codes[item.code] = len(codes)
            kinds.append({"code": item.code, "severity": item.severity})
        subject = "" if item.file is not None and item.subject == f"file:{item.file}" else item.subject
        findings.append([
            codes[item.code], texts.number(subject), texts.number(item.file or ""), item.line or 0, texts.number(item.message),
            texts.number(item.hint), [position[dag_id] for dag_id in _concerned(item, position, by_file, by_connection)],
        ])  # fmt: skip
    hosts = [
        [reach.name, reach.path, ", ".join(reach.connections[:8]), _some(reach.files), len(reach.dag_ids)]
        for reach in sorted(assessment.reaches, key=lambda reach: (_PATHS.index(reach.path), reach.name))
    ]
    return {"codes": kinds, "texts": texts.all(), "findings": findings, "dags": rows, "hosts": hosts}


def _effort(risk: DagRisk) -> str:
    """Say what the hours are for: the dearest codes."""
    parts = [f"{code} {hours:g} h" for code, hours in risk.efforts[:_EFFORTS]]
    rest = sum(hours for _code, hours in risk.efforts[_EFFORTS:])
    if rest:
        parts.append(f"others {rest:g} h")
    return ", ".join(parts)


def _concerned(
    finding: Finding,
    known: Mapping[str, int],
    by_file: Mapping[str, list[str]],
    by_connection: Mapping[str, list[str]],
) -> Iterable[str]:
    if finding.subject.startswith("dag:"):
        dag_id = finding.subject.removeprefix("dag:")
        return (dag_id,) if dag_id in known else ()
    if finding.subject.startswith("connection:"):
        return by_connection.get(finding.subject, ())
    return by_file.get(finding.file or "", ())


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _FILES_SHOWN:,} more" if len(names) > _FILES_SHOWN else ""
    return ", ".join(names[:_FILES_SHOWN]) + more


def _within_script(data: Any) -> str:
    """Write JSON that may stand in a script element: no text within it can end the element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _empty(width: int) -> str:
    return f"<tr><td colspan={width} class=dim>None.</td></tr>"


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else escape(str(value))
