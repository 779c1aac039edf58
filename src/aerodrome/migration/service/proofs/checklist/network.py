"""What the moving DAGs reach for, tried from where tasks run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.assess.network import host_of, reaches
from aerodrome.migration.estate.records import ConnectionRecord
from aerodrome.migration.parity.sandbox import REACHING
from aerodrome.migration.service.proofs import task_checks
from aerodrome.migration.service.proofs.checklist.items import (
    Params,
    Result,
    item_of,
    moving_dags,
    row_of,
    target_of,
)
from aerodrome.migration.service.proofs.contract import ProofContext

TEST_TIMEOUT_S = 30.0
PORTS = {
    "postgres": 5432, "redshift": 5439, "mysql": 3306, "mssql": 1433, "oracle": 1521, "http": 80, "https": 443, "ssh": 22,
    "sftp": 22, "ftp": 21, "redis": 6379, "mongo": 27017, "trino": 8080, "presto": 8080, "smtp": 25, "imap": 993,
    "elasticsearch": 9200, "cassandra": 9042, "hiveserver2": 10000, "snowflake": 443, "databricks": 443,
}  # fmt: skip
BY_TASK, BY_PROCESS = "(seen by a task)", "(seen by a process beside the tasks)"


def check_network(context: ProofContext, params: Params) -> Result:
    """Hosts by TCP, and each connection by its own hook: each by a task of the target, where that was asked for and can be done, or in a process beside its tasks; each row says which."""
    del params
    target = target_of(context)
    if target is None:
        return item_of(
            context, "network", "open", "There is no target yet.", next_=f"aerodrome migrate apply {context.row.name}"
        )
    dags = moving_dags(context)
    needed = {conn_id for dag in dags for conn_id in dag.connections}
    views = {view.name: view for view in context.fleet.environment.effective(context.actor, target, "connection").items}
    records = {record.conn_id: _as_here(record, views) for record in context.estate.records("connection")}
    used = [record for record in records.values() if record.conn_id in needed]
    files = {f"dags/{dag.file}" for dag in dags}
    endpoints = [
        item
        for item in context.estate.records("endpoint")
        if item.scheme in REACHING and f"{item.part}/{item.path}" in files
    ]
    found = reaches(used, endpoints, dags, {})
    hosts = [{"host": reach.host, "port": reach.port or _port(reach.connections, records)} for reach in found]
    rows: list[dict[str, str]] = []
    conn_ids = sorted(needed & (records.keys() | views.keys()))
    said, why = _by_tasks(context, target, hosts, conn_ids)
    try:
        rest = hosts[len(said.hosts) :]
        if rest:
            context.progress(f"trying {len(rest)} hosts from inside the target")
            answers = context.fleet.ask(context.actor, target, "reach", {"hosts": rest}, 30.0 + len(rest))
        else:
            answers = []
        for number, (reach, answer) in enumerate(zip(found, [*said.hosts, *answers], strict=True)):
            state = "done" if answer["is_reached"] else "open"
            way = BY_TASK if number < len(said.hosts) else BY_PROCESS
            rows.append(row_of(reach.name, state, f"{answer['message']} Used by {reach.used_by}. {way}"))
        reached = {row["subject"] for row in rows if row["state"] == "done"}
        for number, conn_id in enumerate(conn_ids, 1):
            record = records.get(conn_id)
            if conn_id in said.connections:
                found_by_task = said.connections[conn_id]
                row = _judged(conn_id, found_by_task["outcome"], found_by_task["message"], "", reached, record)
            else:
                context.progress(f"testing connection {conn_id}, {number} of {len(needed)}")
                tested = context.fleet.environment.test(context.actor, target, conn_id, TEST_TIMEOUT_S)
                row = _judged(conn_id, tested.outcome, tested.message, tested.hint, reached, record)
            way = BY_TASK if conn_id in said.connections else BY_PROCESS
            rows.append({**row, "message": f"{row['message']} {way}"})
            context.sleep(0)
    except AerodromeError as error:
        return item_of(context, "network", "open", error.message, next_=error.hint, rows=rows)
    bad = [row for row in rows if row["state"] == "open"]
    unsure = any(row["state"] == "attention" for row in rows)
    if not rows:
        return item_of(context, "network", "not-needed", "The moving DAGs name no host and no connection.")
    by_task = len(said.hosts) + len(said.connections)
    evidence = (
        f"{len(hosts)} hosts and {len(rows) - len(hosts)} connections tried where tasks run, {by_task} of them by tasks of "
        f"the target and {len(rows) - by_task} by a process beside them; {len(bad)} failed.{why}"
    )
    next_ = "Open the path from the target to these hosts, or mend the connection; then check again." if bad else ""
    state = "open" if bad else "attention" if unsure else "done"
    return item_of(context, "network", state, evidence, next_=next_, rows=rows)


@dataclass(frozen=True)
class _Said:
    """What tasks answered: of the first hosts, in their order, and of connections by id."""

    hosts: Sequence[Mapping[str, Any]] = ()
    connections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def _by_tasks(
    context: ProofContext, target: str, hosts: Sequence[Mapping[str, Any]], conn_ids: Sequence[str]
) -> tuple[_Said, str]:
    """Let tasks of the target answer, when that was asked for; else, or where it cannot be done, nothing and why."""
    questions = [*hosts, *({"conn_id": conn_id} for conn_id in conn_ids)][: task_checks.MOST]
    if not context.params.get("with_tasks"):
        how = f"aerodrome migrate checklist {context.row.name} --with-tasks"
        return _Said(), f" `{how}` lets tasks of the target try them." if questions else ""
    if not questions:
        return _Said(), ""
    version = context.fleet.get_deployment(context.actor, target).airflow_version
    if not task_checks.can_run(version):
        return _Said(), f" No test task was run: Airflow {version} takes no DAG bundle beside its project."
    try:
        answers = task_checks.ask(
            context.fleet,
            context.migrations.bundles,
            context.actor,
            target,
            questions,
            context.folder.root / "checks.draft",
            context.progress,
            context.sleep,
        )
    except AerodromeError as error:
        return _Said(), f" No test task was run: {error.message}"
    count = min(len(hosts), len(questions))
    rest = conn_ids[: len(questions) - count]
    return _Said(answers[:count], dict(zip(rest, answers[count:], strict=True))), ""


def _as_here(record: ConnectionRecord, views: Mapping[str, Any]) -> ConnectionRecord:
    """Give the connection with the host that the target's environment manager has for it, when it has one."""
    view = views.get(record.conn_id)
    if view is None or not view.fields.get("host"):
        return record
    port = str(view.fields.get("port") or "")
    return replace(record, host=str(view.fields["host"]), port=int(port) if port.isdecimal() else None)


def _port(conn_ids: Sequence[str], records: Mapping[str, ConnectionRecord]) -> int | None:
    kinds = (records[conn_id].conn_type or "" for conn_id in conn_ids if conn_id in records)
    return next((PORTS[kind] for kind in kinds if kind in PORTS), None)


def _judged(
    conn_id: str, outcome: str, message: str, hint: str, reached: set[str], record: ConnectionRecord | None
) -> dict[str, str]:
    if outcome == "good":
        return row_of(conn_id, "done", f"Its hook says: {message}")
    if "test_connection" in message:  # the hook offers no test: what counts is the network
        host = host_of(record.host or "") if record else ""
        is_open = not host or any(name.partition(":")[0] == host for name in reached)
        return row_of(conn_id, "done" if is_open else "open", "Its hook has no test of its own; its host was tried.")
    # a DAG may use a connection's fields without any hook: then no provider is no fault
    state = "attention" if outcome == "no-provider" else "open"
    said = message or ("No provider that knows its type is installed." if outcome == "no-provider" else "")
    return row_of(conn_id, state, f"{said} {hint}".strip())
