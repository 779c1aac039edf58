"""When a deployment sleeps and wakes by itself: hibernation schedules with time zones, and overrides until a moment.

The job "deployment.schedule" of a deployment is level-triggered: it looks which event came last since it last looked, makes that
one true, and comes again at the next. What was missed while the platform was down is applied once, the newest wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.access.actor import SYSTEM, Actor
from aerodrome.fleet import cron, deployments, lookup, wishes
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.options import check_drain
from aerodrome.fleet.views import DeploymentView
from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.store import jobs
from aerodrome.store.jobs import LeasedJob
from aerodrome.store.tables.deployment import DeploymentRow

KIND = "deployment.schedule"
MOST = 50
_ACTIONS: Mapping[str, Literal["running", "hibernated"]] = {"hibernate": "hibernated", "wake": "running"}
_log = structlog.get_logger("aerodrome.fleet")


@dataclass(frozen=True)
class NewSchedule:
    """A wish for a schedule; either expression may be left out."""

    hibernate: str | None
    wake: str | None
    timezone: str = "UTC"
    description: str = ""
    is_enabled: bool = True


@dataclass(frozen=True)
class ScheduleView:
    id: str
    hibernate: str | None
    wake: str | None
    timezone: str
    description: str
    is_enabled: bool
    next_hibernate_at: datetime | None
    next_wake_at: datetime | None


@dataclass(frozen=True)
class Life:
    """When a deployment sleeps: its schedules, the next event, and what overrides them."""

    schedules: tuple[ScheduleView, ...]
    next_action: str | None  # hibernate | wake
    next_at: datetime | None
    override: str | None  # hibernated | running: what somebody wished until a moment
    override_until: datetime | None
    drain_s: int


def life(context: FleetContext, actor: Actor, ref: str) -> Life:
    """Give the schedules of a deployment and what comes next."""
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deployment.read")
    now = context.clock.now()
    due = _next(row, now)
    override = _override(row)
    return Life(
        tuple(_view(entry, now) for entry in row.schedules),
        due[1] if due else None,
        due[0] if due else None,
        override["desired"] if override else None,
        from_text(override["until"]) if override else None,
        row.drain_s,
    )


def add(context: FleetContext, actor: Actor, ref: str, wish: NewSchedule) -> ScheduleView:
    """Add a schedule to a deployment."""
    entry = {"id": new_id("sch"), **_checked(wish)}
    with wishes.writing(context) as session:
        row = lookup.deployment_to_change(session, actor, ref, "deployment.update")
        if len(row.schedules) >= MOST:
            raise Conflict(f"A deployment has {MOST} schedules at most.", code="schedules-full", hint="Remove one.")
        _write(context, session, actor, row, [*row.schedules, entry], "schedule_added", entry)
    context.ring()
    return _view(entry, context.clock.now())


def change(context: FleetContext, actor: Actor, ref: str, schedule_id: str, *, is_enabled: bool) -> ScheduleView:
    """Switch a schedule on or off."""
    with wishes.writing(context) as session:
        row = lookup.deployment_to_change(session, actor, ref, "deployment.update")
        before = _find(row, schedule_id)
        entry = {**before, "is_enabled": is_enabled}
        entries = [entry if item["id"] == before["id"] else item for item in row.schedules]
        _write(context, session, actor, row, entries, "schedule_changed", entry)
    context.ring()
    return _view(entry, context.clock.now())


def remove(context: FleetContext, actor: Actor, ref: str, schedule_id: str) -> None:
    """Remove a schedule; what it last did stays as it is."""
    with wishes.writing(context) as session:
        row = lookup.deployment_to_change(session, actor, ref, "deployment.update")
        entry = _find(row, schedule_id)
        entries = [item for item in row.schedules if item["id"] != entry["id"]]
        _write(context, session, actor, row, entries, "schedule_removed", entry)
    context.ring()


def set_until(
    context: FleetContext,
    actor: Actor,
    ref: str,
    desired: Literal["running", "hibernated"],
    until: datetime | None,
    drain_s: int | None = None,
) -> DeploymentView:
    """Hibernate or wake now; with `until` the schedules rest till then, and afterwards they (or the state before) count again."""
    now = context.clock.now()
    if until is not None and until <= now:
        raise Invalid(
            "The moment is in the past.", code="until-past", hint="Name a later one.", details={"field": "until"}
        )
    with wishes.writing(context) as session:
        row = lookup.deployment_to_change(session, actor, ref, "deployment.update")
        deployments.refuse_when_deleting(row)
        if drain_s is not None:
            row.drain_s = check_drain(drain_s)
        kept = dict(row.hibernation or {})
        former = kept.pop("override", None)
        if until is not None:
            begun = former or {"back_to": row.desired, "since": to_text(now)}
            kept["override"] = {**begun, "desired": desired, "until": to_text(until)}
        row.hibernation = {**kept, "applied_at": to_text(now)}
        row.updated_at = now
        _ask(session, row, now)
        deployment_id = row.id
    return deployments.set_desired(context, actor, deployment_id, desired)


@dataclass(frozen=True)
class Scheduler:
    """Handles the job of one deployment."""

    context: FleetContext

    def ask_all(self) -> None:
        """Ask for a look at every deployment that has schedules or an override; called at start."""
        with self.context.store.writing() as session:
            for row in session.scalars(select(DeploymentRow)):
                if row.schedules or _override(row):
                    jobs.enqueue(session, KIND, row.id, lane=f"{KIND}:{row.id}")

    def look(self, job: LeasedJob) -> datetime | None:
        """Make the newest event true; give the moment of the next, None when there is none."""
        now = self.context.clock.now()
        with self.context.store.reading() as session:
            row = session.get(DeploymentRow, job.key)
        if row is None or row.desired == "deleted":
            return None
        desired = _due(row, now)
        if desired is not None and desired != row.desired:
            _log.info("deployment.scheduled", deployment=row.id, desired=desired)
            deployments.set_desired(self.context, SYSTEM, row.id, desired)
        with wishes.writing(self.context) as session:
            fresh = session.get(DeploymentRow, job.key, with_for_update=True)
            if fresh is None:
                return None
            kept = dict(fresh.hibernation or {})
            override = _override(fresh)
            if override and _moment(override["until"]) <= now:
                kept.pop("override")
            fresh.hibernation = {**kept, "applied_at": to_text(now)}
            due = _next(fresh, now)
            return due[0] if due else None


def _due(row: DeploymentRow, now: datetime) -> Literal["running", "hibernated"] | None:
    """Tell what the deployment is to become now; None: nothing new."""
    override = _override(row)
    if override:
        if now < _moment(override["until"]):
            return None
        newest = _newest(row.schedules, _moment(override["since"]), now)
        return newest or cast("Any", override["back_to"])
    applied = (row.hibernation or {}).get("applied_at")
    return _newest(row.schedules, _moment(applied) if applied else row.created_at, now)


def _newest(
    entries: Sequence[Mapping[str, Any]], since: datetime, now: datetime
) -> Literal["running", "hibernated"] | None:
    found: list[tuple[datetime, str]] = []
    for entry in entries:
        for action in _ACTIONS:
            if entry["is_enabled"] and entry[action]:
                at = cron.last_until(entry[action], entry["timezone"], since, now)
                if at is not None:
                    found.append((at, action))
    return _ACTIONS[max(found)[1]] if found else None  # at the same moment waking wins


def _next(row: DeploymentRow, now: datetime) -> tuple[datetime, str] | None:
    """Give the next event: of the schedules, or the end of the override."""
    override = _override(row)
    if override:
        until = _moment(override["until"])
        state = _newest(row.schedules, _moment(override["since"]), until) or override["back_to"]
        return until, "wake" if state == "running" else "hibernate"
    events = [
        (cron.next_after(entry[action], entry["timezone"], now), action)
        for entry in row.schedules
        for action in _ACTIONS
        if entry["is_enabled"] and entry[action]
    ]
    return min(events) if events else None


def _write(
    context: FleetContext,
    session: Session,
    actor: Actor,
    row: DeploymentRow,
    entries: list[dict[str, Any]],
    verb: str,
    entry: Mapping[str, Any],
) -> None:
    deployments.refuse_when_deleting(row)
    now = context.clock.now()
    row.schedules = entries
    row.hibernation = {**(row.hibernation or {}), "applied_at": to_text(now)}  # nothing of the past comes due by this
    row.updated_at = now
    wishes.record(session, actor, row, verb, {"schedule": dict(entry)})
    _ask(session, row, now)


def _ask(session: Session, row: DeploymentRow, now: datetime) -> None:
    due = _next(row, now)
    jobs.enqueue(session, KIND, row.id, lane=f"{KIND}:{row.id}", run_at=due[0] if due else None)


def _checked(wish: NewSchedule) -> dict[str, Any]:
    if not wish.hibernate and not wish.wake:
        raise Invalid(
            "A schedule needs a time to hibernate or to wake.",
            code="schedule-empty",
            hint='For example --hibernate "0 19 * * 1-5" --wake "0 7 * * 1-5".',
            details={"field": "hibernate"},
        )
    return {
        "hibernate": cron.check_cron(wish.hibernate, "hibernate") if wish.hibernate else None,
        "wake": cron.check_cron(wish.wake, "wake") if wish.wake else None,
        "timezone": cron.check_zone(wish.timezone),
        "description": wish.description.strip()[:200],
        "is_enabled": wish.is_enabled,
    }


def _find(row: DeploymentRow, schedule_id: str) -> Mapping[str, Any]:
    for entry in row.schedules:
        if entry["id"] == schedule_id:
            return cast("Mapping[str, Any]", entry)
    raise NotFound(
        f"{row.name} has no schedule {schedule_id[:60]!r}.",
        code="schedule-not-found",
        hint=f"`aerodrome deployment schedule list {row.name}` shows them.",
    )


def _view(entry: Mapping[str, Any], now: datetime) -> ScheduleView:
    times = {
        action: cron.next_after(entry[action], entry["timezone"], now)
        if entry["is_enabled"] and entry[action]
        else None
        for action in _ACTIONS
    }
    return ScheduleView(
        entry["id"],
        entry["hibernate"],
        entry["wake"],
        entry["timezone"],
        entry["description"],
        entry["is_enabled"],
        times["hibernate"],
        times["wake"],
    )


def _override(row: DeploymentRow) -> Mapping[str, Any] | None:
    return (row.hibernation or {}).get("override")


def _moment(text: str) -> datetime:
    moment = from_text(text)
    if moment is None:
        raise ValueError("a moment is missing")
    return moment
