"""The settings of a deployment that the platform knows: what each means, what it may be, on which Airflow.

Other options of Airflow may be set too, as `section.option`; these here are checked before they reach Airflow, and have a form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aerodrome.airflowkit.versions import AirflowVersion
from aerodrome.kernel.errors import Invalid

Kind = Literal["count", "seconds", "flag", "level"]
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_FLAGS = {"true": "True", "false": "False", "1": "True", "0": "False", "yes": "True", "no": "False"}
_POOL = re.compile(r"[^\x00-\x1f]{1,200}")
LONGEST_DRAIN_S = 24 * 3600
MOST_SLOTS = 100_000


@dataclass(frozen=True)
class Option:
    """One option of Airflow with a form."""

    key: str  # section.option
    kind: Kind
    title: str
    sentence: str
    default: str  # what the platform or Airflow takes when it is not set
    least: float = 1
    most: float = 10_000
    majors: tuple[int, ...] = (2, 3)


OPTIONS: tuple[Option, ...] = (
    Option(
        "core.max_active_tasks_per_dag", "count", "Active tasks per DAG", "Tasks of one DAG that run at a time.", "16"
    ),
    Option("core.max_active_runs_per_dag", "count", "Active runs per DAG", "Runs of one DAG at a time.", "16"),
    Option("core.default_task_retries", "count", "Retries", "Retries of a task that says nothing else.", "0", 0, 100),
    Option(
        "core.dagbag_import_timeout", "seconds", "Import timeout", "Seconds that one DAG file may take.", "30", 1, 3600
    ),
    Option(
        "core.dags_are_paused_at_creation", "flag", "New DAGs are paused", "Whether new DAGs wait for a person.", "True"
    ),
    Option(
        "scheduler.catchup_by_default",
        "flag",
        "Catch up",
        "Whether DAGs that say nothing make up for the past.",
        "False",
    ),
    Option("scheduler.scheduler_heartbeat_sec", "seconds", "Scheduler loop", "Seconds between two rounds.", "5", 1, 60),
    Option(
        "scheduler.max_tis_per_query", "count", "Tasks per query", "Tasks that one round considers at once.", "16", 0
    ),
    Option(
        "scheduler.task_queued_timeout",
        "seconds",
        "Queued timeout",
        "Seconds until a task counts as lost.",
        "600",
        30,
        86400,
    ),
    Option(
        "scheduler.parsing_processes", "count", "Parsing processes", "DAG files parsed at a time.", "1", 1, 32, (2,)
    ),
    Option(
        "dag_processor.parsing_processes", "count", "Parsing processes", "DAG files parsed at a time.", "1", 1, 32, (3,)
    ),
    Option(
        "scheduler.min_file_process_interval",
        "seconds",
        "Parse again after",
        "Seconds before a file is read again.",
        "30",
        0,
        86400,
        (2,),
    ),
    Option(
        "dag_processor.min_file_process_interval",
        "seconds",
        "Parse again after",
        "Seconds before a file is read again.",
        "30",
        0,
        86400,
        (3,),
    ),
    Option("logging.logging_level", "level", "Log level", "Least important message of Airflow's logs.", "INFO"),
)
_BY_KEY = {option.key: option for option in OPTIONS}


def known(airflow_version: str) -> tuple[Option, ...]:
    """Give the options that this Airflow has."""
    major = AirflowVersion.parse(airflow_version).major
    return tuple(option for option in OPTIONS if major in option.majors)


def check(config: Mapping[str, str]) -> None:
    """Raise Invalid for a known option with a value that Airflow would stumble over; the field names the option."""
    for key, value in config.items():
        if (option := _BY_KEY.get(key)) is not None:
            _check_value(option, value.strip())


def check_drain(seconds: int) -> int:
    if 0 <= seconds <= LONGEST_DRAIN_S:
        return seconds
    raise _wrong("drain_s", f"A drain window of {seconds} seconds is out of range.", "Choose 0 to 86,400 seconds.")


def check_days(days: int) -> int:
    if 0 <= days <= 3650:
        return days
    raise _wrong("log_retention_days", f"{days} days are out of range.", "Choose 1 to 3,650 days, or 0 for ever.")


def check_pools(pools: Mapping[str, int]) -> dict[str, int]:
    """Give the pools back; default_pool may be among them. -1 slots: no limit."""
    for name, slots in pools.items():
        if not _POOL.fullmatch(name):
            raise _wrong("pools", f"{name[:40]!r} cannot be the name of a pool.", "Use 1 to 200 characters.")
        if isinstance(slots, bool) or not isinstance(slots, int) or not -1 <= slots <= MOST_SLOTS:
            raise _wrong(
                f"pools.{name}", f"The pool {name} cannot have {slots} slots.", "Choose 0 or more, -1: no limit."
            )
    if len(pools) > 500:
        raise _wrong("pools", "These are more than 500 pools.", "Leave the others to Airflow's own pages.")
    return dict(pools)


def check_upkeep(upkeep: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the cleaning of old rows back; {} or 0 days switches it off."""
    days = upkeep.get("clean_days", 0)
    if set(upkeep) - {"clean_days"} or isinstance(days, bool) or not isinstance(days, int) or not 0 <= days <= 36500:
        raise _wrong(
            "upkeep.clean_days", "Old rows cannot be cleaned so.", "Give clean_days: 7 or more days, 0 for never."
        )
    if 0 < days < 7:
        raise _wrong("upkeep.clean_days", f"{days} days are too few.", "Keep at least 7 days of history, or 0 for all.")
    return {"clean_days": days} if days else None


def _check_value(option: Option, value: str) -> None:
    field = f"config.{option.key}"
    if option.kind == "flag" and value.lower() not in _FLAGS:
        raise _wrong(field, f"{option.key} cannot be {value[:40]!r}.", "Choose True or False.")
    if option.kind == "level" and value.upper() not in _LEVELS:
        raise _wrong(field, f"{option.key} cannot be {value[:40]!r}.", f"Choose one of {', '.join(_LEVELS)}.")
    if option.kind in ("count", "seconds"):
        try:
            number = int(value) if option.kind == "count" else float(value)
        except ValueError:
            number = None
        if number is None or not option.least <= number <= option.most:
            raise _wrong(
                field, f"{option.key} cannot be {value[:40]!r}.", f"Choose {option.least:g} to {option.most:,.0f}."
            )


def _wrong(field: str, message: str, hint: str) -> Invalid:
    return Invalid(message, code="setting-invalid", hint=hint, details={"field": field})
