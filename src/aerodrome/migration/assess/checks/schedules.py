"""When DAGs run: defaults that changed between major versions, and what is in flight."""

from __future__ import annotations

from collections.abc import Iterator

from aerodrome.migration.assess.contract import Check, Place
from aerodrome.migration.assess.inventory import Inventory
from aerodrome.migration.estate.records import DagRecord

_DAY = "timedelta:86400"
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
            yield _place(dag, f"In flight: {runs} runs, {tasks} task instances.")


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
)  # fmt: skip
