"""Connections, variables and pools over Starship: in clear, as its routes give them; secrets from the first line on."""

from __future__ import annotations

from collections.abc import Iterator

from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.records import PoolRecord
from aerodrome.migration.sources.airflow_rest.states import PREFIX
from aerodrome.migration.sources.contract import ConnectionValue, VariableValue
from aerodrome.migration.sources.starship.client import StarshipReader


def connections(reader: StarshipReader) -> Iterator[ConnectionValue]:
    """Give every connection of the metadata database, by conn_id."""
    for each in sorted(reader.starship("connections"), key=lambda each: str(each["conn_id"])):
        yield ConnectionValue(
            each["conn_id"],
            each["conn_type"],
            each["host"],
            each["port"],
            each["schema"],
            each["login"],
            each.get("description"),
            Secret(each["password"]) if each["password"] else None,
            Secret(each["extra"]) if each["extra"] else None,
        )


def variables(reader: StarshipReader) -> Iterator[VariableValue]:
    """Give every variable, by name; our own marks are not theirs."""
    for each in sorted(reader.starship("variables"), key=lambda each: str(each["key"])):
        if not each["key"].startswith(PREFIX):
            yield VariableValue(each["key"], Secret(each["val"] or ""), each.get("description"))


def pools(reader: StarshipReader) -> Iterator[PoolRecord]:
    """Give the pools, by name."""
    for each in sorted(reader.starship("pools"), key=lambda each: str(each["name"])):
        yield PoolRecord(
            each["name"], each["slots"], each.get("description") or None, bool(each.get("include_deferred"))
        )
