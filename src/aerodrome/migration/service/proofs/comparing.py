"""Steps of a comparison: run shadows, compare, write one parity report per DAG."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete

from aerodrome.airflowkit.rest import AirflowRest, RestRun
from aerodrome.environments.contract import EffectiveView
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.digest import digest_of
from aerodrome.kernel.errors import AerodromeError, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.records import ConnectionRecord, DagRecord, EndpointRecord
from aerodrome.migration.parity import Declarations, Row, RunFacts, Side, compare_runs, read_declarations, verdict_of
from aerodrome.migration.parity.contract import counts_of
from aerodrome.migration.parity.reading import SHADOW, DatabaseRuns, Runs, StreamedRuns
from aerodrome.migration.parity.sandbox import refusals
from aerodrome.migration.parity.structure import structure_rows, task_rows
from aerodrome.migration.parity.values import Display, names_of
from aerodrome.migration.service.folder import write_json
from aerodrome.migration.service.proofs import data_checks
from aerodrome.migration.service.proofs.contract import ProofContext
from aerodrome.migration.service.proofs.preparing import make_ready
from aerodrome.migration.sources.contract import DEFINITION_NAMES, DefinitionsConfig
from aerodrome.migration.sources.registry import code_of, database_of
from aerodrome.migration.validate import validate_dags
from aerodrome.store import outbox
from aerodrome.store.tables.proof import ParityRow

PARSE_TIMEOUT_S = 120.0
IMPORT_ERROR_GRACE_S = 15.0
DAGS_PER_STEP = 8
MOST_EQUAL_ROWS = 400
MOST_ROWS = 3000
Params = Mapping[str, Any]
_WORDS = {
    "match": "match",
    "explained": "match with explained differences",
    "mismatch": "differ",
    "not-compared": "not compared",
}


@dataclass
class _Shadow:
    """One DAG on its way through a step."""

    dag_id: str
    record: DagRecord
    rows: list[Row] = field(default_factory=list)
    source: RunFacts | None = None
    run_id: str | None = None
    target: RunFacts | None = None


def compare_dags(context: ProofContext, params: Params) -> Mapping[str, Any]:
    """Compare some DAGs: structure, then a shadow run each, all of them at once, then their data checks."""
    desk = _Desk(context)
    shadows = [_Shadow(dag_id, context.dags[dag_id]) for dag_id in params["dag_ids"] if dag_id in context.dags]
    try:
        desk.await_parsed([shadow.dag_id for shadow in shadows])
        for shadow in shadows:
            desk.look_at_structure(shadow)
        if context.params["with_shadow"]:
            for shadow in shadows:
                desk.start(shadow)
            desk.await_runs(shadows, float(context.params["timeout_s"]))
            for shadow in shadows:
                desk.read(shadow)
        else:
            for shadow in shadows:
                shadow.rows.append(
                    Row("run", "", "", "not-compared", "–", "–", "not-asked", "No shadow run was asked for.")
                )
        for shadow in shadows:
            checks = desk.declared.checks_of(shadow.dag_id)
            shadow.rows += data_checks.run(
                context, desk.deployment_id, checks, shadow.source.run if shadow.source else None
            )
        verdicts = {shadow.dag_id: desk.write(shadow) for shadow in shadows}
    finally:
        desk.close()
    counted = {verdict: list(verdicts.values()).count(verdict) for verdict in sorted(set(verdicts.values()))}
    text = ", ".join(f"{number} {_WORDS[verdict]}" for verdict, number in counted.items())
    return {"verdicts": verdicts, "summary": f"{text}." if text else "No DAG of the estate."}


def compare_data(context: ProofContext, params: Params) -> Mapping[str, Any]:
    """Run the data checks that belong to no DAG."""
    del params
    declared = read_declarations(context.params.get("file"))
    rows = data_checks.run(context, context.results["compare.ready"]["deployment_id"], declared.checks_of(""), None)
    different = sum(row.outcome == "different" for row in rows)
    return {"rows": [row.as_data() for row in rows], "summary": f"{len(rows)} compared, {different} differ."}


class _Desk:
    """What the DAGs of one step share."""

    def __init__(self, context: ProofContext) -> None:
        self.context = context
        self.deployment_id = str(context.results["compare.ready"]["deployment_id"])
        self.deployment = str(context.results["compare.ready"]["deployment"])
        self.declared: Declarations = read_declarations(context.params.get("file"))
        self.access = context.fleet.access(context.actor, self.deployment_id)
        self.rest = AirflowRest.of(self.access)
        self.unpaused: set[str] = set()
        self.target = DatabaseRuns(self.access.database_url)
        url = database_of(context.config)
        self.source: Runs = StreamedRuns(context.source) if url is None else DatabaseRuns(url, _logs(context))
        estate = context.estate
        self.connections: dict[str, ConnectionRecord] = {item.conn_id: item for item in estate.records("connection")}
        self.endpoints: list[EndpointRecord] = list(estate.records("endpoint"))
        self.env_names = _env_names(context, self.deployment_id)
        views = context.fleet.environment.effective(context.actor, self.deployment_id, "connection").items
        self.effective: dict[str, EffectiveView] = {view.name: view for view in views}

    def close(self) -> None:
        """Pause again what was unpaused, as well as that still goes, and let go of both sides."""
        for dag_id in sorted(self.unpaused):
            with suppress(AerodromeError):  # it schedules nothing by itself anyway
                self.rest.set_paused(dag_id, is_paused=True)
        self.rest.close()
        self.target.close()
        self.source.close()

    def await_parsed(self, dag_ids: Sequence[str]) -> None:
        began = time.monotonic()
        while (waited := time.monotonic() - began) < PARSE_TIMEOUT_S:
            known = {dag.dag_id for dag in self.rest.dags()}
            if not set(dag_ids) - known or (waited > IMPORT_ERROR_GRACE_S and self.rest.import_errors()):
                return
            self.context.progress("waiting until the deployment has parsed the DAGs")
            self.context.sleep(0.5)

    def look_at_structure(self, shadow: _Shadow) -> None:
        shadow.rows += structure_rows(
            row
            for row in validate_dags(self.rest, self.context.estate, [shadow.dag_id])
            if row.check != "file-imports" or shadow.dag_id in row.hint
        )
        if any(
            row.outcome == "different" and row.code in ("dag-parsed", "dag-known", "file-imports")
            for row in shadow.rows
        ):
            return
        shadow.rows += task_rows(shadow.record, self.rest.tasks(shadow.dag_id))

    def start(self, shadow: _Shadow) -> None:
        """Start the shadow run, unless it would touch what is no sandbox; the id is the mark by which a retry finds it."""
        context, dag_id = self.context, shadow.dag_id
        if any(row.code in ("dag-parsed", "dag-known", "file-imports") for row in shadow.rows):
            shadow.rows.append(Row("run", "", "", "not-compared", "–", "–", "dag-missing", "It does not parse there."))
            return
        allowed = (*self.declared.connections, *context.params["allow_connections"])
        hosts = (*self.declared.hosts, *context.params["allow_hosts"])
        found = refusals(shadow.record, self.connections, self.effective, self.endpoints, allowed, hosts)
        shadow.rows += [
            Row("run", refusal.subject, "", "not-compared", "–", "–", refusal.code, f"{refusal.message} {refusal.hint}")
            for refusal in found
        ]
        if found:
            return
        if isinstance(
            context.config, DefinitionsConfig
        ):  # its only run is the boundary: a marker, nothing that ran here
            message = (
                f"{DEFINITION_NAMES[context.config.kind]} hands no results of its runs over: nothing to compare with."
            )
            shadow.rows.append(Row("run", "", "", "not-compared", "–", "–", "no-results", message))
            return
        run_id = self.source.newest(dag_id)
        shadow.source = self.source.facts(dag_id, run_id) if run_id else None
        if shadow.source is None:
            message = "The source has no finished run of it with a logical date."
            shadow.rows.append(Row("run", "", "", "not-compared", "–", "–", "no-run", message))
            return
        self._trigger(shadow, shadow.source.run)

    def _trigger(self, shadow: _Shadow, run: Mapping[str, Any]) -> None:
        dag_id, logical = shadow.dag_id, run["logical_date"]
        wanted = f"{SHADOW}{self.context.proof_id}__{logical:%Y-%m-%dT%H:%M:%S}"
        standing = self.target.at(dag_id, logical)
        if standing is not None and standing != wanted:
            if not standing.startswith(SHADOW):
                message = f"The deployment has a run of its own for this date: {standing}."
                shadow.rows.append(Row("run", "", "", "not-compared", "–", standing, "date-taken", message))
                return
            self.rest.delete_run(dag_id, standing)
        if standing != wanted:
            start, end = run["data_interval_start"], run["data_interval_end"]
            self.rest.trigger(
                dag_id,
                run_id=wanted,
                logical_date=logical,
                interval=(start, end) if start and end else None,
                conf=_conf(run),
            )
        shadow.run_id = wanted
        self.unpaused.add(dag_id)
        self.rest.set_paused(dag_id, is_paused=False)

    def await_runs(self, shadows: Sequence[_Shadow], timeout_s: float) -> None:
        """Wait until all have ended or the time is up, then pause them again."""
        waiting = {shadow.dag_id: shadow for shadow in shadows if shadow.run_id}
        end = time.monotonic() + timeout_s
        while waiting and time.monotonic() < end:
            for dag_id, shadow in list(waiting.items()):
                if self.rest.run(dag_id, str(shadow.run_id)).is_finished:
                    del waiting[dag_id]
            if waiting:
                self.context.progress(f"{len(waiting)} shadow runs are going on: {', '.join(sorted(waiting)[:3])}")
                self.context.sleep(1.0)
        for dag_id in sorted(self.unpaused):
            self.rest.set_paused(dag_id, is_paused=True)
        self.unpaused.clear()
        for dag_id, shadow in waiting.items():
            run: RestRun = self.rest.run(dag_id, str(shadow.run_id))
            message = f"The shadow run was still {run.state} after {timeout_s:.0f} s; its tasks so far stand below."
            state = str(shadow.source.run["state"]) if shadow.source else "–"
            shadow.rows.append(Row("run", "", "", "different", state, run.state, "shadow-slow", message))

    def read(self, shadow: _Shadow) -> None:
        """Read what the shadow run left and compare it with the source's."""
        if shadow.source is None or shadow.run_id is None:
            return
        target = self.target.facts(shadow.dag_id, shadow.run_id)
        if target is None:
            raise Unavailable(f"The shadow run of {shadow.dag_id} is gone.", code="shadow-gone", hint="Compare again.")
        if shadow.source.logs is not None:
            logs = {
                key: self.rest.task_log(shadow.dag_id, shadow.run_id, key[0], int(task["try_number"] or 1), key[1])
                for key, task in target.tasks.items()
                if key in shadow.source.logs
            }
            target = RunFacts(target.run, target.tasks, target.xcoms, target.rendered, logs, target.unread)
        shadow.target = target
        left_names, right_names = dict(self.env_names[0]), dict(self.env_names[1])
        for conn_id in shadow.record.connections:
            if conn_id in self.connections and conn_id in self.effective:
                one, other = names_of(conn_id, vars(self.connections[conn_id]), self.effective[conn_id].fields)
                left_names |= one
                right_names |= other
        folders = code_of(self.context.config)
        own = (str(folders.dags_folder), str(folders.dags_folder.parent))
        home = self.context.migrations.home / "deployments" / self.deployment_id
        left = _side(shadow.source.run, own, left_names)
        right = _side(target.run, (str(home / "project" / "dags"), str(home / "project"), str(home)), right_names)
        display = Display(self.context.migrations.fingerprint_key, self._secrets(shadow.record))
        shadow.rows += compare_runs(shadow.dag_id, shadow.source, target, left, right, display, self.declared)

    def _secrets(self, record: DagRecord) -> Iterator[Secret]:
        """Give the values of the source that no report may show."""
        source, estate = self.context.source, self.context.estate
        readable = [
            conn_id
            for conn_id in record.connections
            if conn_id in self.connections
            and self.connections[conn_id].error is None
            and self.connections[conn_id].origin != "secrets-backend"
        ]
        names = [
            item.name
            for item in estate.records("variable")
            if item.name in record.variables
            and item.is_sensitive
            and item.error is None
            and item.origin != "secrets-backend"
        ]
        try:
            for value in source.connection_values(readable):
                yield from (part for part in (value.password, value.extra) if part)
            for variable in source.variable_values(names):
                yield variable.value
        except AerodromeError:
            return  # a source that gives no values has none that could show

    def write(self, shadow: _Shadow) -> str:
        """Write the report's file and its short form; give the verdict."""
        context, now = self.context, self.context.migrations.clock.now()
        rows = _bounded(shadow.rows)
        verdict, counts = verdict_of(shadow.rows), counts_of(shadow.rows)
        report = {
            "dag_id": shadow.dag_id,
            "migration": context.row.name,
            "verdict": verdict,
            "summary": _sentence(shadow.rows),
            "made_at": to_text(now),
            "proof": context.proof_id,
            "estate_digest": context.row.estate_digest,
            "plan_digest": context.row.plan_digest,
            "deployment": self.deployment,
            "tolerance": {"factor": self.declared.factor, "seconds": self.declared.seconds},
            "source_run": _run_data(shadow.source),
            "target_run": _run_data(shadow.target),
            "counts": counts,
            "left_out": len(shadow.rows) - len(rows),
            "rows": [row.as_data() for row in rows],
        }
        report = context.fleet.hide(context.actor, self.deployment_id, report)
        keep_report(context, report)
        return verdict


