"""Jobs of cloud and other plug-ins: which operator they become and which of their details it needs.

Names of details differ between plug-in versions, XML (`%%UCM-PIPELINE_NAME`) and JSON (`Pipeline Name`): they are compared without
prefix, case and marks. A job that lacks what its operator needs, or asks for another action, becomes a task that raises, never a guess.
Arguments were read from amazon 9.39, google 22.8, microsoft-azure 15.2, databricks 7.23, airbyte 6.2, jenkins 4.2, tableau 5.7,
cncf-kubernetes 10.25 and dbt-cloud 4.11; a test of the matrix constructs every operator under both Airflows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aerodrome.migration.convert.controlm.plugins.amazon import AMAZON
from aerodrome.migration.convert.controlm.plugins.details import ACTIONS, WITHOUT_EFFECT, action_of, plain_name
from aerodrome.migration.convert.controlm.plugins.google import GOOGLE
from aerodrome.migration.convert.controlm.plugins.microsoft import MICROSOFT
from aerodrome.migration.convert.controlm.plugins.other import OTHER
from aerodrome.migration.convert.controlm.plugins.rows import Plugin

PLUGINS: Final[Mapping[str, tuple[Plugin, ...]]] = {**AMAZON, **MICROSOFT, **GOOGLE, **OTHER}


def row_of(kind: str, details: Mapping[str, str]) -> Plugin | None:
    """Give the row for the action of a job; None when no row has it. A job that names no action takes the first row."""
    action = action_of(details)
    return next((row for row in PLUGINS[kind] if not row.actions or not action or _is_for(row, action)), None)


def _is_for(row: Plugin, action: str) -> bool:
    return any(word in action for word in row.actions)


def untaken(plugin: Plugin, details: Mapping[str, str], also: tuple[str, ...] = ()) -> list[str]:
    """Name the details that say something and that the operator does not take."""
    known = {name for argument in plugin.arguments for name in argument.details} | set(also)
    known |= set(ACTIONS) if plugin.actions else set()
    return sorted(
        key
        for key, value in details.items()
        if value.strip() not in ("", "unchecked", "N", "0")
        and plain_name(key) not in known
        and not WITHOUT_EFFECT.search(plain_name(key))
    )
