"""Cron expressions on a wall clock with a time zone. Pure.

A time that the clock skips in spring happens when the clock has jumped; one that comes twice in autumn happens the first time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter

from aerodrome.kernel.errors import Invalid

_MARGIN = timedelta(hours=3)  # more than any change of the clock
_HORIZON = 1000


def check_cron(text: str, field: str) -> str:
    """Give the expression back; Invalid unless it has five parts and comes due at all."""
    text = " ".join(text.split())
    if len(text.split(" ")) == 5 and len(text) <= 100 and croniter.is_valid(text):
        try:
            next_after(text, "UTC", datetime(2026, 1, 1, tzinfo=UTC))
        except (ValueError, StopIteration):
            pass
        else:
            return text
    raise Invalid(
        f"{text[:60]!r} is no cron expression.",
        code="cron-invalid",
        hint='Write minute, hour, day, month, weekday: "0 19 * * 1-5" is 19:00 from Monday to Friday.',
        details={"field": field},
    )


def check_zone(name: str, field: str = "timezone") -> str:
    """Give the time zone back; Invalid when this machine knows no such zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(
            f"There is no time zone {name[:60]!r}.",
            code="timezone-unknown",
            hint="Name one of the IANA database, such as Europe/Berlin or UTC.",
            details={"field": field},
        ) from None
    return name


def next_after(cron: str, zone: str, moment: datetime) -> datetime:
    """Give the first time after the moment, in UTC."""
    return next(at for at in _from(cron, zone, moment) if at > moment)


def last_until(cron: str, zone: str, since: datetime, moment: datetime) -> datetime | None:
    """Give the newest time after `since` and not after the moment; None when there is none."""
    local = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    times = croniter(cron, local + _MARGIN)
    for _ in range(_HORIZON):
        wall = times.get_prev(datetime)
        at = _utc(wall, zone)
        if at <= since:
            return None
        if at <= moment:
            return at
    return None


def _from(cron: str, zone: str, moment: datetime) -> Iterator[datetime]:
    local = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    times = croniter(cron, local - _MARGIN)
    for _ in range(_HORIZON):
        yield _utc(times.get_next(datetime), zone)


def _utc(wall: datetime, zone: str) -> datetime:
    return wall.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