def keep_report(context: ProofContext, report: Mapping[str, Any]) -> None:
    """Keep a report that is fit to be shown, in its file and in short; alert channels are told of a DAG that differs."""
    dag_id, verdict, now = report["dag_id"], report["verdict"], context.migrations.clock.now()
    write_json(context.folder.parity(dag_id), report)
    with context.migrations.store.writing() as session:
        session.execute(delete(ParityRow).where(ParityRow.migration_id == context.row.id, ParityRow.dag_id == dag_id))
        session.add(
            ParityRow(
                migration_id=context.row.id,
                dag_id=dag_id,
                proof_id=context.proof_id,
                verdict=verdict,
                summary=str(report["summary"]),
                counts=report["counts"],
                deployment=report["deployment"],
                digest=digest_of(report),
                made_at=now,
            )
        )
        if verdict == "mismatch":
            scope = f"workspace/{context.row.workspace_id}/migration/{context.row.id}"
            told = {"name": context.row.name, "dag_id": dag_id, "summary": report["summary"]}
            outbox.emit(session, "migration.parity-different", scope, told, "system")


def _env_names(context: ProofContext, deployment_id: str) -> tuple[dict[str, str], dict[str, str]]:
    """Give placeholders for the plain environment variables that have another value on each side."""
    here = context.fleet.get_deployment(context.actor, deployment_id).env
    names = [
        record.name
        for record in context.estate.records("env_var")
        if record.purpose == "user" and not record.is_secret and record.name in here
    ]
    left: dict[str, str] = {}
    right: dict[str, str] = {}
    try:
        for name, value in context.source.env_values(names):
            one, other = value.reveal(), str(here[name])
            if one != other and min(len(one), len(other)) > 3:
                left[one] = right[other] = f"{{env.{name}}}"
    except AerodromeError:
        return {}, {}  # a source whose environment is not known any more
    return left, right


