"""When DAGs run: defaults that changed between major versions, and what is in flight."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aerodrome.migration.assess.contract import Check, Place
from aerodrome.migration.assess.inventory import Inventory, moment
from aerodrome.migration.assess.wording import counted
from aerodrome.migration.estate.records import DagRecord

_DAY = "timedelta:86400"
_LAST_SHIFTED_HOUR = 3
_FREQUENT_S = 300
_CROWD = 20
_BEHIND = timedelta(days=1)
_OFFSET = re.compile(r"^(UTC|GMT)?[+-]\d{2}:?\d{2}$")
_AT_MIDNIGHT = {"@daily": "0 0 * * *", "0 0 * * *": "0 0 * * *", "@hourly": "0 * * * *"}
_IN_FLIGHT = ("running", "queued", "scheduled", "deferred", "up_for_retry", "up_for_reschedule", "restarting")


def _place(dag: DagRecord, message: str) -> Place:
    return Place(f"dag:{dag.dag_id}", message, f"dags/{dag.file}")


def _is_timed(dag: DagRecord) -> bool:
    return dag.schedule_kind in ("cron", "preset", "timedelta")


def _intervals(inventory: Inventory) -> Iterator[Place]:
    if inventory.is_major_upgrade:
        for dag in inventory.active_dags:
            if dag.schedule_kind in ("cron", "timedelta") or dag.schedule in (
                "@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@quarterly",
            ):  # fmt: skip
                yield _place(dag, f"{dag.schedule}: by Airflow 3's default the data interval becomes a point in time.")


def _catchup(inventory: Inventory) -> Iterator[Place]:
    default = (inventory.option("scheduler.catchup_by_default") or "True").lower() in ("true", "1", "yes", "t")
    if inventory.is_major_upgrade and default:
        for dag in inventory.active_dags:
            if dag.catchup is None and _is_timed(dag):
                yield _place(dag, "catchup is not set: True in the source, False in Airflow 3.")


def _implicit(inventory: Inventory) -> Iterator[Place]:
    """A daily timedelta without a cron text is nearly always the default of 2.x."""
    if inventory.is_major_upgrade:
        for dag in inventory.active_dags:
            if dag.schedule == _DAY:
                yield _place(
                    dag, "Runs every 24 hours, perhaps because no schedule is set: Airflow 3 would never run it."
                )


def _timetable(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        if dag.schedule_kind == "timetable":
            yield _place(dag, f"Runs by the timetable {dag.timetable or dag.schedule or 'of its own'}.")


def _timezone(inventory: Inventory) -> Iterator[Place]:
    default = inventory.option("core.default_timezone") or "utc"
    for dag in inventory.active_dags:
        if _is_timed(dag) and dag.timezone and dag.timezone.upper() not in ("UTC", "ETC/UTC"):
            yield _place(dag, f"Runs in {dag.timezone}; the source's default is {default}.")


def _in_flight(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.dags:
        runs = sum(dag.run_states.get(state, 0) for state in ("running", "queued"))
        tasks = sum(dag.task_states.get(state, 0) for state in _IN_FLIGHT)
        if runs or tasks:
            yield _place(dag, f"In flight: {counted(runs, 'run')}, {counted(tasks, 'task instance')}.")


def _never(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        if not dag.run_states:
            yield _place(dag, "It has never run in the source." + (" It is paused." if dag.is_paused else ""))


def _failing(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        if dag.runs_30d >= 3 and dag.failures_30d * 2 >= dag.runs_30d:
            yield _place(dag, f"{dag.failures_30d} of its {dag.runs_30d} runs of the last 30 days failed.")


def _inactive(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.dags:
        if not dag.is_active:
            yield _place(dag, "The source no longer finds its file; only its history can move.")


def _across(inventory: Inventory) -> Iterator[Place]:
    known = {dag.dag_id for dag in inventory.dags}
    for dag in inventory.active_dags:
        for other in dag.depends_on_dags:
            if other in known:
                yield _place(dag, f"Waits for or triggers {other}: both belong to one wave.")


def _lost(inventory: Inventory) -> Iterator[Place]:
    known = {dag.dag_id for dag in inventory.dags}
    for dag in inventory.active_dags:
        for other in dag.depends_on_dags:
            if other not in known and other and "{{" not in other:
                yield _place(dag, f"Waits for or triggers {other}, which the source does not have.")


def _datasets(inventory: Inventory) -> Iterator[Place]:
    producers: dict[str, list[str]] = {}
    for dag in inventory.active_dags:
        for uri in dag.datasets_out:
            producers.setdefault(uri, []).append(dag.dag_id)
    for dag in inventory.active_dags:
        others = sorted({name for uri in dag.datasets_in for name in producers.get(uri, ())} - {dag.dag_id})
        if others:
            yield _place(dag, f"Is triggered by datasets of {', '.join(others)}: they belong to one wave.")
        for uri in dag.datasets_in:
            if uri not in producers:
                yield _place(dag, f"No DAG produces the dataset {uri}; something outside must.")


def _hours(cron: str) -> tuple[int, int] | None:
    """Give the (first hour, last hour) at which a cron text fires; None where it is not five plain fields."""
    fields = cron.split()
    if len(fields) != 5:
        return None
    hours = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", fields[1])
    if fields[1] == "*":
        return 0, 23
    return (int(hours[1]), int(hours[2] or hours[1])) if hours else None


@cache
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return None


def _has_summer_time(name: str) -> bool:
    zone = _zone(name)
    if zone is None:
        return False
    offsets = {datetime(2026, month, 15, tzinfo=zone).utcoffset() for month in (1, 4, 7, 10)}
    return len(offsets) > 1


def _summer_time(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        hours = _hours(dag.schedule or "") if dag.schedule_kind == "cron" else None
        if (
            hours
            and dag.timezone
            and hours != (0, 23)
            and hours[0] <= _LAST_SHIFTED_HOUR
            and _has_summer_time(dag.timezone)
        ):
            yield _place(
                dag, f"{dag.schedule} in {dag.timezone} lies in the hour that summer time takes away or gives twice."
            )


def _unknown_zone(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        if (
            dag.timezone
            and dag.timezone.upper() != "UTC"
            and not _OFFSET.match(dag.timezone)
            and _zone(dag.timezone) is None
        ):
            yield _place(dag, f"Its time zone {dag.timezone} is not in the IANA list.")


def _frequent(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        text = dag.schedule or ""
        seconds = text.removeprefix("timedelta:") if dag.schedule_kind == "timedelta" else ""
        is_short = seconds.replace(".", "", 1).isdigit() and float(seconds) < _FREQUENT_S
        fields = text.split()
        step = re.fullmatch(r"\*(?:/([1-4]))?", fields[0]) if dag.schedule_kind == "cron" and len(fields) == 5 else None
        if is_short or (step and fields[1] == "*"):
            yield _place(dag, f"Runs more often than every {_FREQUENT_S // 60} minutes ({text}).")


def _crowd(inventory: Inventory) -> Iterator[Place]:
    moments: dict[str, int] = {}
    live = [dag for dag in inventory.active_dags if not dag.is_paused]
    for dag in live:
        moment = _AT_MIDNIGHT.get(dag.schedule or "") or (dag.schedule if dag.schedule_kind == "cron" else None)
        if moment:
            moments[moment] = moments.get(moment, 0) + 1
    for text, count in sorted(moments.items()):
        if count >= _CROWD and count * 10 >= len(live):
            yield Place(
                f"schedule:{text}", f"{count:,} of {len(live):,} running DAGs start by {text} at the same moment."
            )


def _once(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        if dag.schedule == "@once":
            runs = sum(dag.run_states.values())
            yield _place(
                dag, f"Runs once ({counted(runs, 'run')} so far): without its history it would run again in the target."
            )


def _continuous(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        if dag.schedule_kind == "continuous":
            yield _place(dag, "Runs all the time: there is no quiet moment to hand it over.")


def _ended(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        end = moment(dag.end_date)
        if end and inventory.now and end < inventory.now:
            yield _place(dag, f"Its end date {str(dag.end_date)[:10]} is past: it makes no more runs.")


def _future(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        start = moment(dag.start_date)
        if start and inventory.now and start > inventory.now:
            yield _place(dag, f"It starts only on {str(dag.start_date)[:10]}.")


def _storm(inventory: Inventory) -> Iterator[Place]:
    default = (inventory.option("scheduler.catchup_by_default") or "True").lower() in ("true", "1", "yes", "t")
    for dag in inventory.active_dags:
        runs = sum(dag.run_states.values())
        if _is_timed(dag) and not dag.is_paused and runs and (default if dag.catchup is None else dag.catchup):
            yield _place(
                dag, f"It catches up: without a boundary the target would make its {counted(runs, 'run')} again."
            )


def _behind(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        due = moment(dag.next_run_after)
        if due and inventory.now and not dag.is_paused and _is_timed(dag) and inventory.now - due > _BEHIND:
            yield _place(
                dag, f"Its next run was due {counted((inventory.now - due).days, 'day')} before this was read."
            )


def _idle(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        if dag.run_states and dag.last_run_at and not dag.runs_365d and not dag.runs_30d:
            yield _place(dag, f"It last ran on {dag.last_run_at[:10]}, more than a year ago.")


def _manual(inventory: Inventory) -> Iterator[Place]:
    for dag in inventory.active_dags:
        if dag.schedule_kind == "none" and dag.runs_30d:
            yield _place(
                dag, f"Has no schedule, yet ran {dag.runs_30d:,} times in 30 days: something outside starts it."
            )


CHECKS = (
    Check(
        "cron-data-interval", "info", "Data intervals of cron schedules",
        "The plan sets create_cron_data_intervals=True in the target, which keeps 2.x meaning.", _intervals,
    ),
    Check(
        "catchup-default", "info", "catchup relies on the old default",
        "The code upgrade writes catchup=True where the default applied.", _catchup,
    ),
    Check(
        "implicit-schedule", "info", "A schedule that may be implicit",
        "The code upgrade writes schedule=timedelta(days=1) where none is set.", _implicit,
    ),
    Check(
        "custom-timetable", "warning", "A timetable of your own",
        "Compare its next runs on both sides; it must be registered as a plugin in the target.", _timetable, 2,
    ),
    Check("timezone", "info", "Schedules outside UTC", "Cutover proves the next interval on both sides.", _timezone),
    Check("in-flight", "info", "Work in flight", "Cutover drains it first; choose a quiet hour.", _in_flight),
    Check("dag-never-ran", "info", "DAGs without history", "Ask its owner whether it must move.", _never),
    Check(
        "dag-failing", "warning", "DAGs that fail in the source",
        "Mend it in the source first: a failing DAG proves nothing on the target.", _failing, 1,
    ),
    Check("dag-inactive", "info", "DAGs whose file is gone", "Leave it out of the plan.", _inactive),
    Check("dag-dependency", "info", "DAGs that depend on each other", "Move them in one wave.", _across),
    Check(
        "dag-dependency-lost", "warning", "DAGs that depend on unknown DAGs",
        "Such a sensor never succeeds on the target either.", _lost, 0.5,
    ),
    Check("dataset-dependency", "info", "DAGs tied by datasets", "Move them in one wave.", _datasets),
    Check(
        "schedule-summer-time", "warning", "Schedules in the hour of summer time",
        "Compare the fire times of both changes of the clock on source and target.", _summer_time, 0.25,
    ),
    Check("timezone-unknown", "warning", "Time zones that are not known", "Name an IANA zone, as Europe/Berlin.", _unknown_zone, 0.25),
    Check(
        "schedule-frequent", "info", "Schedules of a few minutes",
        "Hand it over last, and watch that each run ends before the next.", _frequent,
    ),
    Check(
        "schedule-crowd", "info", "Many DAGs at the same moment",
        "Size the target for that moment, or spread their minutes.", _crowd, 1,
    ),
    Check("schedule-once", "info", "DAGs that run once", "Move its history, or leave it out of the plan.", _once),
    Check("schedule-continuous", "warning", "DAGs that run all the time", "Choose the moment by hand and watch it.", _continuous, 0.5),
    Check("dag-ended", "info", "DAGs past their end date", "Leave it out of the plan, or move its history only.", _ended),
    Check("dag-future", "info", "DAGs that have not begun", "It needs no cutover: deploy it in time.", _future),
    Check(
        "catchup-storm", "info", "DAGs that catch up",
        "Cutover sets the boundary by itself; never unpause it in the target by hand before.", _storm,
    ),
    Check("dag-behind", "warning", "DAGs behind their schedule", "Let it catch up, or find out why it does not.", _behind, 0.5),
    Check("dag-idle", "info", "DAGs that have not run for a year", "Ask its owner whether it must move.", _idle),
    Check(
        "outside-trigger", "warning", "DAGs that something outside starts",
        "Find who calls the source (its audit log names the user) and give it the target's address and a token.", _manual, 1,
    ),
)  # fmt: skip
