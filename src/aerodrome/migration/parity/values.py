"""Compares two values and says why they may differ; shows them without secrets. Pure.

A value is JSON text as Airflow stored it. It is compared in canonical form; where it differs, known reasons are taken away
one after another (run ids, folders, overridden connections, moments of the run itself) until it is equal or none is left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aerodrome.kernel.redaction import SENSITIVE_KEY, Redactor
from aerodrome.kernel.secret import MASK, Secret
from aerodrome.migration.parity.contract import Side

LONGEST = 600  # characters of a shown value
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?")
_SLACK = timedelta(minutes=5)

REASONS = {
    "same-moment": "The same moment in another form.",
    "run-id": "It holds the run's id, which is another one for a shadow run.",
    "folder": "It holds the folder of the project, which lies elsewhere in the target.",
    "sandbox": "It holds what is overridden for the comparison: a field of a connection, an environment variable.",
    "moment-of-run": "It holds the moment at which the run itself happened.",
}


class Display:
    """Shows values: known secrets masked wherever they stand, values under telling names as a keyed hash."""

    def __init__(self, key: bytes, secrets: Iterable[Secret] = ()) -> None:
        self._key = key
        self._redactor = Redactor()
        for secret in secrets:
            self._redactor.register(secret.reveal())

    def show(self, name: str, text: str | None) -> str:
        """Give a value as it may be shown and kept; `name` is the key or field that holds it."""
        if text is None:
            return "null"
        if SENSITIVE_KEY.search(name):
            return self.hidden(text)
        try:
            value = json.loads(text)
        except ValueError:
            return self._short(self._redactor.text(text))
        if isinstance(value, str):
            return self._short(self._redactor.text(value))
        return self._short(json.dumps(self._masked(value), ensure_ascii=False, sort_keys=True))

    def hidden(self, text: str) -> str:
        """Give the mask with a keyed hash: equal values show alike, and nothing else can be told."""
        return f"{MASK} {Secret(text).fingerprint(self._key)[:12]}"

    def text(self, text: str) -> str:
        """Mask a message or a log line."""
        return self._short(self._redactor.text(text))

    def _masked(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: self.hidden(json.dumps(item, sort_keys=True))
                if SENSITIVE_KEY.search(str(key)) and item not in (None, "")
                else self._masked(item)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self._masked(item) for item in value]
        return self._redactor.text(value) if isinstance(value, str) else value

    @staticmethod
    def _short(text: str) -> str:
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def canonical(text: str | None) -> str:
    """Write JSON in one form; a text that is no JSON stays as it is."""
    if text is None:
        return "null"
    try:
        return json.dumps(json.loads(text, parse_float=_number), sort_keys=True, ensure_ascii=False)
    except ValueError:
        return text


def explain(source: str | None, target: str | None, left: Side, right: Side) -> str | None:
    """Give "" for equal values, the code of the reason that makes them equal, or None."""
    one, other = canonical(source), canonical(target)
    if one == other:
        return ""
    for code, normalise in _STEPS:
        one, other = normalise(one, left), normalise(other, right)
        if one == other:
            return code
    return None


def are_close(source: str | None, target: str | None, share: float) -> bool:
    """Tell whether two JSON values are the same but for numbers that differ by no more than a share of the larger."""
    if source is None or target is None:
        return False
    try:
        return _close(json.loads(source), json.loads(target), share)
    except ValueError:
        return False


def _close(one: Any, other: Any, share: float) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= share * max(abs(one), abs(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(one[key], other[key], share) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_close(*pair, share) for pair in zip(one, other, strict=True))
    return bool(one == other)


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value


def _moments(text: str, _side: Side) -> str:
    return _MOMENT.sub(lambda found: _moment(found[0]).astimezone(UTC).isoformat(), text)


def _moment(text: str) -> datetime:
    clean = text.replace(",", ".")
    head, dot, rest = clean.partition(".")
    if dot:  # Python reads six digits at most
        digits = re.match(r"\d+", rest)
        assert digits is not None  # noqa: S101 - the pattern has digits there
        clean = f"{head}.{digits[0][:6].ljust(6, '0')}{rest[digits.end() :]}"
    try:
        moment = datetime.fromisoformat(clean)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _run_ids(text: str, side: Side) -> str:
    moment = side.run_id.partition("__")[2]
    # `_moments` has written the moment inside the id anew, maybe longer: that form first
    changed = side.run_id.replace(moment, _moments(moment, side)) if moment else side.run_id
    return text.replace(changed, "{run_id}").replace(side.run_id, "{run_id}")


def _folders(text: str, side: Side) -> str:
    for folder in sorted(side.folders, key=len, reverse=True):
        text = text.replace(folder, "{project}")
    return text


def _names(text: str, side: Side) -> str:
    for name in sorted(side.names, key=len, reverse=True):
        text = text.replace(name, side.names[name])
    return text


def _own_moments(text: str, side: Side) -> str:
    if side.began_at is None:
        return text
    first = side.began_at - _SLACK
    last = (side.ended_at or side.began_at) + _SLACK
    return _MOMENT.sub(lambda found: "{moment of the run}" if first <= _moment(found[0]) <= last else found[0], text)


_STEPS: tuple[tuple[str, Callable[[str, Side], str]], ...] = (
    ("same-moment", _moments),
    ("run-id", _run_ids),
    ("folder", _folders),
    ("sandbox", _names),
    ("moment-of-run", _own_moments),
)


def names_of(
    conn_id: str, source: Mapping[str, Any], target: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, str]]:
    """Give the placeholders of a connection's fields that differ between the sides; short ones would hit ordinary words."""
    left: dict[str, str] = {}
    right: dict[str, str] = {}
    for field in ("host", "schema", "login", "port"):
        one, other = str(source.get(field) or ""), str(target.get(field) or "")
        if one != other and len(one) > 2 and len(other) > 2:
            left[one] = right[other] = f"{{{conn_id}.{field}}}"
    return left, right
