"""Every check, by topic. A check is pure and never raises on any estate."""

from __future__ import annotations

from aerodrome.migration.assess.checks import (
    code,
    conversion,
    groups,
    history,
    network,
    objects,
    platform,
    schedules,
    secrets,
    tasks,
)
from aerodrome.migration.assess.contract import Check

TOPICS: dict[str, tuple[Check, ...]] = {
    "Readiness of the installation": platform.CHECKS,
    "Code": code.CHECKS,
    "Conversion of definitions": conversion.CHECKS,
    "Schedules": schedules.CHECKS,
    "Tasks": tasks.CHECKS,
    "Secrets": secrets.CHECKS,
    "Network": network.CHECKS,
    "Objects and packages": objects.CHECKS,
    "Dependencies": groups.CHECKS,
    "History": history.CHECKS,
}
ALL: tuple[Check, ...] = tuple(check for checks in TOPICS.values() for check in checks)
