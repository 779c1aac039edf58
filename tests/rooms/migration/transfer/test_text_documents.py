"""The lines of runs and XComs say what the careful way says of the same row. If these break, two ways write two histories."""

from __future__ import annotations

import json
import pickle
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerodrome.migration.estate.history import COLUMNS, RejectedRow
from aerodrome.migration.sources.airflow_db.conversion import convert_xcom, run_converter
from aerodrome.migration.transfer.bulk import jsonb_text
from aerodrome.migration.transfer.mapping import MappedRow, mapper
from aerodrome.migration.transfer.text_documents import Line, NotPlainError, moment_of, run_liner, xcom_liner

MOMENT = "2026-01-01 00:00:01.500000"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)


def careful(kind: Any, row: Any) -> MappedRow:
    """Take the way of `batches.py`."""
    rows: list[tuple[Any, ...]] = []
    rejected: list[RejectedRow] = []
    if kind == "xcom":
        convert_xcom(row, rows, rejected)
    else:
        made = type("Row", (tuple,), {name: row[place] for place, name in enumerate(COLUMNS["run"])})(row)
        run_converter(lambda *_: (None, "no schedule"))(made, rows, rejected)
    assert rejected == []
    mapped = mapper(kind, COLUMNS[kind])(rows[0])
    assert isinstance(mapped, MappedRow)
    return mapped


def proof_of(mapped: MappedRow, moments: range, document: int) -> str:
    fields = [None if value is None else str(value) for value in mapped.values]
    for place in moments:
        if (moment := fields[place]) is not None:
            fields[place] = moment.removesuffix(".000000") if moment.endswith(".000000") else moment.rstrip("0")
    fields[document] = jsonb_text(fields[document])
    return "\t".join("\\N" if field is None else field for field in fields)


def read(line: str) -> list[str | None]:
    """Read a line as COPY does."""
    signs = {"n": "\n", "t": "\t", "r": "\r"}
    return [
        None if field == "\\N" else re.sub(r"\\(.)", lambda found: signs.get(found[1], found[1]), field)
        for field in line.split("\t")
    ]


def aware(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


def xcom(value: bytes | None, **changes: Any) -> list[Any]:
    plain = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1, "key": "k", "value": value, "at": MOMENT}
    return [*(plain | changes).values()]


@given(value=JSON, is_ascii=st.booleans(), spaces=st.sampled_from([None, 1]))
def test_an_xcom_is_written_as_the_careful_way_writes_it(value: Any, is_ascii: bool, spaces: int | None) -> None:
    try:
        stored = json.dumps(value, ensure_ascii=is_ascii, indent=spaces).encode()
    except UnicodeEncodeError:
        return
    try:
        line = xcom_liner(("dag_result",))(xcom(stored))
    except NotPlainError:
        assert b"NaN" in stored or b"Infinity" in stored or b"u0000" in stored
        return
    row = xcom(stored)
    mapped = careful("xcom", [*row[:-1], aware(MOMENT)])
    assert line.proof == proof_of(mapped, range(6, 7), 5)
    assert line.tail == "false"
    fields = read(line.text)
    assert len(fields) == 7
    assert "\n" not in line.text
    assert (fields[5] or "").encode() == stored


def test_an_xcom_without_a_value_and_one_that_is_null_are_two_things() -> None:
    assert xcom_liner(())(xcom(None)) == Line(*(2 * ("d\tr\tt\t-1\tk\t\\N\t2026-01-01 00:00:01.5",)), "")
    assert xcom_liner(())(xcom(b"null")).proof == "d\tr\tt\t-1\tk\tnull\t2026-01-01 00:00:01.5"
    assert xcom_liner(())(xcom(b'"\\\\N"')).text == 'd\tr\tt\t-1\tk\t"\\\\\\\\N"\t2026-01-01 00:00:01.5'


@pytest.mark.parametrize(
    "row",
    [
        *[xcom(pickle.dumps({"a": 1}, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)],
        xcom(b"NaN"), xcom(b'{"a": -Infinity}'), xcom(b'"\\u0000"'), xcom(b"\xff"), xcom(b""), xcom(b"[1"),
        xcom(b"[" * 100_000), xcom(b"1", key="k" * 513), xcom(b"1", at=None), xcom(b"1", at="2026-01-01T00:00:00"),
        xcom(b"1", key="a\\b"), xcom(b"1", task_id="a\tb"), xcom(b"1", run_id="a\nb"),
        xcom("1"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_an_xcom_that_needs_a_closer_look_is_left_to_the_careful_way(row: list[Any]) -> None:
    with pytest.raises((ValueError, RecursionError)):
        xcom_liner(())(row)


def run(**changes: Any) -> list[Any]:
    plain = {
        "dag_id": "d", "run_id": "r", "run_type": "scheduled", "state": "success", "logical_date": MOMENT,
        "data_interval_start": MOMENT, "data_interval_end": "2026-01-02 00:00:00", "run_after": None,
        "queued_at": "2026-01-02 00:00:00.000000", "start_date": None, "end_date": MOMENT, "conf": None,
        "is_external": 0, "clear_number": None, "note": None,
    }  # fmt: skip
    return [*(plain | changes).values()]


EXTRA = ("triggered_by", "span_status", "created_at", "updated_at")
RUNS = [
    run(), run(conf=pickle.dumps({})), run(conf=pickle.dumps(None, 0)), run(conf="{}"), run(clear_number=3),
    run(data_interval_end=None), run(logical_date=None, data_interval_start=None), run(run_type="manual"),
    run(run_type="backfill", state="failed", start_date=MOMENT, queued_at=None),
    run(run_type="dataset_triggered", run_after=MOMENT, data_interval_start=None, data_interval_end=None),
]  # fmt: skip


@pytest.mark.parametrize("row", RUNS)
def test_a_run_is_written_as_the_careful_way_writes_it(row: list[Any]) -> None:
    line = run_liner(EXTRA, "3.3.0")(row)
    mapped = careful("run", [*row[:4], *[aware(value) for value in row[4:11]], *row[11:]])
    assert line.text == line.proof == proof_of(mapped, range(4, 11), 11)
    assert line.tail.split("\t") == [
        "\\N" if value is None else value if place < 2 else moment_of(value) for place, value in enumerate(mapped.extra)
    ]
    assert run_liner(EXTRA[1:], "3.3.0")(row).tail == line.tail.partition("\t")[2]


@pytest.mark.parametrize(
    "row",
    [
        run(conf=pickle.dumps({"a": 1})), run(note="seen"), run(state="running"), run(run_type="unheard"),
        run(dag_id="d" * 251), run(run_id="a\\b"), run(data_interval_start=None), run(end_date="0000-00-00"),
        run(logical_date=None, data_interval_start=None, data_interval_end=None, queued_at=None),
    ],
)  # fmt: skip
def test_a_run_that_needs_a_closer_look_is_left_to_the_careful_way(row: list[Any]) -> None:
    with pytest.raises(NotPlainError):
        run_liner(EXTRA, "3.3.0")(row)


def test_moments_are_taken_as_drivers_give_them() -> None:
    naive, aware_one = datetime.fromisoformat("2026-01-01"), datetime(2026, 1, 1, tzinfo=UTC)
    assert moment_of(naive) == "2026-01-01 00:00:00"
    assert moment_of(naive.replace(microsecond=500_000)) == "2026-01-01 00:00:00.5"
    with pytest.raises(NotPlainError):
        moment_of(aware_one)