def _sentence(rows: Sequence[Row]) -> str:
    bad = [row for row in rows if row.outcome == "different"]
    if bad:
        first = bad[0]
        place = " ".join(part for part in (first.subject, first.field) if part)
        more = f" And {len(bad) - 1} more." if len(bad) > 1 else ""
        said = first.message.strip().splitlines()[-1]  # of a traceback the line that names the error
        return f"{first.aspect}{f' of {place}' if place else ''}: {said}{more}"
    if refused := [row for row in rows if row.aspect == "run" and row.outcome == "not-compared"]:
        return refused[0].message
    explained = sum(row.outcome == "explained" for row in rows)
    return f"Equal, with {explained} explained differences." if explained else "Equal in all that was compared."


def _bounded(rows: Sequence[Row]) -> list[Row]:
    """Keep every difference and explanation, and of what is equal the first; the counts say the rest."""
    kept: list[Row] = []
    equal = 0
    for row in rows:
        if row.outcome == "equal" and row.aspect in ("xcom", "rendered", "duration", "tries"):
            equal += 1
            if equal > MOST_EQUAL_ROWS:
                continue
        if len(kept) < MOST_ROWS:
            kept.append(row)
    return kept


def _side(run: Mapping[str, Any], folders: tuple[str, ...], names: Mapping[str, str]) -> Side:
    return Side(
        str(run["run_id"]), run["start_date"], run["end_date"], tuple(item for item in folders if len(item) > 4), names
    )


