"""The fields of a plan file: how each is read, its default and the comment that stands beside it.

One table for the reader, the writer and the reference documentation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aerodrome.airflowkit import versions
from aerodrome.migration.plan.windows import Window

VERSION = 1
_DURATION = re.compile(r"(\d+)\s*(s|m|h|d)?")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_AIRFLOW = re.compile(r"\d+\.\d+\.\d+")
_PYTHON = re.compile(r"3\.\d+")
_DEPTH = re.compile(r"[1-9]\d*d")

CUTOVERS = ("move", "leave-paused")
ON_DEADLINE = ("wait", "fail", "rerun")
ACCEPTABLE = ("capacity", "change", "connection", "finding")
LEAVABLE = ("xcoms", "logs")
CRITICALITIES = ("low", "medium", "high")


class Wrong(Exception):
    """The value cannot stand in this field; the text says what can."""


@dataclass(frozen=True)
class Field:
    """One setting."""

    read: Callable[[Any], Any]
    default: Any
    comment: str
    write: Callable[[Any], str] | None = None


def text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Wrong("a text that is not empty")
    return value.strip()


def optional_text(value: Any) -> str:
    if value is not None and not isinstance(value, str):
        raise Wrong("a text")
    return (value or "").strip()


def name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise Wrong("a name of lower-case letters, digits and hyphens, such as sales-prod")
    return value


def airflow_version(value: Any) -> str:
    if not isinstance(value, str) or not _AIRFLOW.fullmatch(value):
        raise Wrong('a full version in quotes, such as "3.3.2"')
    if value not in versions.SUPPORTED:
        close = [version for version in versions.SUPPORTED if version.startswith(value.rpartition(".")[0] + ".")]
        raise Wrong(f"a version that can be hosted ({', '.join((close or list(versions.SUPPORTED))[-5:])})")
    return value


def python_version(value: Any) -> str:
    if not isinstance(value, str) or not _PYTHON.fullmatch(value):
        raise Wrong('a Python version in quotes, such as "3.11"')
    return value


def count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Wrong("a whole number of 1 or more")
    return value


def whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Wrong("a whole number of 0 or more")
    return value


def window(value: Any) -> str:
    """Read a time of the day in UTC, as 02:10-05:50; empty: any time."""
    text = "" if value is None else str(value).replace(" ", "")
    try:
        Window.parse(text)
    except ValueError:
        raise Wrong('a time of the day in UTC such as "02:10-05:50", or empty') from None
    return text


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Wrong("true or false")
    return value


def duration_s(value: Any) -> int:
    """Read 90s, 15m, 2h, 1d or a number of seconds."""
    match = None if isinstance(value, bool) else _DURATION.fullmatch(str(value))
    if match is None or int(match[1]) < 1:
        raise Wrong("a duration such as 90s, 15m, 2h or 1d")
    return int(match[1]) * _UNIT_S[match[2] or "s"]


def duration_text(seconds: int) -> str:
    for unit in ("d", "h", "m"):
        if seconds % _UNIT_S[unit] == 0:
            return f"{seconds // _UNIT_S[unit]}{unit}"
    return f"{seconds}s"


def depth(value: Any) -> str:
    if not isinstance(value, str) or not (value in ("all", "none") or _DEPTH.fullmatch(value)):
        raise Wrong("all, none, or a number of days such as 90d")
    return value


def choice(*allowed: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in allowed:
            raise Wrong(f"one of {', '.join(allowed)}")
        return str(value)

    return read


def some_of(*allowed: str) -> Callable[[Any], list[str]]:
    def read(value: Any) -> list[str]:
        if not isinstance(value, list) or not all(item in allowed for item in value):
            raise Wrong(f"a list of some of {', '.join(allowed)}, such as [{allowed[0]}]")
        return [item for item in allowed if item in value]

    return read


def listed(values: Any) -> str:
    return f"[{', '.join(values)}]"


def options(value: Any) -> dict[str, str]:
    """Read Airflow configuration: section.option to text."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(
        isinstance(key, str) and "." in key and isinstance(item, str | int | bool) for key, item in value.items()
    ):
        raise Wrong('pairs such as scheduler.create_cron_data_intervals: "True"')
    return {key: item if isinstance(item, str) else str(item) for key, item in sorted(value.items())}


MIGRATED_CONFIG = {
    # Airflow ≥ 3.0 reads a bare cron text or timedelta as a trigger; only these keep 2.x's data intervals
    # (timetables/trigger.py, scheduler.create_cron_data_intervals, measured on Airflow 3.3.2).
    "scheduler.create_cron_data_intervals": "True",
    "scheduler.create_delta_data_intervals": "True",
}

