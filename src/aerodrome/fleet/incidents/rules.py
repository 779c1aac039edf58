"""What counts as wrong with a deployment: pure functions from a look to problems, one per code.

Called by the watcher. `memory` is what the last look left behind; the new one comes back in the verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from aerodrome.airflowkit.vitals import Pulse
from aerodrome.fleet.incidents import storage
from aerodrome.fleet.incidents.contract import Limits, Look, Problem, Severity, Verdict
from aerodrome.fleet.incidents.wording import span
from aerodrome.kernel.amounts import size
from aerodrome.kernel.clock import from_text, to_text

_SETTLED: Final = ("healthy", "degraded", "unhealthy")
_FROM_PULSE: Final = frozenset(
    {"heartbeat-late", "import-errors", "database-large", "queue-full", "queue-stuck", "pool-full", "parsing-slow"}
)
_KEY_COMPONENTS: Final = ("scheduler", "api-server", "webserver")


def judge(look: Look, memory: Mapping[str, Any], limits: Limits) -> Verdict:
    """Give all that is wrong now, and what to remember until the next look."""
    if look.desired != "running":
        return Verdict(tuple(_backups(look, limits)), frozenset(), _asleep(memory))
    pulse = look.measurement.pulse if look.measurement is not None else None
    remembered = {**memory, "restarts": _restarts(look, memory, limits)}
    problems = [*_reachable(look), *_loops(look, remembered, limits), *_backups(look, limits), *_disk(look, limits)]
    if pulse is None:
        return Verdict((*problems, *_silent(look)), _FROM_PULSE, remembered)
    remembered |= _imports(look, pulse, memory) | {"tables": storage.remember(look.now, pulse, memory)}
    problems += [
        *_heartbeats(look, pulse, limits),
        *_import_errors(look, pulse, remembered),
        *storage.large(look.name, pulse, remembered["tables"], limits),
        *_queue(look, pulse, limits),
        *_pools(look, pulse, limits),
        *_parsing(look, pulse, limits),
    ]
    return Verdict(tuple(problems), frozenset(), remembered)


def _asleep(memory: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in memory.items() if name not in ("restarts", "pending")}


def _reachable(look: Look) -> Iterator[Problem]:
    if look.error is not None:
        yield Problem(
            "not-as-wanted",
            "critical",
            str(look.error.get("message", "The wish cannot be made true.")),
            str(look.error.get("hint", "")),
            patience_s=30,
            data={"error": str(look.error.get("code", ""))},
        )
    if look.status == "unhealthy":
        yield Problem(
            "not-reachable",
            "critical",
            " ".join(look.reasons) or "Airflow does not answer.",
            f"`aerodrome deployment logs {look.name} scheduler` shows what Airflow says.",
            patience_s=45,
        )


def _silent(look: Look) -> Iterator[Problem]:
    trouble = look.trouble or (look.measurement.trouble if look.measurement is not None else None)
    if trouble is not None:
        yield Problem(
            "database-silent",
            "critical" if look.trouble else "warning",
            trouble,
            "Look whether its server runs and is not overloaded, and whether its password is still right.",
            patience_s=60,
        )


def _restarts(look: Look, memory: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """Give component -> [[moment, restarts so far] …] within the window, the last one before it included."""
    earliest = look.now - timedelta(seconds=limits.restarts_within_s)
    history: dict[str, Any] = {}
    for part in look.components:
        before = [entry for entry in memory.get("restarts", {}).get(part["name"], []) if entry[1] <= part["restarts"]]
        if not before or before[-1][1] != part["restarts"]:
            before = [*before, [to_text(look.now), part["restarts"]]]
        while len(before) > 1 and _at(before[1][0]) <= earliest:
            before = before[1:]
        history[part["name"]] = before[-20:]
    return history


def _loops(look: Look, memory: Mapping[str, Any], limits: Limits) -> Iterator[Problem]:
    earliest = look.now - timedelta(seconds=limits.restarts_within_s)
    for part in look.components:
        entries = memory["restarts"].get(part["name"], [])
        grown = entries[-1][1] - entries[0][1] if len(entries) > 1 else 0
        if grown < limits.restarts or _at(entries[-1][0]) <= earliest:
            continue
        yield Problem(
            "restart-loop",
            "critical" if part["name"] in _KEY_COMPONENTS else "warning",
            f"{part['name']} ended {grown} times within {span(limits.restarts_within_s)}."
            f"{' ' + part['reason'] if part.get('reason') else ''}",
            f"`aerodrome deployment logs {look.name} {part['name']}` shows why it ends.",
            subject=part["name"],
            data={"restarts": grown},
        )


def _heartbeats(look: Look, pulse: Pulse, limits: Limits) -> Iterator[Problem]:
    if look.status not in _SETTLED:
        return
    running = {
        part["name"]: from_text(part.get("started_at")) for part in look.components if part["state"] == "running"
    }
    for name in ("scheduler", "dag-processor", "triggerer"):
        started_at = running.get(name)
        if started_at is None or (look.now - started_at).total_seconds() < limits.heartbeat_late_s * 2:
            continue  # not a component here, or not long enough
        last = pulse.heartbeats.get(name)
        age = None if last is None else (look.now - last).total_seconds()
        if age is not None and age < limits.heartbeat_late_s:
            continue
        is_missing = age is None or age >= limits.heartbeat_missing_s
        said = "has never sent a heartbeat" if age is None else f"has sent no heartbeat for {span(age)}"
        severity: Severity = "critical" if is_missing and name == "scheduler" else "warning"
        yield Problem(
            "heartbeat-late",
            severity,
            f"The {name} runs but {said}.",
            f"It may hang or starve: `aerodrome deployment logs {look.name} {name}`, then memory and CPU of the machine.",
            subject=name,
            data={"age_s": None if age is None else round(age)},
        )


def _imports(look: Look, pulse: Pulse, memory: Mapping[str, Any]) -> dict[str, Any]:
    """Keep which files did not load before the present deploy, so that new ones can be told apart."""
    base = memory.get("imports_before") or {"deploy": look.deploy_number, "files": []}
    if base["deploy"] != look.deploy_number:
        base = {"deploy": look.deploy_number, "files": memory.get("imports", [])}
    return {"imports_before": base, "imports": list(pulse.import_errors)}


def _import_errors(look: Look, pulse: Pulse, memory: Mapping[str, Any]) -> Iterator[Problem]:
    if not pulse.import_error_count:
        return
    known = {_file(name) for name in memory["imports_before"]["files"]}
    fresh = [name for name in map(_file, pulse.import_errors) if name not in known]
    since = f" since deploy {look.deploy_number}" if look.deploy_number is not None else ""
    count = pulse.import_error_count
    said = f"{count} DAG {'file does' if count == 1 else 'files do'} not load"
    told = (
        f"{said}, {len(fresh)} of them new{since}: {', '.join(fresh[:3])}."
        if fresh
        else f"{said}: as before the deploy."
    )
    yield Problem(
        "import-errors",
        "critical" if fresh else "warning",
        told,
        f"Mend them and deploy again, or go back: `aerodrome deploy rollback NUMBER --deployment {look.name}`.",
        patience_s=15,
        data={"count": count, "new_files": fresh[:20]},
    )


def _file(name: str) -> str:
    """Give a file's name below `dags/`; Airflow 2 writes the full path, with the release's folder in it."""
    return name.rpartition("/dags/")[2]


def _queue(look: Look, pulse: Pulse, limits: Limits) -> Iterator[Problem]:
    busy = pulse.task_instances["running"] + pulse.task_instances["queued"]
    waiting = pulse.task_instances["queued"] + pulse.task_instances["scheduled"]
    since = min((at for at in (pulse.queued_since, pulse.scheduled_since) if at is not None), default=None)
    if since is None or (waited_s := (look.now - since).total_seconds()) < limits.queue_wait_s:
        return
    if busy >= look.parallelism:
        yield Problem(
            "queue-full",
            "warning",
            f"All {look.parallelism} slots are taken and {waiting} tasks wait, the longest for {span(waited_s)}.",
            f"Give it more: `aerodrome deployment update {look.name} --parallelism {look.parallelism * 2}`.",
            data={"waiting": waiting, "parallelism": look.parallelism},
        )
    elif pulse.queued_since is not None and (look.now - pulse.queued_since).total_seconds() >= limits.queue_wait_s:
        yield Problem(
            "queue-stuck",
            "warning",
            f"A task is queued for {span((look.now - pulse.queued_since).total_seconds())} although slots are free.",
            f"The executor does not take it: `aerodrome deployment logs {look.name} scheduler`.",
        )


def _pools(look: Look, pulse: Pulse, limits: Limits) -> Iterator[Problem]:
    since = pulse.scheduled_since
    if since is None or (look.now - since).total_seconds() < limits.queue_wait_s:
        return
    for pool in pulse.pools:
        if pool.scheduled and 0 <= pool.slots <= pool.running + pool.queued:
            yield Problem(
                "pool-full",
                "warning",
                f"The pool {pool.name} has its {pool.slots} slots taken, and tasks for {pool.scheduled} more wait.",
                "Give the pool more slots in Airflow (Admin > Pools), or run fewer of these tasks at a time.",
                subject=pool.name[:200],
                data={"slots": pool.slots, "running": pool.running, "queued": pool.queued, "scheduled": pool.scheduled},
            )


def _parsing(look: Look, pulse: Pulse, limits: Limits) -> Iterator[Problem]:
    if look.status not in _SETTLED or pulse.dag_count == 0 or pulse.parsed_since is None:
        return
    age = (look.now - pulse.parsed_since).total_seconds()
    if age >= limits.parse_age_s:
        yield Problem(
            "parsing-slow",
            "warning",
            f"A DAG file was not parsed for {span(age)}; changes and new DAGs are seen late.",
            "Look for slow code at the top of DAG files, or raise dag_processor.parsing_processes.",
            patience_s=60,
            data={"age_s": round(age)},
        )
    elif pulse.longest_parse_s is not None and pulse.longest_parse_s >= limits.parse_s:
        yield Problem(
            "parsing-slow",
            "info",
            f"The slowest DAG file takes {pulse.longest_parse_s:.0f} s to load.",
            "Keep network and database calls out of the top of DAG files.",
            patience_s=60,
            data={"seconds": round(pulse.longest_parse_s, 1)},
        )


def _disk(look: Look, limits: Limits) -> Iterator[Problem]:
    if look.measurement is not None and not look.disk_is_shared:
        yield from disk(look.measurement.disk_free_bytes, look.measurement.disk_total_bytes, limits)


def disk(free_bytes: int, total_bytes: int, limits: Limits) -> Iterator[Problem]:
    """Judge a file system."""
    share = free_bytes / total_bytes if total_bytes else 1.0
    if share < limits.disk_warning_share:
        yield Problem(
            "disk-full",
            "critical" if share < limits.disk_critical_share else "warning",
            f"Only {size(free_bytes)} of {size(total_bytes)} are free ({share:.0%}).",
            "Remove old snapshots and logs, shorten the retention, or make the disk larger.",
            data={"free_bytes": free_bytes, "total_bytes": total_bytes},
        )


def _backups(look: Look, limits: Limits) -> Iterator[Problem]:
    backups = look.backups
    if backups.last_failure is not None:
        yield Problem(
            "backup-failed",
            "critical",
            f"The last backup failed: {backups.last_failure.get('message', 'it gave no reason.')}",
            str(backups.last_failure.get("hint", ""))
            or f"Try again: `aerodrome backup create --deployment {look.name}`.",
        )
    due = backups.due_at
    if due is None or (backups.last_kept_at is not None and backups.last_kept_at >= due):
        return
    late_s = (look.now - due).total_seconds()
    if late_s >= limits.backup_late_s:
        yield Problem(
            "backup-overdue",
            "warning",
            f"The backup that was due {span(late_s)} ago is not there.",
            f"Make one now: `aerodrome backup create --deployment {look.name}`; the worker's log says why it did not run.",
            data={"due_at": to_text(due)},
        )


def _at(text: str) -> datetime:
    moment = from_text(text)
    assert moment is not None  # noqa: S101 - we wrote it
    return moment
