"""Turns rows of history as Airflow wrote them into neutral ones, or says why a row or a value in it cannot move. Pure."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from aerodrome.migration.estate.calendars import Interval
from aerodrome.migration.estate.history import COLUMNS, RejectedRow
from aerodrome.migration.sources.airflow_db.pickles import NotPlainError, json_text, plain_from_pickle, xcom_text
from aerodrome.migration.sources.airflow_db.rows import utc

Convert = Callable[[Any, list[tuple[Any, ...]], list[RejectedRow]], None]
FindInterval = Callable[[str, datetime], tuple[Interval | None, str]]
"""(dag_id, logical date) -> the data interval of a run that has none, or the reason why it cannot be known."""

_TASK_MOMENTS = tuple(COLUMNS["task_try"].index(name) for name in ("start_date", "end_date", "queued_at"))
"""The places of moments in a task instance and in a try."""
_RUN_MOMENTS = (
    "logical_date", "data_interval_start", "data_interval_end", "run_after", "queued_at", "start_date", "end_date",
)  # fmt: skip
_PICKLE_START = b"\x80"
_NOT_JSON_NUMBER = re.compile(r"([:,\[]\s*|^)(NaN|-?Infinity)(?=\s*[,}\]]|$)")


def run_converter(find_interval: FindInterval) -> Convert:
    """Give the function for run rows."""

    def convert(row: Any, rows: list[tuple[Any, ...]], rejected: list[RejectedRow]) -> None:
        key = f"{row.dag_id}/{row.run_id}"
        named = dict(zip(COLUMNS["run"], row, strict=True))
        if isinstance(date := named["logical_date"], str):
            rejected.append(RejectedRow(key, "run-date-unreadable", "Its logical date is no moment.", date.encode()))
            return
        for name in _RUN_MOMENTS:
            named[name] = _moment(named[name], f"The run moves without its {name}", key, rejected)
        if named["data_interval_start"] is None and named["logical_date"] is not None and _is_older(named):
            interval, reason = find_interval(row.dag_id, named["logical_date"])
            if interval is None:
                message = f"The run moves without its data interval: {reason}."
                rejected.append(RejectedRow(key, "run-interval-unknown", message))
            else:
                named["data_interval_start"], named["data_interval_end"] = interval
        named["run_after"] = named["run_after"] or named["data_interval_end"] or named["logical_date"]
        if named["is_external_trigger"] is None:
            named["is_external_trigger"] = named["run_type"] != "scheduled"
        named["is_external_trigger"] = bool(named["is_external_trigger"])
        conf = named["conf"]
        try:
            named["conf"] = _conf_text(conf)
        except NotPlainError as error:
            named["conf"] = None
            stored = bytes(conf) if isinstance(conf, bytes | memoryview) else None
            rejected.append(RejectedRow(key, "run-conf-pickled", f"The run moves without its conf: {error}.", stored))
        rows.append(tuple(named.values()))

    return convert


def _is_older(named: dict[str, Any]) -> bool:
    """Tell whether the run is of Airflow < 2.2. From 3.0 on, a run without an interval has none on purpose."""
    return named["run_after"] is None


def _moment(value: Any, what: str, key: str, rejected: list[RejectedRow]) -> datetime | None:
    """Give an aware moment; SQLite and MySQL can hold texts that are none, such as "0000-00-00 00:00:00"."""
    if isinstance(value, str):
        rejected.append(RejectedRow(key, "moment-unreadable", f"{what}, which is no moment.", value.encode()))
    return utc(value)


def _conf_text(conf: Any) -> str | None:
    if conf is None:
        return None
    if isinstance(conf, bytes | memoryview):
        conf = plain_from_pickle(bytes(conf))
    elif isinstance(conf, str):
        return conf
    return None if conf is None else json_text(conf)


def convert_task(row: Any, rows: list[tuple[Any, ...]], rejected: list[RejectedRow]) -> None:
    values = list(row)
    for place in _TASK_MOMENTS:
        if isinstance(moment := values[place], str):
            dag_id, run_id, task_id, map_index = values[:4]
            what = f"The row moves without its {COLUMNS['task_try'][place]}"
            values[place] = _moment(moment, what, f"{dag_id}/{run_id}/{task_id}[{map_index}]", rejected)
        elif moment is not None:
            values[place] = utc(moment)
    rows.append(tuple(values))


def convert_rendered(row: Any, rows: list[tuple[Any, ...]], rejected: list[RejectedRow]) -> None:
    """Take rendered template fields, which every version keeps as JSON."""
    *key, fields, pod = row
    texts = [value if value is None or isinstance(value, str) else json.dumps(value) for value in (fields, pod)]
    if texts[0] is None:
        dag_id, run_id, task_id, map_index = key
        rejected.append(
            RejectedRow(f"{dag_id}/{run_id}/{task_id}[{map_index}]", "rendered-empty", "No field is stored.")
        )
        return
    rows.append((*key, *texts))


def convert_xcom(row: Any, rows: list[tuple[Any, ...]], rejected: list[RejectedRow]) -> None:
    """Take JSON as it is; a pickle (every XCom of 1.10, `enable_xcom_pickling` of 2.x) where it holds plain data only."""
    dag_id, run_id, task_id, map_index, key, value, timestamp = row
    label = f"{dag_id}/{run_id}/{task_id}[{map_index}]/{key}"
    if isinstance(value, bytes | memoryview):
        try:
            text: str | None = _stored_text(bytes(value))
        except NotPlainError as error:
            message = f"The value is a pickle; Airflow 3 stores JSON only, and {error}."
            rejected.append(RejectedRow(label, "xcom-pickled", message, bytes(value)))
            return
        except ValueError:
            rejected.append(RejectedRow(label, "xcom-unreadable", "The value is not JSON."))
            return
    elif value is None:
        text = None
    else:
        text = json.dumps(value)
    rows.append((dag_id, run_id, task_id, map_index, key, text, utc(timestamp)))


def whole_row(row: Mapping[str, Any]) -> bytes:
    """Write a row that stays behind as JSON, to be archived: moments as ISO texts, bytes (pickles) as Base64."""

    def plain(value: Any) -> Any:
        return b64encode(value).decode() if isinstance(value, bytes | memoryview) else str(value)

    named = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
    return json.dumps(named, default=plain, ensure_ascii=False).encode(errors="backslashreplace")


def _stored_text(data: bytes) -> str:
    if data[:1] == _PICKLE_START:
        return xcom_text(plain_from_pickle(data))
    try:
        return _strict_json(data.decode())
    except ValueError as unreadable:
        try:  # Python 2 wrote pickles of protocol 0, which start with any letter
            return xcom_text(plain_from_pickle(data))
        except NotPlainError as error:
            if error.is_pickle:
                raise
            raise unreadable from None


def _strict_json(text: str) -> str:
    """Check JSON text and mend what Airflow's own upgrade mends (0049, 3.3.2): NaN becomes null, NUL goes."""
    if "\\u0000" in text:
        text = text.replace("\\\\", "\x01").replace("\\u0000", "").replace("\x01", "\\\\")
    try:
        json.loads(text, parse_constant=_refuse)
    except _NotStrictError:
        text = _NOT_JSON_NUMBER.sub(r"\1null", text)
        json.loads(text)
    return text


class _NotStrictError(ValueError):
    pass


def _refuse(name: str) -> None:
    raise _NotStrictError(name)
