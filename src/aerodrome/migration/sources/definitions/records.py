"""Writes a conversion as the neutral records of an estate."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from aerodrome.kernel.clock import to_text
from aerodrome.kernel.secret import Secret
from aerodrome.migration.convert.contract import Call, ConnectionNeed, Conversion, Dag, Expression, Target
from aerodrome.migration.convert.emission.project import file_names
from aerodrome.migration.estate.records import (
    ConnectionRecord,
    ConversionRecord,
    DagRecord,
    FileRecord,
    PoolRecord,
    VariableRecord,
)
from aerodrome.migration.sources.contract import ConnectionValue
from aerodrome.migration.sources.definitions.nominal import cron_of, is_scheduled

TARGET: Target = "3.3"
UNREAD = (
    "run_states", "task_states", "last_run_at", "runs_30d", "failures_30d", "duration_p95_s", "runs_1d", "runs_7d", "runs_365d",
    "next_logical_date",
)  # fmt: skip
"""What definitions do not tell: nothing of what ran."""
_SKIPPED = frozenset({".git", ".svn", ".hg", "node_modules", "target"})
_SUFFIXES = frozenset({".xml", ".json", ".properties", ".yaml", ".yml"})


def dag_records(conversion: Conversion, paused: Mapping[str, bool]) -> Iterator[DagRecord]:
    """Give one record per DAG; `paused` says which do not run in the source now."""
    files = file_names(conversion.dags)
    for dag in conversion.dags:
        yield _dag(dag, f"{files[dag.dag_id]}.py", is_paused=paused.get(dag.dag_id, False))


def _dag(dag: Dag, file: str, *, is_paused: bool) -> DagRecord:
    kind, text, timetable = _schedule(dag)
    defaults = dict(dag.default_arguments)
    words = [value for task in dag.tasks for _name, value in task.arguments]
    return DagRecord(
        dag_id=dag.dag_id,
        file=file,
        is_paused=is_paused,
        is_active=True,
        schedule=text,
        schedule_kind=kind,
        timetable=timetable,
        timezone=cron[1] if (cron := cron_of(dag)) else dag.schedule.timezone,
        catchup=dag.schedule.is_catching_up,
        start_date=to_text(dag.schedule.start),
        end_date=to_text(dag.schedule.end),
        max_active_runs=dag.max_active_runs,
        max_active_tasks=dag.max_active_tasks,
        owners=(str(defaults.get("owner") or "airflow"),),
        tags=dag.tags,
        description=None,
        task_count=len(dag.tasks),
        tasks=_tasks(dag),
        depends_on_dags=tuple(sorted(_named(dag, "trigger_dag_id") | _named(dag, "external_dag_id"))),
        datasets_in=tuple(sorted(set(_assets([dag.schedule.expression])))),
        datasets_out=tuple(sorted(set(_assets([item for task in dag.tasks for item in task.outlets])))),
        pools=tuple(sorted({task.pool for task in dag.tasks if task.pool})),
        queues=tuple(sorted({task.queue for task in dag.tasks if task.queue})),
        connections=tuple(sorted(_connections(dag) | set(_conn_ids(words)))),
        variables=(),
        next_logical_date=None,
        next_interval_start=None,
        next_interval_end=None,
        next_run_after=None,
        callbacks=tuple(
            name for name, _value in dag.arguments if name.startswith("on_") and name.endswith("_callback")
        ),
        unread=UNREAD,
    )


def _schedule(dag: Dag) -> tuple[str, str | None, str | None]:
    """Give kind, text and timetable as DagRecord has them."""
    expression = dag.schedule.expression
    if expression is None:
        return "none", None, None
    if not is_scheduled(dag):
        return "dataset", "dataset", None
    assert isinstance(expression, Call)  # noqa: S101 - is_scheduled says so
    path = f"{expression.symbol.modules[TARGET]}.{expression.symbol.name_in(TARGET)}"
    cron = cron_of(dag)
    return ("cron", cron[0], path) if cron else ("timetable", None, path)


def _tasks(dag: Dag) -> tuple[dict[str, object], ...]:
    above: dict[str, list[str]] = defaultdict(list)
    below: dict[str, list[str]] = defaultdict(list)
    for edge in dag.edges:
        above[edge.after].append(edge.before)
        below[edge.before].append(edge.after)
    return tuple(
        {
            "task_id": task.full_id,
            "operator": task.operator.name_in(TARGET),
            "module": task.operator.modules[TARGET],
            "pool": task.pool or "default_pool",
            "queue": task.queue or None,
            "trigger_rule": task.trigger_rule,
            "upstream": sorted(set(above[task.full_id])),
            "downstream": sorted(set(below[task.full_id])),
        }
        for task in dag.tasks
    )


def _named(dag: Dag, keyword: str) -> set[str]:
    found = {
        value for task in dag.tasks for name, value in task.arguments if name == keyword and isinstance(value, str)
    }
    return {name for name in found if "{{" not in name and name != dag.dag_id}


def _connections(dag: Dag) -> set[str]:
    return {
        value
        for task in dag.tasks
        for name, value in task.arguments
        if name.endswith("conn_id") and isinstance(value, str) and "{{" not in value
    }


def _walk(values: Iterable[Expression]) -> Iterator[Call]:
    for value in values:
        if isinstance(value, Call):
            yield value
            yield from _walk([*value.arguments, *(item for _name, item in value.keywords)])
        elif isinstance(value, Mapping):
            yield from _walk(value.values())
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            yield from _walk(value)


def _assets(values: Iterable[Expression]) -> Iterator[str]:
    for call in _walk(values):
        if call.symbol.name == "Asset":
            words = dict(call.keywords)
            uri = words.get("uri") or (call.arguments[0] if call.arguments else words.get("name"))
            if isinstance(uri, str):
                yield uri


def _conn_ids(values: Iterable[Expression]) -> Iterator[str]:
    """Give connections that hooks and triggers inside arguments name."""
    for call in _walk(values):
        for name, value in call.keywords:
            if name.endswith("conn_id") and isinstance(value, str) and "{{" not in value:
                yield value


def connection_records(conversion: Conversion, key: bytes) -> Iterator[ConnectionRecord]:
    """Give the connections that the DAGs need: all that a definition tells, never a password."""
    for need in _needs(conversion):
        value = connection_value(need)
        text = json.dumps([need.conn_type, need.host, need.port, need.schema, need.login, None, dict(need.extra)])
        yield ConnectionRecord(
            conn_id=need.conn_id,
            conn_type=need.conn_type,
            host=value.host,
            port=value.port,
            schema=value.schema,
            login=value.login,
            description=value.description,
            extra_keys=tuple(sorted(need.extra)),
            has_password=False,
            has_extra=bool(need.extra),
            fingerprint=Secret(text).fingerprint(key),
            origin="metadata-db",
        )


def connection_value(need: ConnectionNeed) -> ConnectionValue:
    return ConnectionValue(
        conn_id=need.conn_id,
        conn_type=need.conn_type,
        host=need.host or None,
        port=need.port,
        schema=need.schema or None,
        login=need.login or None,
        description=f"Provide its password or key here. {need.why}".strip(),
        password=None,
        extra=Secret(json.dumps(dict(need.extra), sort_keys=True)) if need.extra else None,
    )


def _needs(conversion: Conversion) -> list[ConnectionNeed]:
    return list({need.conn_id: need for need in conversion.connections}.values())


def pool_records(conversion: Conversion) -> Iterator[PoolRecord]:
    for need in {need.name: need for need in conversion.pools}.values():
        yield PoolRecord(need.name, need.slots, need.why or None, include_deferred=False)


def variable_records(conversion: Conversion, key: bytes) -> Iterator[VariableRecord]:
    for need in {need.name: need for need in conversion.variables}.values():
        value = need.value
        yield VariableRecord(
            name=need.name,
            description=need.why or None,
            size_bytes=len((value or "").encode()),
            is_json=False,
            is_sensitive=False,
            fingerprint=None if value is None else Secret(value).fingerprint(key),
            origin="metadata-db",
            error="No definition tells its value." if value is None else None,
        )


def file_records(path: Path) -> Iterator[FileRecord]:
    """Give the definitions themselves, so that another reading of changed files is another estate."""
    root = path.parent if path.is_file() else path
    files = [path] if path.is_file() else sorted(root.rglob("*"))
    for file in files:
        inside = file.relative_to(root)
        if file.suffix.lower() not in _SUFFIXES or not file.is_file() or _SKIPPED & set(inside.parts[:-1]):
            continue
        digest, size = sha256(), 0
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
                size += len(block)
        yield FileRecord(inside.as_posix(), "definitions", size, digest.hexdigest())


def conversion_records(conversion: Conversion) -> Iterator[ConversionRecord]:
    """Give everything that was not converted exactly: caveats, tasks that raise, questions, rejected files."""
    numbers: Counter[str] = Counter()

    def numbered(record: ConversionRecord) -> ConversionRecord:
        plain = record.key
        numbers[plain] += 1
        return record if numbers[plain] == 1 else ConversionRecord(**{**vars(record), "number": numbers[plain]})

    for dag_id, accounts in (*((dag.dag_id, dag.accounts) for dag in conversion.dags), ("", conversion.accounts)):
        for item in accounts:
            if item.outcome != "converted":
                yield numbered(
                    ConversionRecord(
                        dag_id,
                        item.outcome,
                        item.code,
                        f"{item.element} {item.name}".strip(),
                        item.reason,
                        item.origin.file,
                        item.origin.line,
                    )
                )
    for question in conversion.questions:
        origin = question.origin
        yield numbered(
            ConversionRecord(question.dag_id, "question", question.code, "", question.text, origin.file, origin.line)
        )
    for rejected in conversion.rejected:
        message = f"{rejected.message} {rejected.hint}".strip()
        yield numbered(ConversionRecord("", "rejected", rejected.code, "", message, rejected.file, rejected.line))
