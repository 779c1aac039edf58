"""Reads a web server's access log (common or combined format, also gzip): who still calls the source. Streams."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.decommission.quiet import MOST, Check, said

_LINE = re.compile(
    r'^(?P<client>\S+) \S+ (?P<user>\S+) \[(?P<at>[^\]]+)\] "(?P<verb>[A-Z]+) (?P<path>\S+)[^"]*" (?P<status>\d{3})'
)
_ALIVE = ("/health", "/api/v2/monitor/health", "/api/v1/health", "/static/", "/favicon", "/robots.txt", "/metrics")
_ID = re.compile(r"(?<=/)(?:[0-9a-f-]{16,}|[^/]*(?:scheduled|manual|backfill)__[^/]*|\d+)(?=/|$)")


def look(path: Path, since: datetime, days: int) -> Check:
    """Give who called since then, health checks and static files left out; Invalid when no line is an access."""
    calls: Counter[str] = Counter()
    last: dict[str, datetime] = {}
    first: datetime | None = None
    known = 0
    for line in _lines(path):
        found = _LINE.match(line)
        if found is None or (at := _moment(found["at"])) is None:
            continue
        known += 1
        first = at if first is None or at < first else first
        address = found["path"].partition("?")[0]
        if at < since or address.startswith(_ALIVE):
            continue
        user = "" if found["user"] == "-" else f" as {found['user']}"
        key = f"{found['client']}{user}: {found['verb']} {_ID.sub('…', address)}"
        calls[key] += 1
        last[key] = max(at, last.get(key, at))
    title = f"No request for {days} days"
    if not known or first is None:
        raise Invalid(
            f"{path} holds no line of an access log.",
            code="access-log-unreadable",
            hint="Give the log of the source's web server or proxy in the common or combined format.",
            details={"field": "access_log"},
        )
    if calls:
        details = tuple(f"{key}, {count} times, the last {said(last[key])}" for key, count in calls.most_common(MOST))
        hint = "Find these callers and send them to the target."
        return Check(
            "requests", title, "open", f"{sum(calls.values()):,} requests by {len(calls)} callers.", hint, details
        )
    if first > since:
        message = f"No request, but the log begins only at {said(first)}."
        return Check("requests", title, "attention", message, f"Give a log that reaches {days} days back.")
    return Check("requests", title, "done", f"None of {known:,} lines since {said(first)} is a call.")


def _lines(path: Path) -> Iterator[str]:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8", errors="replace") as stream:
                yield from stream
        else:
            with path.open(encoding="utf-8", errors="replace") as stream:
                yield from stream
    except OSError as error:
        raise Invalid(
            f"{path} cannot be read: {error.strerror or 'it is no gzip file'}.",
            code="access-log-unreadable",
            hint="Name a file on the machine that runs `aerodrome serve`.",
            details={"field": "access_log"},
        ) from None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
    except ValueError:
        return None