TARGET: Mapping[str, Field] = {
    "workspace": Field(name, "default", "made when it does not exist"),
    "deployment": Field(name, "migrated", "made when it does not exist"),
    "airflow": Field(airflow_version, versions.DEFAULT, "Airflow version of the target"),
    "python": Field(python_version, versions.DEFAULT_PYTHON, ""),
    "cluster": Field(text, "local", "where it runs: aerodrome cluster list"),
    "parallelism": Field(count, 4, "task processes at the same time"),
    "database": Field(
        choice("sqlite", "postgresql"),
        "sqlite",
        "metadata database: sqlite, a file of the deployment; postgresql, on the managed server, for production",
    ),
    "config": Field(options, MIGRATED_CONFIG, "Airflow options; these two keep the data intervals of Airflow 2"),
}

POLICIES: Mapping[str, Field] = {
    "on_conflict": Field(
        choice("source-wins", "target-wins"),
        "source-wins",
        "the target has another value already: source-wins overwrites, target-wins keeps and reports",
    ),
    "drain_deadline": Field(duration_s, 900, "how long runs in flight may take to end after the pause", duration_text),
    "on_deadline": Field(
        choice(*ON_DEADLINE),
        "fail",
        "then: wait (look again later), fail (the wave stops, nothing is lost) or rerun (stop what runs; the target runs it again)",
    ),
    "accept": Field(
        some_of(*ACCEPTABLE),
        ["capacity"],
        "what may stand against a DAG and it moves all the same: capacity, change, connection, finding",
        listed,
    ),
    "test_connections": Field(flag, False, "test each connection from inside the target before DAGs that use it move"),
    "missed": Field(
        choice("report", "backfill"),
        "report",
        "an interval passed while a DAG without catchup was held: report it, or backfill it in the target",
    ),
    "fence": Field(
        choice("pause", "alarm"),
        "pause",
        "somebody unpauses a moved DAG in the source: pause it there again, or only tell",
    ),
    "prove_limit": Field(duration_s, 180, "how long the target may take to show the same next interval", duration_text),
    "watch_limit": Field(
        duration_s, 900, "how long the first run may take in the target after it is due", duration_text
    ),
}

HISTORY: Mapping[str, Field] = {
    "depth": Field(depth, "all", "all, none, or days such as 90d"),
    "leave_out": Field(some_of(*LEAVABLE), [], "what stays behind: some of xcoms, logs", listed),
    "dags_per_step": Field(count, 50, "one step moves the history of this many DAGs"),
    "on_conflict": Field(
        choice("source-wins", "target-wins", "newest"),
        "source-wins",
        "a row that was moved before differs now: source-wins brings it up to date, target-wins keeps it, newest the later one",
    ),
}

SECRETS: Mapping[str, Field] = {
    "backend": Field(optional_text, "", "a secrets backend of the workspace; empty: the place below"),
    "place": Field(
        choice("metadata-database", "environment"),
        "metadata-database",
        "metadata-database, encrypted under the target's key; environment: the deployment's own objects, versioned and masked",
    ),
}

LANES: Mapping[str, Field] = {
    "held": Field(count, 100, "DAGs between the pause in the source and the start in the target, at most"),
    "source_per_s": Field(count, 50, "DAGs paused a second, at most"),
    "target_per_s": Field(count, 50, "DAGs started a second, at most"),
}

WAVE: Mapping[str, Field] = {
    "canary": Field(whole, 0, "so many DAGs go first; the others wait until their first cycle went well"),
    "error_budget": Field(whole, 0, "so many DAGs may fail; one more, and the wave lets no more in"),
    "window": Field(window, "", "when a promotion may cut over, each day in UTC; empty: at any time"),
}

SECTIONS: Mapping[str, Mapping[str, Field]] = {
    "target": TARGET,
    "policies": POLICIES,
    "lanes": LANES,
    "history": HISTORY,
    "secrets": SECRETS,
}

OBJECT_KINDS: Mapping[str, str] = {
    # section of the plan file -> record kind
    "pools": "pool",
    "variables": "variable",
    "connections": "connection",
    "environment": "env_var",
}

DAG_POLICY: Mapping[str, Field] = {
    "cutover": Field(choice(*CUTOVERS), "move", "move: hand over; leave-paused: move, but do not start"),
    "drain_deadline": Field(duration_s, None, "", duration_text),
    "on_deadline": Field(choice(*ON_DEADLINE), None, ""),
    "accept": Field(some_of(*ACCEPTABLE), None, "", listed),
}


def defaults() -> dict[str, dict[str, Any]]:
    """Give the sections with every default."""
    return {
        section: {
            key: dict(field.default) if isinstance(field.default, dict) else field.default
            for key, field in table.items()
        }
        for section, table in SECTIONS.items()
    }
