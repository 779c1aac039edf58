"""What a task's objects had and have not any more: a table, made by `scripts/runtime` from the packages themselves.

Compared: the public attributes of TaskInstance, DagRun, DAG and BaseOperator of apache-airflow 1.10.15 and 2.11.2 with those of RuntimeTaskInstance, DagRun, DAG and
BaseOperator that tasks of 3.3.2 get (2026-11).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources


@cache
def gone_attributes() -> Mapping[str, frozenset[str]]:
    """Read the table, once: by `ti`, `dag_run`, `dag` and `task`."""
    text = (resources.files(__package__) / "runtime.json").read_text(encoding="utf-8")
    return {kind: frozenset(names) for kind, names in json.loads(text).items()}
