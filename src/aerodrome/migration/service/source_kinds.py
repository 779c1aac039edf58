"""The kinds of sources that can be connected, each with how its input is made and restored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aerodrome.migration.service.cloud_input import CloudInput
from aerodrome.migration.service.definitions_input import DefinitionsInput
from aerodrome.migration.service.source_fields import Secrets
from aerodrome.migration.service.source_input import ArchiveInput, RestInput, SourceInput
from aerodrome.migration.sources.registry import unknown_kind

AnySourceInput = SourceInput | ArchiveInput | RestInput | CloudInput | DefinitionsInput
_INPUTS: dict[str, type[AnySourceInput]] = {
    "airflow-db": SourceInput,
    "airflow-rest": RestInput,
    "airflow-archive": ArchiveInput,
    "starship": RestInput,
    "mwaa": CloudInput,
    "composer": CloudInput,
    "oozie": DefinitionsInput,
    "controlm": DefinitionsInput,
}


def restored(plain: Mapping[str, Any], secret: Secrets) -> AnySourceInput:
    """Put the stored parts of a source of any kind together again."""
    return _of_kind(plain["kind"]).restored(plain, secret)


def from_fields(kind: str, fields: Mapping[str, str | None]) -> AnySourceInput:
    """Make a source of what a form or a request says; Invalid `field-missing` naming a field that the kind needs."""
    return _of_kind(kind).of(kind, fields)


def _of_kind(kind: str) -> type[AnySourceInput]:
    found = _INPUTS.get(kind)
    if found is None:
        raise unknown_kind(kind)
    return found
