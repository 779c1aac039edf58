"""Writes the COPY lines of task instances and tries as expressions of SQLite and MySQL: their database makes them, not Python.

Used by text_lane.py. The expressions stand over the neutral columns of a table `n`, and say what `mapping.py` says; they are
NULL for a row that `mapping.py` must look at. A moment of SQLite is a text, of MySQL a moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_hex

from aerodrome.migration.estate.history import FINAL_TASK_STATES
from aerodrome.migration.sources.lanes import LineSql, TextDialect
from aerodrome.migration.transfer.mapping import DEFAULT_POOL, ID_LIMIT, TASK_STATES

NULL_MARK = f"\x1e{token_hex(4)}"
"""Stands for NULL in a line: a text that no value is."""

LEAST_DURATION, MOST_DURATION = "0.0001", "1000000000000000"
"""Between these every database writes a number without an exponent."""


def task_line(dialect: TextDialect, *, is_try: bool) -> LineSql:
    """Give the expressions of the proved columns, in their order: what stands before the duration, the duration, what follows."""
    states = sorted(TASK_STATES) if is_try else FINAL_TASK_STATES
    named = ", ".join(f"'{state}'" for state in states)
    plain = [f"(n.state is null or n.state in ({named}))", f"char_length(n.task_id) <= {ID_LIMIT}"]
    if not is_try:
        plain.append("n.note is null")
    if dialect == "mysql":
        plain.append(
            f"(n.duration is null or n.duration = 0 or (n.duration >= {LEAST_DURATION} and n.duration < {MOST_DURATION}))"
        )
    display_name = "nullif(n.task_display_name, '')"
    before = [
        "n.dag_id", "n.run_id", "n.task_id", "coalesce(n.map_index, -1)", "coalesce(n.try_number, 0)",
        "coalesce(n.max_tries, 0)", _null("n.state"), _moment(dialect, "n.start_date"), _moment(dialect, "n.end_date"), "",
    ]  # fmt: skip
    after = [
        "", "''", _null("n.unixname"), f"coalesce(nullif(n.pool, ''), '{DEFAULT_POOL}')",
        "coalesce(nullif(n.pool_slots, 0), 1)", _null("n.queue"), _null("n.priority_weight"), _null("n.operator"),
        _null("n.custom_operator_name"), _moment(dialect, "n.queued_at"),
        f"coalesce({display_name}, n.task_id)" if is_try else _null(display_name), _null("n.rendered_map_index"),
        _null("n.executor"),
    ]  # fmt: skip
    first = _joined(dialect, before)
    condition = " and ".join(plain)
    if dialect == "sqlite":
        condition = condition.replace("char_length(", "length(")
    return LineSql(f"case when {condition} then {first} end", "n.duration", _joined(dialect, after), NULL_MARK)


def _joined(dialect: TextDialect, parts: Sequence[str]) -> str:
    """Write the parts with tabs between them; an empty part stands for what the caller puts there."""
    tab = "'\t'"
    pieces: list[str] = []
    for place, part in enumerate(parts):
        if place:
            pieces.append(tab)
        if part:
            pieces.append(part)
    return f"concat({', '.join(pieces)})" if dialect == "mysql" else " || ".join(pieces)


def _null(sql: str) -> str:
    return f"coalesce({sql}, '{NULL_MARK}')"


def _moment(dialect: TextDialect, sql: str) -> str:
    """Write a moment as PostgreSQL does, without zeros at its end. NULL for a text of another form than Airflow's, and MySQL's year 0."""
    if dialect == "mysql":
        trimmed = f"case when microsecond({sql}) = 0 then left({sql}, 19) else trim(trailing '0' from {sql}) end"
        return f"case when {sql} is null then '{NULL_MARK}' when {sql} < '0001-01-01' then null else {trimmed} end"
    micro = f"length({sql}) = 26 and substr({sql}, 11, 1) = ' ' and substr({sql}, 20, 1) = '.'"
    trimmed = f"case when substr({sql}, 21) = '000000' then substr({sql}, 1, 19) else rtrim({sql}, '0') end"
    return (
        f"case when {sql} is null then '{NULL_MARK}' when {micro} then {trimmed} "
        f"when length({sql}) = 19 and substr({sql}, 11, 1) = ' ' then {sql} end"
    )