def _run_data(facts: RunFacts | None) -> Mapping[str, Any] | None:
    if facts is None:
        return None
    moments = ("logical_date", "data_interval_start", "data_interval_end", "start_date", "end_date")
    return {
        "run_id": facts.run_id,
        "run_type": facts.run["run_type"],
        "state": facts.run["state"],
        **{name: to_text(value) if isinstance(value := facts.run[name], datetime) else None for name in moments},
    }


def _conf(run: Mapping[str, Any]) -> Mapping[str, Any] | None:
    import json  # only here

    text = run.get("conf")
    if not text:
        return None
    found = json.loads(text)
    return found if isinstance(found, dict) else None


def _logs(context: ProofContext) -> Path | None:
    """Give the folder of the source's task logs, when somebody named it or its configuration does and it is here."""
    if named := context.params.get("source_logs"):
        return Path(str(named))
    for record in context.estate.records("config"):
        if record.option in ("logging.base_log_folder", "core.base_log_folder") and record.value:
            path = Path(record.value)
            return path if path.is_dir() else None
    return None


def summary(results: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Sum the verdicts of all steps up."""
    verdicts = [verdict for result in results.values() for verdict in result.get("verdicts", {}).values()]
    counts = {name: verdicts.count(name) for name in ("match", "explained", "mismatch", "not-compared")}
    data = results.get("compare.data", {}).get("rows", ())
    return {
        "dags": len(verdicts),
        **counts,
        "data_rows": list(data),
        "deployment": results.get("compare.ready", {}).get("deployment"),
    }


HANDLERS = {"compare.ready": make_ready, "compare.dags": compare_dags, "compare.data": compare_data}
