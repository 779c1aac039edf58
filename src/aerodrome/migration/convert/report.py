"""Counts what became of every source element, per DAG: as JSON and as one HTML page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from html import escape
from typing import Any

from aerodrome.migration.convert.contract import Account, Conversion, Dag, Outcome

_OUTCOMES: tuple[Outcome, ...] = ("converted", "caveat", "raises")
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1c2733}
h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2.2rem;border-top:1px solid #d5dce3;padding-top:1rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .7rem;border-bottom:1px solid #e4e9ee;vertical-align:top}
th{font-weight:600}.raises{color:#a11}.caveat{color:#8a5a00}.converted{color:#1b6e3c}code{font-size:.9em}
@media (prefers-color-scheme:dark){body{background:#12181f;color:#dbe4ec}td,th,h2{border-color:#2a3641}.raises{color:#ff8b80}.caveat{color:#f0bd62}.converted{color:#6fd699}}"""


def as_data(conversion: Conversion, target: str) -> dict[str, Any]:
    """Give the whole account as plain data; the sums of the three outcomes are the elements of the source."""
    everything = [*conversion.accounts, *(item for dag in conversion.dags for item in dag.accounts)]
    return {
        "format": conversion.format,
        "target": target,
        "definitions": conversion.definitions,
        "rejected": [asdict(item) for item in conversion.rejected],
        "others": list(conversion.others),
        "totals": _counts(everything),
        "codes": dict(sorted(Counter(item.code for item in everything if item.code).items())),
        "questions": [asdict(item) for item in conversion.questions],
        "connections": [item.conn_id for item in conversion.connections],
        "dags": [_dag(dag) for dag in conversion.dags],
        "project": {"totals": _counts(conversion.accounts), "elements": _elements(conversion.accounts)},
    }


def raising(conversion: Conversion) -> int:
    """Count the elements that became tasks which raise, and definitions that were rejected: what --strict refuses."""
    accounts = [*conversion.accounts, *(item for dag in conversion.dags for item in dag.accounts)]
    return sum(item.outcome == "raises" for item in accounts) + len(conversion.rejected)


def as_html(data: dict[str, Any]) -> str:
    """Write the data of `as_data` as one page without scripts or outside files."""
    totals = data["totals"]
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Conversion report</title><style>{_STYLE}</style>",
        f"<h1>{escape(data['format'].capitalize())} to Airflow {escape(data['target'])}</h1>",
        f"<p>{data['definitions']} definitions, {len(data['dags'])} DAGs, {sum(totals.values())} elements: "
        + ", ".join(f"<b class={name}>{totals[name]} {_WORDS[name]}</b>" for name in _OUTCOMES)
        + ".</p>",
    ]
    if data["questions"]:
        parts.append("<h2>Questions that only people can answer</h2>")
        parts.append(
            _table(
                ("DAG", "Question", "Where"), ((q["dag_id"], q["text"], _where(q["origin"])) for q in data["questions"])
            )
        )
    if data["rejected"]:
        parts.append("<h2>Files that were not converted</h2>")
        parts.append(
            _table(("File", "Why", "What to do"), ((r["file"], r["message"], r["hint"]) for r in data["rejected"]))
        )
    if data["others"]:
        parts.append("<h2>Files that hold no definition</h2>")
        parts.append("<p>" + ", ".join(f"<code>{escape(name)}</code>" for name in data["others"]) + "</p>")
    parts.append("<h2>DAGs</h2>")
    head = ("DAG", "Origin", *(_WORDS[name] for name in _OUTCOMES))
    parts.append(
        _table(head, ((d["dag_id"], d["file"], *(str(d["totals"][n]) for n in _OUTCOMES)) for d in data["dags"]))
    )
    for dag in [*data["dags"], {"dag_id": "Elements of no DAG", **data["project"]}]:
        told = [item for item in dag["elements"] if item["outcome"] != "converted"]
        if told:
            parts.append(f"<h2>{escape(dag['dag_id'])}</h2><table><tr><th>Element<th>Outcome<th>Why<th>Where")
            parts += [
                f"<tr><td>{escape(item['name'] or item['element'])}<td class={item['outcome']}>{_WORDS[item['outcome']]}"
                f"<td>{escape(item['reason'])}<td><code>{escape(_where(item['origin']))}</code>"
                for item in told
            ]
            parts.append("</table>")
    return "\n".join(parts) + "\n"


_WORDS = {"converted": "converted", "caveat": "converted with a caveat", "raises": "raises until completed"}


def _counts(accounts: Iterable[Account]) -> dict[str, int]:
    found = Counter(item.outcome for item in accounts)
    return {name: found[name] for name in _OUTCOMES}


def _elements(accounts: Iterable[Account]) -> list[dict[str, Any]]:
    return [asdict(item) for item in accounts]


def _dag(dag: Dag) -> dict[str, Any]:
    return {
        "dag_id": dag.dag_id,
        "file": dag.origin.file,
        "tasks": len(dag.tasks),
        "totals": _counts(dag.accounts),
        "elements": _elements(dag.accounts),
    }


def _where(origin: dict[str, Any]) -> str:
    return f"{origin['file']}:{origin['line']}" if origin["line"] else str(origin["file"])


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [f"<table><tr>{''.join(f'<th>{escape(cell)}' for cell in head)}"]
    lines += [f"<tr>{''.join(f'<td>{escape(cell)}' for cell in row)}" for row in rows]
    return "\n".join([*lines, "</table>"])
