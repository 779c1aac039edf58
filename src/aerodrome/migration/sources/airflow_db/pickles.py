"""Reads the pickles that Airflow keeps in `dag_run.conf`, `xcom.value` and `executor_config`, without ever running what stands in them.

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
    ("__builtin__", "set"): set,  # Python 2
    ("__builtin__", "frozenset"): frozenset,
    ("collections", "OrderedDict"): dict,
    # texts by which Airflow 2 marks what it serialized: a pod in an executor_config (airflow/utils/sqlalchemy.py, 2.11.2)
    ("airflow.serialization.enums", "Encoding"): str,
    ("airflow.serialization.enums", "DagAttributeTypes"): str,
}
_DEPTH = 100


class NotPlainError(ValueError):
    """The pickle holds something else than plain data. `is_pickle`: it is a pickle at all, as far as could be seen."""

    def __init__(self, message: str, *, is_pickle: bool = True) -> None:
        super().__init__(message)
        self.is_pickle = is_pickle


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
        return _PlainUnpickler(io.BytesIO(data), encoding="utf-8").load()
    except NotPlainError:
        raise
    except Exception as error:  # noqa: BLE001 - a broken pickle may raise anything; the text of it stays behind
        raise NotPlainError(f"it cannot be read ({type(error).__name__})", is_pickle=False) from None


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


def xcom_text(value: Any) -> str:
    """Write plain data as Airflow 3 writes an XCom, so that a task gets equal data back; NotPlainError when it would not.

    Tuples, sets and moments take the form of airflow.sdk.serde (3.3.2): `{"__classname__": …, "__version__": …, "__data__": …}`.
    """
    return json.dumps(_stored(value, _DEPTH), ensure_ascii=False, allow_nan=False)


def _stored(value: Any, depth: int) -> Any:
    if depth == 0:
        raise NotPlainError("it is nested too deeply")
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if value - value != 0.0:
            raise NotPlainError("JSON has neither NaN nor infinity")
        return value
    if isinstance(value, list):
        return [_stored(item, depth - 1) for item in value]
    if isinstance(value, tuple):
        return _typed("builtins.tuple", 1, [_stored(item, depth - 1) for item in value])
    if isinstance(value, set | frozenset):
        kind = "set" if isinstance(value, set) else "frozenset"
        return _typed(f"builtins.{kind}", 1, [_stored(item, depth - 1) for item in sorted(value, key=repr)])
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise NotPlainError("it has a key that is not a text, and JSON has texts as keys only")
        if "__classname__" in value or "__type" in value:
            raise NotPlainError("it has a key by which Airflow recognises objects")
        return {key: _stored(item, depth - 1) for key, item in value.items()}
    return _stored_moment(value)


def _stored_moment(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        if value.tzinfo is not dt.UTC:  # a naive one would be read in the worker's own zone
            raise NotPlainError("it holds a moment that is not in UTC")
        zone = _typed("builtins.tuple", 1, ["UTC", "pendulum.tz.timezone.FixedTimezone", 1, True])
        return _typed("datetime.datetime", 2, {"timestamp": value.timestamp(), "tz": zone})
    if isinstance(value, dt.date):
        return _typed("datetime.date", 2, value.isoformat())
    if isinstance(value, dt.timedelta):
        return _typed("datetime.timedelta", 2, value.total_seconds())
    raise NotPlainError(f"it holds a {type(value).__name__}, which JSON cannot hold")


def _typed(name: str, version: int, data: Any) -> dict[str, Any]:
    return {"__classname__": name, "__version__": version, "__data__": data}
