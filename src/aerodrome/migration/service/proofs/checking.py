"""Steps of the cutover checklist. Each looks for itself and gives one item: its state, the evidence, what to do next.

Nobody ticks anything: an item is done when the platform has seen it. A look that cannot be made leaves its item open with the
reason. States: done, attention (works, but look at it), open, not-needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from aerodrome.access import users
from aerodrome.access.actor import Actor
from aerodrome.access.permissions import allows
from aerodrome.airflowkit.rest import AirflowRest
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.assess.network import host_of, reaches
from aerodrome.migration.bridge import uncarried
from aerodrome.migration.estate.records import ConnectionRecord, DagRecord
from aerodrome.migration.parity.sandbox import REACHING
from aerodrome.migration.service.fencing import handed_over
from aerodrome.migration.service.proofs import task_checks
from aerodrome.migration.service.proofs.contract import ProofContext
from aerodrome.migration.service.tracks import ROLLBACK
from aerodrome.migration.sources.contract import DEFINITION_NAMES, AsksPeople, DefinitionsConfig, SourceConfig
from aerodrome.store import journal
from aerodrome.store.tables.cutover import SplitBrainRow
from aerodrome.store.tables.proof import ParityRow
from aerodrome.store.tables.user import RoleGrant

Params = Mapping[str, Any]
Result = Mapping[str, Any]
WATCHED = timedelta(minutes=30)
MOST_ROWS = 500
TEST_TIMEOUT_S = 30.0
PORTS = {
    "postgres": 5432, "redshift": 5439, "mysql": 3306, "mssql": 1433, "oracle": 1521, "http": 80, "https": 443, "ssh": 22,
    "sftp": 22, "ftp": 21, "redis": 6379, "mongo": 27017, "trino": 8080, "presto": 8080, "smtp": 25, "imap": 993,
    "elasticsearch": 9200, "cassandra": 9042, "hiveserver2": 10000, "snowflake": 443, "databricks": 443,
}  # fmt: skip
BY_TASK, BY_PROCESS = "(seen by a task)", "(seen by a process beside the tasks)"
TITLES = {
    "chains": "What ties DAGs together is carried, or moves together",
    "objects": "Connections and variables migrated and verified",
    "backend": "Secrets backend configured and tested",
    "network": "Every data source reached from where tasks run",
    "dags": "All DAGs deployed and validated",
    "parity": "Results compared with the source",
    "alerts": "Alerts and notifications configured",
    "access": "Team members have access with the right roles",
    "source": "The old environment stays ready, paused",
    "rollback": "The way back is rehearsed",
}
_ROLE_OF = {"Admin": "operator", "Op": "operator", "User": "author", "Viewer": "viewer"}
_NEEDS = {"operator": "migration.apply", "author": "deploy.create", "viewer": "deployment.read"}


def _item(
    context: ProofContext,
    key: str,
    state: str,
    evidence: str,
    *,
    next_: str = "",
    rows: Sequence[Mapping[str, Any]] = (),
) -> Result:
    """Give the result of a step: the item, and a line for the progress."""
    item = {
        "key": key,
        "title": TITLES[key],
        "state": state,
        "evidence": evidence,
        "next": next_,
        "at": to_text(context.migrations.clock.now()),
        "rows": list(rows[:MOST_ROWS]),
        "more": max(0, len(rows) - MOST_ROWS),
    }
    return {"item": item, "summary": f"{state}: {evidence}"}


def _row(subject: str, state: str, message: str) -> dict[str, str]:
    return {"subject": subject, "state": state, "message": message}


def _apply(context: ProofContext) -> dict[str, Mapping[str, Any]]:
    """Give the results of the steps of apply that are done, by key."""
    with context.migrations.store.reading() as session:
        steps = journal.steps(session, context.row.id, "apply")
    return {step.key: step.result or {} for step in steps if step.status == "done"}


def _moving(context: ProofContext) -> list[DagRecord]:
    return [context.dags[dag_id] for dag_id in context.migrations.moving(context.row) if dag_id in context.dags]


def _target(context: ProofContext) -> str | None:
    return context.row.target_deployment_id or _apply(context).get("environment.deployment", {}).get("deployment_id")


def check_objects(context: ProofContext, params: Params) -> Result:
    """Connections and variables: what moved hashed alike, and every one that a moving DAG names is found in the target."""
    del params
    done = _apply(context)
    target = _target(context)
    rows: list[dict[str, str]] = []
    for section in ("connections", "variables", "pools"):
        moved = done.get(f"transfer.{section}")
        if moved is None:
            continue
        hashes = (
            "both sides hash alike" if moved.get("source_hash") == moved.get("target_hash") else "the hashes differ"
        )
        state = "done" if hashes.startswith("both") and not moved.get("failed") else "open"
        rows.append(
            _row(section, state, f"{moved.get('found', 0)} found, {len(moved.get('failed', ()))} refused, {hashes}.")
        )
        rows += [_row(item["key"], "open", item["message"]) for item in moved.get("failed", ())]
    if target is None or "environment.deployment" not in done:
        return _item(
            context, "objects", "open", "Nothing was moved yet.", next_=f"aerodrome migrate apply {context.row.name}"
        )
    try:
        found = context.fleet.environment.effective(context.actor, target)
    except AerodromeError as error:
        return _item(context, "objects", "open", error.message, next_=error.hint, rows=rows)
    names = {(view.kind, view.name) for view in found.items}
    known = {
        "connection": {record.conn_id for record in context.estate.records("connection")},
        "variable": {record.name for record in context.estate.records("variable")},
    }
    needed = {
        (kind, name)
        for dag in _moving(context)
        for kind, mentioned in (("connection", dag.connections), ("variable", dag.variables))
        for name in mentioned
        if name in known[kind]
    }
    spelled = {(kind, name.upper()) for kind, name in names}
    lacking = sorted(item for item in needed if (item[0], item[1].upper()) not in spelled)
    rows += [_row(name, "open", f"The target finds no {kind} of this name.") for kind, name in lacking]
    is_done = all(row["state"] == "done" for row in rows)
    evidence = f"{len(needed)} that the moving DAGs name are looked for in the target, {len(lacking)} are missing."
    next_ = "" if is_done else "Enter the missing ones: aerodrome env set NAME … --kind connection; then check again."
    return _item(context, "objects", "done" if is_done else "open", evidence, next_=next_, rows=rows)


def check_backend(context: ProofContext, params: Params) -> Result:
    """The secrets backend that the target asks first: probed now, write, read and delete of a test value included."""
    del params
    name = str(context.settings.get("secrets", {}).get("backend", ""))
    target = _target(context)
    if not name and target is not None:
        attached = context.fleet.backends.attached(context.actor, target)
        name = attached.name if attached else ""
    if not name:
        evidence = (
            "Values live in the target itself, encrypted under its own key; no secrets backend is named in the plan."
        )
        return _item(context, "backend", "not-needed", evidence)
    ref = f"{context.settings['target']['workspace']}/{name}"
    try:
        probe = context.fleet.backends.probe(context.actor, ref)
    except AerodromeError as error:
        return _item(context, "backend", "open", error.message, next_=error.hint)
    rows = [_row(check.name, "done" if check.is_ok else "open", check.message) for check in probe.checks]
    is_done = all(row["state"] == "done" for row in rows)
    return _item(
        context, "backend", "done" if is_done else "open", f"{name} answered {len(rows)} checks just now.",
        next_="" if is_done else f"aerodrome secrets-backend probe {name} says what is wrong and what to do.", rows=rows,
    )  # fmt: skip


def check_network(context: ProofContext, params: Params) -> Result:
    """Hosts by TCP, and each connection by its own hook: each by a task of the target, where that was asked for and can be done, or in a process beside its tasks; each row says which."""
    del params
    target = _target(context)
    if target is None:
        return _item(
            context, "network", "open", "There is no target yet.", next_=f"aerodrome migrate apply {context.row.name}"
        )
    dags = _moving(context)
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
            rows.append(_row(reach.name, state, f"{answer['message']} Used by {reach.used_by}. {way}"))
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
        return _item(context, "network", "open", error.message, next_=error.hint, rows=rows)
    bad = [row for row in rows if row["state"] == "open"]
    unsure = any(row["state"] == "attention" for row in rows)
    if not rows:
        return _item(context, "network", "not-needed", "The moving DAGs name no host and no connection.")
    by_task = len(said.hosts) + len(said.connections)
    evidence = (
        f"{len(hosts)} hosts and {len(rows) - len(hosts)} connections tried where tasks run, {by_task} of them by tasks of "
        f"the target and {len(rows) - by_task} by a process beside them; {len(bad)} failed.{why}"
    )
    next_ = "Open the path from the target to these hosts, or mend the connection; then check again." if bad else ""
    state = "open" if bad else "attention" if unsure else "done"
    return _item(context, "network", state, evidence, next_=next_, rows=rows)


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
        return _row(conn_id, "done", f"Its hook says: {message}")
    if "test_connection" in message:  # the hook offers no test: what counts is the network
        host = host_of(record.host or "") if record else ""
        is_open = not host or any(name.partition(":")[0] == host for name in reached)
        return _row(conn_id, "done" if is_open else "open", "Its hook has no test of its own; its host was tried.")
    # a DAG may use a connection's fields without any hook: then no provider is no fault
    state = "attention" if outcome == "no-provider" else "open"
    said = message or ("No provider that knows its type is installed." if outcome == "no-provider" else "")
    return _row(conn_id, state, f"{said} {hint}".strip())


def check_dags(context: ProofContext, params: Params) -> Result:
    """Every moving DAG: validated by apply, and known, parsed and free of import errors in the target now."""
    del params
    done, target, dags = _apply(context), _target(context), _moving(context)
    if target is None or "validate.dags" not in done:
        return _item(
            context, "dags", "open", "The plan is not applied yet.", next_=f"aerodrome migrate apply {context.row.name}"
        )
    failed = {str(name) for name in done["validate.dags"].get("failed_dags", ())}
    try:
        with AirflowRest.of(context.fleet.access(context.actor, target)) as rest:
            here = {dag.dag_id: dag for dag in rest.dags()}
            errors = rest.import_errors()
        deploys = context.fleet.list_deploys(context.actor, target, limit=1)
    except AerodromeError as error:
        return _item(context, "dags", "open", error.message, next_=error.hint)
    rows = [_row(dag_id, "open", "It failed its validation when the plan was applied.") for dag_id in sorted(failed)]
    for dag in dags:
        seen = here.get(dag.dag_id)
        if seen is None or seen.is_stale:
            rows.append(_row(dag.dag_id, "open", "The target does not know it now."))
        elif seen.has_import_errors:
            rows.append(_row(dag.dag_id, "open", "Its file does not import in the target."))
    rows += [_row(file, "attention", text.strip().splitlines()[-1][:300]) for file, text in errors]
    number = f"deploy #{deploys[0].number}" if deploys else "no deploy"
    bad = [row for row in rows if row["state"] == "open"]
    evidence = (
        f"{len(dags) - len({row['subject'] for row in bad})} of {len(dags)} DAGs are right; {number} is the newest."
    )
    state = "open" if bad else "attention" if rows else "done"
    next_ = (
        f"aerodrome migrate code {context.row.name} shows what was changed in a file; mend, deploy, check again."
        if rows
        else ""
    )
    return _item(context, "dags", state, evidence, next_=next_, rows=rows)


def check_parity(context: ProofContext, params: Params) -> Result:
    """The parity reports: one per moving DAG, none with an unexplained difference."""
    del params
    with context.migrations.store.reading() as session:
        query = select(ParityRow).where(ParityRow.migration_id == context.row.id).order_by(ParityRow.dag_id)
        reports = {row.dag_id: (row.verdict, row.summary) for row in session.scalars(query)}
    rows = []
    for dag in _moving(context):
        verdict, text = reports.get(dag.dag_id, ("not-compared", "There is no report."))
        if verdict not in ("match", "explained"):
            rows.append(_row(dag.dag_id, "open" if verdict == "mismatch" else "attention", text))
    total = len(_moving(context))
    if isinstance(context.config, DefinitionsConfig):
        return _without_results(context, DEFINITION_NAMES[context.config.kind], set(reports), rows)
    state = "open" if any(row["state"] == "open" for row in rows) else "attention" if rows else "done"
    evidence = f"{total - len(rows)} of {total} DAGs do the same as in the source."
    next_ = (
        f"aerodrome migrate compare {context.row.name} --in NAME compares; its pages show both sides." if rows else ""
    )
    return _item(context, "parity", state if total else "not-needed", evidence, next_=next_, rows=rows)


def _without_results(context: ProofContext, name: str, reported: set[str], rows: Sequence[Mapping[str, Any]]) -> Result:
    """Definitions: no results of the source are there to compare with; only what differs in structure counts."""
    moving = {dag.dag_id for dag in _moving(context)}
    different = [row for row in rows if row["state"] == "open"]
    evidence = (
        f"{name} hands no results of its runs over, so none can be compared. "
        f"The structure of {len(moving & reported)} of {len(moving)} DAGs was compared, {len(different)} differ."
    )
    next_ = (
        f"aerodrome migrate compare {context.row.name} --in {context.row.name}-dev --no-shadow compares structure and declared data; "
        "what the conversion could not keep stands in the findings; have the team look at the first run of each wave."
    )
    state = "open" if different else "attention" if moving else "not-needed"
    return _item(context, "parity", state, evidence, next_=next_, rows=different)


def check_alerts(context: ProofContext, params: Params) -> Result:
    """The target is watched, and somebody is told: a notification channel, or callbacks of the DAGs themselves."""
    del params
    target, dags = _target(context), _moving(context)
    if target is None:
        return _item(
            context, "alerts", "open", "There is no target yet.", next_=f"aerodrome migrate apply {context.row.name}"
        )
    now = context.migrations.clock.now()
    try:
        vitals = context.fleet.deployment_vitals(context.actor, target)
        standing = context.fleet.deployment_incidents(context.actor, target, is_open=True)
        channels = list(context.migrations.alert_channels(target))
    except AerodromeError as error:
        return _item(context, "alerts", "open", error.message, next_=error.hint)
    is_watched = vitals is not None and now - vitals.measured_at < WATCHED
    rows = [
        _row("watching", "done" if is_watched else "open", f"Last looked at {to_text(vitals.measured_at)}." if vitals else "Never looked at."),
        *(_row(name, "done", "A notification channel.") for name in channels),
        *(_row(incident.code, "attention", f"Open now: {incident.reason}") for incident in standing),
    ]  # fmt: skip
    own = [dag.dag_id for dag in dags if dag.callbacks or any(task.get("has_callbacks") for task in dag.tasks)]
    if own:
        rows.append(_row("callbacks", "done", f"{len(own)} of {len(dags)} DAGs have callbacks of their own."))
    if not is_watched:
        return _item(
            context, "alerts", "open", "Nobody watches the target.", next_="Start the platform's worker.", rows=rows
        )
    if channels:
        state = "attention" if standing else "done"
        return _item(context, "alerts", state, f"{len(channels)} channels tell of incidents.", rows=rows)
    if dags and len(own) == len(dags):
        return _item(context, "alerts", "done", "Every DAG tells of its failures by its own callbacks.", rows=rows)
    rows.append(_row("channels", "open", "No notification channel reaches anybody."))
    evidence = "Incidents are recorded and shown, but nobody is told."
    next_ = "aerodrome alert create NAME --workspace WORKSPACE sets up a channel; or let a monitoring system read /metrics and alert on aerodrome_deployment_incidents."
    return _item(context, "alerts", "open", evidence, next_=next_, rows=rows)


def check_access(context: ProofContext, params: Params) -> Result:
    """Every active user of the source has an account here whose role on the workspace allows as much as before."""
    del params
    scope = f"workspace/{context.row.workspace_id}"
    with context.migrations.store.reading() as session:
        people = [user for user in users.everybody(session) if user.is_active]
        grants: dict[str, list[tuple[str, str]]] = {}
        for grant in session.scalars(select(RoleGrant)):
            grants.setdefault(grant.user_id, []).append((grant.role, grant.scope))
        actors = {
            key.casefold(): Actor(user.id, user.name, "user", tuple(grants.get(user.id, ())))
            for user in people
            for key in (user.name, user.email or "")
            if key
        }
    here = [
        actor
        for actor in {actor.id: actor for actor in actors.values()}.values()
        if allows(actor, "deployment.read", scope)
    ]
    before = [record for record in context.estate.records("user") if record.is_active]
    rows = []
    for record in before:
        role = next((_ROLE_OF[name] for name in ("Admin", "Op", "User", "Viewer") if name in record.roles), "viewer")
        actor = actors.get(record.username.casefold()) or actors.get((record.email or "").casefold())
        if actor is None:
            rows.append(
                _row(
                    record.username, "open", f"Has no account here; was {', '.join(record.roles) or 'without a role'}."
                )
            )
        elif not allows(actor, _NEEDS[role], scope):
            rows.append(
                _row(
                    record.username, "open", f"Has no role here that allows what {', '.join(record.roles)} did: {role}."
                )
            )
        else:
            rows.append(_row(record.username, "done", f"Has an account; {role} or more on the workspace."))
    bad = [row for row in rows if row["state"] != "done"]
    if not before:
        state = "done" if len(here) > 1 else "attention"
        evidence = f"The source names no users; {_people(len(here))} with a role on the workspace."
        next_ = "" if state == "done" else "aerodrome user create NAME --role author, for each of the team."
        return _item(context, "access", state, evidence, next_=next_)
    evidence = f"{len(before) - len(bad)} of {len(before)} users of the source have what they need; {_people(len(here))} may look."
    next_ = (
        "aerodrome user create NAME --role ROLE; a user who shall not come is deactivated in the source." if bad else ""
    )
    return _item(context, "access", "open" if bad else "done", evidence, next_=next_, rows=rows)


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


def check_source(context: ProofContext, params: Params) -> Result:
    """The source answers now, holds every DAG that was handed over paused, and can be told what the target ran."""
    del params
    with context.migrations.store.reading() as session:
        handed = sorted(handed_over(session, context.row.id))
        open_windows = list(
            session.scalars(
                select(SplitBrainRow.dag_id).where(
                    SplitBrainRow.migration_id == context.row.id, SplitBrainRow.ended_at.is_(None)
                )
            )
        )
    moving = [dag.dag_id for dag in _moving(context)]
    try:
        states = context.source.dag_states(moving)
    except AerodromeError as error:
        next_ = f"{error.hint} Without the source there is no way back.".strip()
        return _item(context, "source", "open", error.message, next_=next_)
    gone = sorted(set(moving) - set(states))
    awake = sorted(dag_id for dag_id in handed if dag_id in states and not states[dag_id].is_paused)
    rows = [
        *(_row(dag_id, "open", "It was handed over and is active in the source as well.") for dag_id in awake),
        *(_row(dag_id, "open", "It is active on both sides now.") for dag_id in open_windows if dag_id not in awake),
        *(_row(dag_id, "attention", "The source does not know it any more.") for dag_id in gone),
    ]
    source = context.source
    if isinstance(source, AsksPeople):
        rows += [
            _row(dag_id, "attention", error.message) for dag_id, error in sorted(source.unanswered(moving).items())
        ]
    elif not isinstance(context.config, SourceConfig):
        said = "It cannot be told what the target ran: a DAG comes back only before its first run in the target."
        rows.append(_row("way back", "attention", said))
    bad = any(row["state"] == "open" for row in rows)
    state = "open" if bad else "attention" if rows else "done"
    evidence = (
        f"It answers now: {len(states)} of {len(moving)} DAGs are there, {len(handed)} of them handed over and paused."
    )
    if isinstance(context.config, DefinitionsConfig) and not context.config.server_url:
        name, asked = DEFINITION_NAMES[context.config.kind], sum(row["state"] == "attention" for row in rows)
        evidence = (
            f"{name} cannot be asked from here: {len(handed)} of {len(moving)} DAGs are handed over, held there by people; "
            f"{asked} more wait for the word of somebody."
        )
    if bad:
        evidence = f"{len(awake)} of {len(handed)} DAGs that were handed over are active there."
    next_ = "Pause them in the source; keep it running for one full cycle of every DAG at least." if bad else ""
    if not bad and rows and isinstance(source, AsksPeople):
        next_ = f"Hold them there right before their wave, and confirm it: aerodrome migrate holds {context.row.name}."
    return _item(context, "source", state, evidence, next_=next_, rows=rows)


def check_rollback(context: ProofContext, params: Params) -> Result:
    """The way back was walked once to its end, for one wave at least, and what stands for it now still holds."""
    del params
    with context.migrations.store.reading() as session:
        found = []
        for track in journal.tracks(session, context.row.id):
            if track.track.startswith(ROLLBACK) and track.done and not (track.pending or track.running or track.failed):
                steps = journal.steps(session, context.row.id, track.track)
                ended = max((step.finished_at for step in steps if step.finished_at), default=None)
                found.append((track.track.removeprefix(ROLLBACK), track.done, ended))
    rows = [_row(wave, "done", f"{steps} steps back, ended {to_text(ended)}.") for wave, steps, ended in found]
    if rows:
        return _item(
            context, "rollback", "done", f"{len(rows)} waves went back to the source once, to the end.", rows=rows
        )
    waves = list(context.row.waves)
    wave = waves[0] if waves else "WAVE"
    next_ = (
        f"Cut the wave with the least at stake over and bring it back: aerodrome migrate cutover {context.row.name} --wave {wave}; "
        f"aerodrome migrate rollback {context.row.name} --wave {wave}."
    )
    return _item(context, "rollback", "open", "No wave has gone back yet.", next_=next_)


def check_chains(context: ProofContext, params: Params) -> Result:
    """What the bridge cannot carry between DAGs that do not move together, by DAG and by what ties them."""
    del params
    place = {dag_id: wave["name"] for wave in context.settings["waves"] for dag_id in wave["dags"]}
    with context.migrations.store.reading() as session:
        moved = set(handed_over(session, context.row.id))
    found = uncarried(context.dags.values(), place, moved, is_bridged=isinstance(context.config, SourceConfig))
    rows = [_row(item.subject, "open", item.message) for item in found]
    if not rows:
        return _item(context, "chains", "done", "No trigger, alias or partition crosses the waves of the plan.")
    return _item(
        context, "chains", "open", f"{len(rows)} ties between DAGs are cut while they live on different sides.",
        next_=f"Put these DAGs into one wave: aerodrome migrate plan {context.row.name} --out FILE; or know what they miss.",
        rows=rows,
    )  # fmt: skip


Look = Callable[[ProofContext, Params], Result]


def _looking(key: str, look: Look) -> Look:
    """A look that cannot be made, since the target is gone or the source refuses, leaves its item open with the reason."""

    def looked(context: ProofContext, params: Params) -> Result:
        try:
            return look(context, params)
        except AerodromeError as error:
            if error.retryable:
                raise
            return _item(context, key, "open", error.message, next_=error.hint)

    return looked


_LOOKS: Mapping[str, Look] = {
    "chains": check_chains,
    "objects": check_objects,
    "backend": check_backend,
    "network": check_network,
    "dags": check_dags,
    "parity": check_parity,
    "alerts": check_alerts,
    "access": check_access,
    "source": check_source,
    "rollback": check_rollback,
}
HANDLERS = {f"checklist.{key}": _looking(key, look) for key, look in _LOOKS.items()}


def summary(results: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Sum the items up: ready when none is open."""
    items = [result["item"] for result in results.values() if "item" in result]
    counts = {
        state: sum(item["state"] == state for item in items) for state in ("done", "attention", "open", "not-needed")
    }
    return {"items": items, "counts": counts, "is_ready": bool(items) and counts["open"] == 0}
