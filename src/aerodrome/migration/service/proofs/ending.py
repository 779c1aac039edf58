"""Steps of a decommission: is the source quiet, the final backup with its proof, the logs, what to remove, the runbook.

Nothing is switched off here, and nothing that is open stops the walk: the result says whether the source may go, and why not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.digest import digest_of, digest_of_stream
from aerodrome.kernel.errors import AerodromeError, Invalid, NotFound
from aerodrome.kernel.files import write_text
from aerodrome.kernel.secret import Secret
from aerodrome.migration.decommission import access_log, definitions, infrastructure, keeping, quiet
from aerodrome.migration.decommission.quiet import Check
from aerodrome.migration.decommission.runbook import runbook
from aerodrome.migration.service.proofs.contract import ProofContext
from aerodrome.migration.service.tracks import CUTOVER
from aerodrome.migration.sources.airflow_rest.activity import Activity, TellsActivity
from aerodrome.migration.sources.contract import DEFINITION_NAMES, ArchiveConfig, DefinitionsConfig, SourceConfig
from aerodrome.store import journal

Params = Mapping[str, Any]
Result = Mapping[str, Any]


def passphrase_path(proof_id: str) -> str:
    """Give where the secret store keeps the passphrase while the proof is walked."""
    return f"migration-proof/{proof_id}/passphrase"


def check_quiet(context: ProofContext, params: Params) -> Result:
    """Look whether nothing ran, is scheduled or called in the source for so many days."""
    days = int(params["days"])
    since = context.migrations.clock.now() - timedelta(days=days)
    checks = [_handed_over(context)]
    if isinstance(context.config, SourceConfig):
        with closing(MetadataDatabase(context.config.database_url)) as database:
            checks += quiet.look(database, since, days)
    elif isinstance(context.config, ArchiveConfig):
        message = "An archive is a picture: it cannot tell what the source does now."
        checks.append(
            Check("running", "Nothing runs", "open", message, "Connect the running source in a migration of its own.")
        )
    elif isinstance(context.config, DefinitionsConfig):
        states = context.source.dag_states(sorted(context.dags))
        checks += definitions.look(context.config.kind, states, is_asked=bool(context.config.server_url))
    else:
        checks += _over_rest(context, since, days)
    if path := params.get("access_log"):
        checks.append(access_log.look(Path(str(path)), since, days))
    elif not isinstance(context.config, DefinitionsConfig):
        title, message = (
            f"No request for {days} days",
            "No access log was given; only Airflow's own audit log was read.",
        )
        checks.append(Check("requests", title, "attention", message, "Give one: --access-log FILE."))
    open_ = [check for check in checks if check.state == "open"]
    text = "The source is quiet." if not open_ else f"Not quiet: {', '.join(check.title.lower() for check in open_)}."
    return {
        "checks": [check.as_data() for check in checks],
        "is_quiet": not open_,
        "days": days,
        "since": to_text(since),
        "summary": text,
    }


def _handed_over(context: ProofContext) -> Check:
    title = "Every wave is handed over"
    with context.migrations.store.reading() as session:
        done = {
            track.track
            for track in journal.tracks(session, context.row.id)
            if track.done and not (track.pending or track.running or track.failed)
        }
    left = [wave for wave in context.row.waves if f"{CUTOVER}{wave}" not in done]
    if left or not context.row.waves:
        names = ", ".join(left) or "no wave is planned"
        hint = f"aerodrome migrate cutover {context.row.name} --wave {left[0]}" if left else ""
        return Check("handed-over", title, "open", f"Not yet: {names}.", hint, tuple(left))
    return Check("handed-over", title, "done", f"{len(context.row.waves)} waves are done.")


def _over_rest(context: ProofContext, since: datetime, days: int) -> list[Check]:
    """Look over an API: what goes on now, and what went on since then; what cannot be read says so."""
    source = context.source
    try:
        states = list(source.dag_states(sorted(context.dags)).values())
        if not isinstance(source, TellsActivity):
            nothing = Activity(None, None)
            return [*quiet.now_over_rest(nothing, states), *quiet.of_activity(nothing, since, days)]
        found = source.activity(since)
    except AerodromeError as error:
        if error.retryable:
            raise
        return quiet.unreadable(days, error.message)
    return [*quiet.now_over_rest(found, states), *quiet.of_activity(found, since, days)]


def back_up(context: ProofContext, params: Params) -> Result:
    """Take the final backup, seal it, restore it once."""
    del params
    passphrase = _passphrase(context)
    if passphrase is None:
        return {"state": "open", "summary": "No passphrase was given, so no backup was taken."}
    if isinstance(context.config, ArchiveConfig):
        path = context.config.archive
        with path.open("rb") as stream:
            digest = digest_of_stream(stream)
        text = "The archive itself is the last picture; keep it with its key."
        return {
            "state": "attention",
            "backup": {"path": str(path), "digest": digest, "kind": "archive"},
            "summary": text,
        }
    if isinstance(context.config, DefinitionsConfig):
        return _keep_definitions(context, context.config, passphrase)
    if not isinstance(context.config, SourceConfig):
        return {"state": "open", "summary": "The metadata database is not reachable over REST: back it up where it is."}
    target = context.folder.final / "metadata.aerodrome-backup"
    version = context.row.source_version or "unknown"
    try:
        made = keeping.back_up(context.config.database_url, version, target, passphrase, context.progress)
    except AerodromeError as error:
        if error.retryable:
            raise
        return {"state": "open", "summary": f"{error.message} {error.hint}".strip()}
    try:
        tested = keeping.test_restore(
            target, passphrase, lambda: _scratch(context), context.progress, context.migrations.clock.now()
        )
    except AerodromeError as error:
        if error.retryable:
            raise
        return {
            "state": "open",
            "backup": {**made, "restore_test": {"is_proven": False, "message": error.message}},
            "summary": f"Taken, but not restored: {error.message} {error.hint}".strip(),
        }
    text = f"{made['size_bytes']:,} bytes, sealed; restored once: {tested['tables']} tables, {tested['rows']:,} rows, the same."
    return {"state": "done", "backup": {**made, "restore_test": tested}, "summary": text}


def _keep_definitions(context: ProofContext, config: DefinitionsConfig, passphrase: Secret) -> Result:
    """Definitions have no metadata database: what brings them back are the files themselves."""
    target = context.folder.final / "definitions.aerodrome-backup"
    try:
        made = keeping.archive_definitions(config.path, config.profile, target, passphrase, context.progress)
    except Invalid as error:
        return {"state": "open", "summary": f"{error.message} {error.hint}"}
    tested = {"is_proven": True, "files": made["files"], "at": to_text(context.migrations.clock.now())}
    text = f"{made['files']:,} files of definitions, {made['bytes']:,} bytes, sealed and read back."
    return {"state": "done", "backup": {**made, "kind": "definitions", "restore_test": tested}, "summary": text}


@contextmanager
def _scratch(context: ProofContext) -> Iterator[Secret]:
    """Give an empty database on the platform's own PostgreSQL, never on the source's server."""
    with context.fleet.scratch_database(context.proof_id.replace("_", "")) as url:
        yield url


def archive_logs(context: ProofContext, params: Params) -> Result:
    """Seal the source's task logs into one file, when a folder was named."""
    folder = params.get("logs")
    if not folder:
        return {"state": "attention", "summary": "No folder of logs was named, so none were archived."}
    passphrase = _passphrase(context)
    if passphrase is None:
        return {"state": "open", "summary": "No passphrase was given, so no logs were archived."}
    target = context.folder.final / "logs.aerodrome-backup"
    made = keeping.archive_logs(Path(str(folder)), target, passphrase, context.progress)
    return {
        "state": "done",
        "logs": made,
        "summary": f"{made['files']:,} files, {made['bytes']:,} bytes, sealed and read back.",
    }


