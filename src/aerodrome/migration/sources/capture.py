"""Takes an estate: streams a source's records into a folder and freezes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aerodrome.kernel.clock import Clock, to_text
from aerodrome.kernel.errors import Invalid
from aerodrome.migration.estate.archive import Estate, EstateHeader, EstateWriter
from aerodrome.migration.estate.history import HistoryWindow
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.sources.contract import Progress, SourceAdapter
from aerodrome.migration.sources.secrets_backend import BackendNames


def capture(
    source: SourceAdapter,
    name: str,
    folder: Path,
    clock: Clock,
    progress: Progress,
    facts: Mapping[str, Any] | None = None,
) -> Estate:
    """Probe, read everything and freeze. A failed probe raises Invalid `source-not-ready` before anything is written.

    `header.facts`: `history` (rows per kind that can move now), `probes` (every probe's outcome), and what is given.
    """
    description = source.describe()
    failed = [probe for probe in description.probes if not probe.is_ok and probe.is_required]
    if failed:
        raise Invalid(
            failed[0].message,
            code="fernet-key-wrong" if failed[0].name == "fernet key" else "source-not-ready",
            hint=failed[0].hint,
            details={"probes": [probe.name for probe in failed]},
        )
    writer = EstateWriter(
        folder,
        EstateHeader(
            source_kind=description.kind,
            source_name=name,
            source_version=description.airflow_version,
            database=description.database,
            schema_revision=description.schema_revision,
            taken_at=to_text(clock.now()) or "",
            facts={**(facts or {}), "probes": {probe.name: probe.is_ok for probe in description.probes}},
        ),
    )
    try:
        dag_ids: list[str] = []
        backend = BackendNames()
        for record in source.records(progress):
            writer.add(record)
            backend.see(record)
            if isinstance(record, DagRecord):
                dag_ids.append(record.dag_id)
        for named in backend.records():
            writer.add(named)
        progress("counting history", 0, None)
        writer.add_facts({"history": dict(source.history_counts(HistoryWindow(tuple(dag_ids))))})
    except BaseException:
        writer.discard()
        raise
    return writer.freeze()
