"""What a task's objects had and have not any more: a table, made by `scripts/runtime` from the packages themselves.

Compared: the public attributes of TaskInstance, DagRun, DAG and BaseOperator of apache-airflow 1.10.15 and 2.11.2 with those of RuntimeTaskInstance, DagRun, DAG and
BaseOperator that tasks of 3.3.2 get (2026-11); and what templates know: the names of the context, of `macros` and of moments.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources

_OBJECTS = ("ti", "dag_run", "dag", "task")


@cache
def _table() -> Mapping[str, frozenset[str]]:
    text = (resources.files(__package__) / "runtime.json").read_text(encoding="utf-8")
    return {kind: frozenset(names) for kind, names in json.loads(text).items()}


@cache
def gone_attributes() -> Mapping[str, frozenset[str]]:
    """Read the table, once: by `ti`, `dag_run`, `dag` and `task`."""
    return {kind: _table()[kind] for kind in _OBJECTS}


def gone_names(kind: str, major: int) -> frozenset[str]:
    """Give what templates of Airflow 1.10 or 2 had and have not any more, by `context`, `macros` and `moment`."""
    return _table().get(f"{kind}_{major}", frozenset())
