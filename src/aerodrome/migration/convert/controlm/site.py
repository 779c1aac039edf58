"""What the team says about its Control-M site: the profile file, and the connections that the definitions need.

Keys: `timezone`, `new_day` (HH:MM), `start` (first date), `years` (how far dates are listed), `week_starts_on` (monday or sunday),
`hosts` (name -> {connection, queue, worker}), `default_host` (the same), `user_dailies` (name -> true, false), `pools` (name -> slots),
`connection_profiles` (name -> type: SFTP, FTP, S3, …), `job_types` (type -> what its jobs become, see mapped_jobs),
`kept_conditions` (names, with *, that are also added as variables), `unawaited_conditions` (keep, drop: those that nobody here awaits).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.controlm.dates.order_dates import Horizon
from aerodrome.migration.convert.controlm.dates.timetables import Clock
from aerodrome.migration.convert.controlm.definitions.times import minutes_of

_KEYS: Final = (
    "timezone",
    "new_day",
    "start",
    "years",
    "week_starts_on",
    "hosts",
    "default_host",
    "user_dailies",
    "pools",
    "connection_profiles",
    "job_types",
    "kept_conditions",
    "unawaited_conditions",
)
_START: Final = date(2026, 1, 1)


@dataclass(frozen=True)
class Host:
    """Where the jobs of a Control-M host run: on an Airflow worker (with a queue), or through an SSH connection."""

    is_worker: bool = False
    connection: str = ""  # "": named after host and user
    queue: str = ""


@dataclass(frozen=True)
class JobType:
    """What jobs of a type become by the team's own choice: a command line, or an operator with its arguments."""

    pattern: str  # of the type as the report shows it, or of the kind; * stands for anything
    command: str = ""
    host: Host | None = None  # where the command runs; None: where the job runs
    operator: str = ""  # module path and class
    package: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    connection: str = ""  # the argument that takes the connection profile
    is_waiting: bool = False


@dataclass(frozen=True)
class Site:
    clock: Clock = field(default_factory=Clock)
    horizon: Horizon = field(default_factory=lambda: Horizon(_START, date(2030, 12, 31)))
    hosts: Mapping[str, Host] = field(default_factory=dict)
    default_host: Host | None = None
    user_dailies: Mapping[str, bool] = field(default_factory=dict)
    pools: Mapping[str, int] = field(default_factory=dict)
    profiles: Mapping[str, str] = field(default_factory=dict)  # connection profile -> its type
    job_types: tuple[JobType, ...] = ()
    kept_conditions: tuple[str, ...] = ()  # names and patterns: DAGs that are converted apart wait for them
    is_keeping_unawaited: bool = True
    is_week_from_sunday: bool = False
    is_week_known: bool = False
    is_new_day_known: bool = False
    is_zone_known: bool = False

    def host(self, name: str) -> Host:
        """Say where the jobs of a host run; without a word about it: by SSH, or on the worker when the job names no host."""
        known = {key.lower(): host for key, host in self.hosts.items()}
        if found := known.get(name.lower()) or (self.default_host if name or self.default_host else None):
            return found
        return Host() if name else Host(is_worker=True)


