"""Compares two readings of the same project, possibly under two Airflow versions."""

from __future__ import annotations

from aerodrome.parsing.contract import DagDifference, ParseResult


def compare(before: ParseResult, after: ParseResult) -> tuple[DagDifference, ...]:
    """Give what differs between the DAGs, by dag_id and path; what only the serializer's format changed is left out.

    A DAG that is only in `before` is a blocker, one that is only in `after` is information.
    """
    raise NotImplementedError
