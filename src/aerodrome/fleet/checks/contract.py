"""What the checks of a deploy find. Everything here is written as JSON with the deploy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from aerodrome.parsing.contract import ParseResult, UsageEntry

Severity = Literal["blocker", "warning"]


@dataclass(frozen=True)
class CheckFinding:
    """One thing that is wrong with a deploy."""

    code: str
    severity: Severity
    subject: str  # a dag_id, a file, the name of an object
    message: str
    hint: str = ""
    file: str = ""
    line: int | None = None
    kind: str = ""  # of an object: connection, variable, pool, env
    dag_ids: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class KnownObjects:
    """Names that the deployment's DAGs find. `is_whole` is False when there are places that cannot be listed."""

    connections: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    pools: frozenset[str] = frozenset()
    env: frozenset[str] = frozenset()
    unlisted: str = ""  # which place cannot be listed: a sentence, or empty

    def has(self, kind: str, name: str) -> bool:
        """Tell whether an object is there; Airflow's environment variables ignore case."""
        names = {"connection": self.connections, "variable": self.variables, "pool": self.pools, "env": self.env}[kind]
        prefix = {"connection": "AIRFLOW_CONN_", "variable": "AIRFLOW_VAR_"}.get(kind)
        return name in names or (prefix is not None and f"{prefix}{name.upper()}" in self.env)


@dataclass(frozen=True)
class Before:
    """What the deploy that is live now was found to be; empty when it was never checked or there is none."""

    number: int | None = None
    dag_ids: frozenset[str] = frozenset()
    missing: frozenset[tuple[str, str]] = frozenset()  # kind and name of objects that were missing already
    broken: frozenset[tuple[str, str]] = frozenset()  # code and file of what could not be read already


@dataclass(frozen=True)
class Reading:
    """One deploy, read."""

    result: ParseResult
    usage: tuple[UsageEntry, ...]
    known: KnownObjects
    before: Before
    rules: Mapping[str, Severity]  # what blocks, see rules.py