def read_site(profile: Mapping[str, Any]) -> Site:
    """Read the profile. Invalid names the key that is unknown or wrong."""
    for key in profile:
        if key not in _KEYS:
            raise _wrong(key, f"is not known; there are {', '.join(_KEYS)}")
    zone = str(profile.get("timezone", "UTC"))
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise _wrong("timezone", f"names no time zone ({zone})") from error
    new_day = _minutes(profile.get("new_day", "00:00"))
    start = profile.get("start", _START)
    start = start.date() if isinstance(start, datetime) else start
    if not isinstance(start, date) or not 1900 <= start.year <= 2200:
        raise _wrong("start", "is not a date such as 2026-01-01")
    years = profile.get("years", 5)
    if not isinstance(years, int) or not 1 <= years <= 20:
        raise _wrong("years", "is not a number from 1 to 20")
    sunday = str(profile.get("week_starts_on", "monday")).lower()
    if sunday not in ("monday", "sunday"):
        raise _wrong("week_starts_on", "is neither monday nor sunday")
    kept = profile.get("kept_conditions") or []
    if not isinstance(kept, list):
        raise _wrong("kept_conditions", "is not a list of names")
    unawaited = str(profile.get("unawaited_conditions", "keep")).lower()
    if unawaited not in ("keep", "drop"):
        raise _wrong("unawaited_conditions", "is neither keep nor drop")
    default = profile.get("default_host")
    return Site(
        clock=Clock(zone, new_day),
        horizon=Horizon(start, date(start.year + years - 1, 12, 31)),
        hosts={str(name): _host(f"hosts.{name}", value) for name, value in _mapping("hosts", profile).items()},
        default_host=None if default is None else _host("default_host", default),
        user_dailies={str(name): bool(value) for name, value in _mapping("user_dailies", profile).items()},
        pools={str(name): int(value) for name, value in _mapping("pools", profile).items()},
        profiles={str(name): str(value) for name, value in _mapping("connection_profiles", profile).items()},
        job_types=tuple(_job_type(str(name), value) for name, value in _mapping("job_types", profile).items()),
        is_week_from_sunday=sunday == "sunday",
        is_week_known="week_starts_on" in profile,
        kept_conditions=tuple(str(name) for name in kept),
        is_keeping_unawaited=unawaited == "keep",
        is_new_day_known="new_day" in profile,
        is_zone_known="timezone" in profile,
    )


def connection_id(*parts: str) -> str:
    """Name a connection after its parts: only letters that every secrets backend takes."""
    words = (re.sub(r"[^A-Za-z0-9]+", "_", part).strip("_").lower() for part in parts)
    return "_".join(word for word in words if word)


def _mapping(key: str, profile: Mapping[str, Any]) -> Mapping[str, Any]:
    value = profile.get(key) or {}
    if not isinstance(value, Mapping):
        raise _wrong(key, "is not a mapping")
    return value


def _minutes(value: Any) -> int:
    if isinstance(value, int) and 0 <= value < 1440:  # YAML 1.1 reads 7:00 as a sexagesimal number
        return value
    found = minutes_of(str(value))
    if found is None or found >= 1440:
        raise _wrong("new_day", 'is not a time such as "07:00"')
    return found


def _host(key: str, value: Any) -> Host:
    if value == "worker":
        return Host(is_worker=True)
    if isinstance(value, str):
        return Host(connection=value)
    if isinstance(value, Mapping) and set(value) <= {"connection", "queue", "worker"}:
        connection, queue = str(value.get("connection", "")), str(value.get("queue", ""))
        return Host(bool(value.get("worker", bool(queue) and not connection)), connection, queue)
    raise _wrong(key, "is neither `worker`, a connection, nor a mapping of connection, queue, worker")


def _job_type(pattern: str, value: Any) -> JobType:
    key = f"job_types.{pattern}"
    known = {"command", "host", "operator", "package", "arguments", "connection", "waits"}
    if isinstance(value, str):
        value = {"command": value}
    if not isinstance(value, Mapping) or not set(value) <= known:
        raise _wrong(key, f"is neither a command nor a mapping of {', '.join(sorted(known))}")
    command, operator = str(value.get("command", "")), str(value.get("operator", ""))
    if bool(command) == bool(operator):
        raise _wrong(key, "has not exactly one of `command` and `operator`")
    if operator and not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", operator):
        raise _wrong(
            f"{key}.operator", "is not the path of a class, such as airflow.providers.ssh.operators.ssh.SSHOperator"
        )
    arguments = value.get("arguments") or {}
    if not isinstance(arguments, Mapping) or not all(str(name).isidentifier() for name in arguments):
        raise _wrong(f"{key}.arguments", "is not a mapping of argument names to values")
    return JobType(
        pattern,
        command,
        _host(f"{key}.host", value["host"]) if "host" in value else None,
        operator,
        str(value.get("package", "")),
        arguments,
        str(value.get("connection", "")),
        bool(value.get("waits", False)),
    )


def _wrong(key: str, why: str) -> Invalid:
    return Invalid(
        f"The profile key {key} {why}.",
        code="convert-profile-invalid",
        hint="docs/guides/convert-controlm.md lists them.",
    )
