"""Reads the pickles that Airflow 2.x keeps in `dag_run.conf`, without ever running what stands in them.

A pickle is a program. This reader knows plain data and dates only; any other class ends the reading.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import pickle
from typing import Any, NoReturn

_ALLOWED: dict[tuple[str, str], Any] = {
    ("datetime", "datetime"): dt.datetime,
    ("datetime", "date"): dt.date,
    ("datetime", "time"): dt.time,
    ("datetime", "timedelta"): dt.timedelta,
    ("datetime", "timezone"): dt.timezone,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "bytearray"): bytearray,
    ("builtins", "complex"): complex,
    ("collections", "OrderedDict"): dict,
}


class NotPlainError(ValueError):
    """The pickle holds something else than plain data."""


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise NotPlainError(f"it holds an object of {module}.{name}") from None

    def persistent_load(self, pid: Any) -> NoReturn:
        del pid
        raise NotPlainError("it refers to an object outside")


def plain_from_pickle(data: bytes) -> Any:
    """Give plain data out of a pickle; NotPlainError with the reason otherwise."""
    try:
        return _PlainUnpickler(io.BytesIO(data)).load()
    except NotPlainError:
        raise
    except Exception as error:  # noqa: BLE001 - a broken pickle may raise anything; the text of it stays behind
        raise NotPlainError(f"it cannot be read ({type(error).__name__})") from None


def json_text(value: Any) -> str:
    """Write plain data as JSON; moments become ISO texts. NotPlainError when JSON cannot hold it."""
    try:
        return json.dumps(value, default=_as_json, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotPlainError("JSON cannot hold it") from error


def _as_json(value: Any) -> Any:
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    raise TypeError