def list_infrastructure(context: ProofContext, params: Params) -> Result:
    """Derive what there is to remove and to revoke."""
    del params
    hosts: list[dict[str, Any]] = []
    if isinstance(context.config, SourceConfig):
        with closing(MetadataDatabase(context.config.database_url)) as database:
            hosts = infrastructure.hosts_of(database)
    source = context.row.source
    items = infrastructure.derive(context.estate, str(source["label"]), hosts, source_kind=str(source["kind"]))
    kinds: dict[str, int] = {}
    for item in items:
        kinds[item.kind] = kinds.get(item.kind, 0) + 1
    text = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return {"items": [item.as_data() for item in items], "summary": f"To remove or revoke: {text}."}


def write_runbook(context: ProofContext, params: Params) -> Result:
    """Fill the runbook in and write it beside the other files of the migration."""
    del params
    results = context.results
    settings = context.settings
    facts = {
        "migration": context.row.name,
        "source": context.row.source["label"],
        "source_name": _source_name(context),
        "deployment": settings["target"]["deployment"],
        "target_version": settings["target"]["airflow"],
        "dags": len(context.migrations.moving(context.row)),
        "made_at": to_text(context.migrations.clock.now()),
        "backup": results.get("decommission.backup", {}).get("backup"),
        "logs": results.get("decommission.logs", {}).get("logs"),
    }
    if facts["backup"] and facts["backup"].get("kind") == "archive":
        facts["backup"] = None
    items = results["decommission.infrastructure"]["items"]
    text = runbook(facts, items, results["decommission.quiet"]["checks"])
    write_text(context.folder.runbook, text)
    return {"digest": digest_of(text), "lines": text.count("\n"), "summary": "Written; fill in the names of people."}


def _source_name(context: ProofContext) -> str:
    name = DEFINITION_NAMES.get(str(context.row.source["kind"]))
    return f"The {name} estate" if name else f"Airflow {context.row.source_version}"


def _passphrase(context: ProofContext) -> Secret | None:
    try:
        return context.migrations.secrets.get(passphrase_path(context.proof_id))
    except NotFound:
        return None


def forget_passphrase(context: ProofContext) -> None:
    """Forget the passphrase once the proof has ended; only who chose it can open the files now."""
    context.migrations.secrets.delete(passphrase_path(context.proof_id))


HANDLERS = {
    "decommission.quiet": check_quiet,
    "decommission.backup": back_up,
    "decommission.logs": archive_logs,
    "decommission.infrastructure": list_infrastructure,
    "decommission.runbook": write_runbook,
}


def summary(results: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Sum up: may the source go, and if not, what stands against it."""
    looked = results.get("decommission.quiet", {})
    backup, logs = results.get("decommission.backup", {}), results.get("decommission.logs", {})
    against = [
        f"{check['title']}: {check['message']}" for check in looked.get("checks", ()) if check["state"] == "open"
    ]
    if backup.get("state", "open") == "open":
        against.append(f"Final backup: {backup.get('summary', 'not taken.')}")
    if logs.get("state") == "open":
        against.append(f"Logs: {logs['summary']}")
    return {
        "may_go": not against and bool(looked),
        "against": against,
        "checks": looked.get("checks", []),
        "days": looked.get("days"),
        "backup": backup.get("backup"),
        "backup_summary": backup.get("summary"),
        "logs": logs.get("logs"),
        "logs_summary": logs.get("summary"),
        "items": results.get("decommission.infrastructure", {}).get("items", []),
        "runbook": "decommission.runbook" in results,
    }
