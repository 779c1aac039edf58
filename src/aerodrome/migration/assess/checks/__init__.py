"""Every check, by topic. A check is pure and never raises on any estate."""

from __future__ import annotations

from aerodrome.migration.assess.checks import code, objects, platform, schedules
from aerodrome.migration.assess.contract import Check

ALL: tuple[Check, ...] = (*platform.CHECKS, *code.CHECKS, *schedules.CHECKS, *objects.CHECKS)
