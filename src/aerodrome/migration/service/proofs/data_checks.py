"""Asks both sides what the declared data checks want to know: databases and S3 from where tasks run, folders from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.parity.contract import Row
from aerodrome.migration.parity.data import Answer, compare, list_folder
from aerodrome.migration.parity.declarations import DataCheck, filled
from aerodrome.migration.service.proofs.contract import ProofContext

TIMEOUT_S = 300.0


def run(
    context: ProofContext, deployment_id: str, checks: Sequence[DataCheck], source_run: Mapping[str, Any] | None
) -> list[Row]:
    """Give the rows of the checks; what cannot be asked is a row too."""
    if not checks:
        return []
    moments = _moments(source_run)
    asked: list[dict[str, Any]] = []
    answers: dict[tuple[str, str], Answer] = {}
    places: list[tuple[str, str]] = []
    for check in checks:
        for side, place in (("source", check.source), ("target", check.target)):
            if check.kind == "files":
                answers[(check.name, side)] = list_folder(filled(place["folder"], moments), check.pattern, check.ways)
                continue
            try:
                question = _question(context, check, side, place, moments)
            except AerodromeError as error:
                answers[(check.name, side)] = Answer({}, error.message)
                continue
            asked.append(question)
            places.append((check.name, side))
    if asked:
        context.progress(f"asking {len(asked)} data questions from inside the deployment")
        found = context.fleet.ask(context.actor, deployment_id, "datachecks", {"questions": asked}, TIMEOUT_S)
        for asked_place, answer in zip(places, found, strict=True):
            answers[asked_place] = Answer(answer.get("values", {}), answer.get("error", ""))
    return [
        row
        for check in checks
        for row in compare(check, answers[(check.name, "source")], answers[(check.name, "target")])
    ]


def _question(
    context: ProofContext, check: DataCheck, side: str, place: Mapping[str, str], moments: Mapping[str, str]
) -> dict[str, Any]:
    conn_id = place["connection"]
    question: dict[str, Any] = {"kind": check.kind}
    if check.kind == "sql":
        question["sql"] = filled(check.sql, moments)
    else:
        question |= {"bucket": place["bucket"], "prefix": filled(check.prefix, moments)}
    if side == "target":
        return {**question, "conn_id": conn_id}
    (value,) = context.source.connection_values([conn_id])
    fields = {
        "conn_id": f"aerodrome_source_{conn_id}",
        "conn_type": value.conn_type,
        "host": value.host,
        "port": value.port,
        "schema": value.schema,
        "login": value.login,
        "password": value.password.reveal() if value.password else None,
        "extra": value.extra.reveal() if value.extra else None,
    }
    return {**question, "connection": fields}


def _moments(run: Mapping[str, Any] | None) -> dict[str, str]:
    if run is None or not isinstance(run.get("logical_date"), datetime):
        return {}
    logical = run["logical_date"]
    start, end = run["data_interval_start"] or logical, run["data_interval_end"] or logical
    return {
        "ds": f"{logical:%Y-%m-%d}",
        "ts": to_text(logical) or "",
        "interval_start": to_text(start) or "",
        "interval_end": to_text(end) or "",
    }
