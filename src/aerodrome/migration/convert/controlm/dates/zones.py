"""Time zones as exports name them: by the tz database, or by the short names of Control-M's own list."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# cities that name time zones in the lists of Control-M servers
_CITIES: Final = {
    "HNL": "Pacific/Honolulu",
    "ANC": "America/Anchorage",
    "LAX": "America/Los_Angeles",
    "DEN": "America/Denver",
    "CHI": "America/Chicago",
    "NYC": "America/New_York",
    "HAL": "America/Halifax",
    "RIO": "America/Sao_Paulo",
    "LON": "Europe/London",
    "PAR": "Europe/Paris",
    "CAI": "Africa/Cairo",
    "MOW": "Europe/Moscow",
    "KHI": "Asia/Karachi",
    "BKK": "Asia/Bangkok",
    "HKG": "Asia/Hong_Kong",
    "TYO": "Asia/Tokyo",
    "SYD": "Australia/Sydney",
}


def zone_named(name: str) -> str | None:
    """Give the zone of the tz database that a name means; None when it means none."""
    try:
        return ZoneInfo(_CITIES.get(name.upper(), name)).key
    except (ZoneInfoNotFoundError, ValueError):
        return None
