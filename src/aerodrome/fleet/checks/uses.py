"""What a deploy names: by the text of its files, and by the tasks that Airflow made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from aerodrome.parsing import usage
from aerodrome.parsing.contract import ParseResult, UsageEntry
from aerodrome.runtimes.contract import RuntimeSpec


def uses_of(spec: RuntimeSpec, result: ParseResult) -> tuple[UsageEntry, ...]:
    """Give every place, with the DAGs that Airflow found where the text does not tell them."""
    return tuple(
        sorted(
            {*_by_text(spec, result), *_by_tasks(result)},
            key=lambda entry: (entry.kind, entry.name, entry.file, entry.line, entry.via),
        )
    )


def _by_text(spec: RuntimeSpec, result: ParseResult) -> Iterator[UsageEntry]:
    in_file: dict[str, set[str]] = defaultdict(set)
    for dag in result.dags:
        in_file[dag.file].add(dag.dag_id)
    projects = [("", spec.project)] if spec.project is not None else []
    projects += [(f"{name}:", folder) for name, folder in sorted(spec.extra_projects.items())]
    for prefix, folder in projects:
        for entry in usage(folder).entries:
            file = f"{prefix}{entry.file}"
            dag_ids = entry.dag_ids or tuple(sorted(in_file.get(file, ())))
            yield replace(entry, file=file, dag_ids=dag_ids)


def _by_tasks(result: ParseResult) -> Iterator[UsageEntry]:
    for dag in result.dags:
        for use in dag.uses:
            if use.kind == "pool" and not use.is_chosen:
                continue
            via = use.via if use.is_chosen else f"default of {use.via}"
            yield UsageEntry(use.kind, use.name, (dag.dag_id,), dag.file, 0, use.is_chosen, f"{via} of {use.task_id}")
