"""What planning reads of an estate and its assessment. Estate and Assessment satisfy these by their shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol


class Header(Protocol):
    """Where and when the estate was taken."""

    @property
    def source_kind(self) -> str: ...

    @property
    def source_version(self) -> str: ...

    @property
    def taken_at(self) -> str:
        """Give the moment as ISO 8601 in UTC."""
        ...


class Inventory(Protocol):
    """A frozen estate: its digest and its records, kind by kind (records.KINDS)."""

    @property
    def header(self) -> Header: ...

    @property
    def digest(self) -> str: ...

    def records(self, kind: str) -> Iterable[Any]: ...


class Risk(Protocol):
    """How risky one DAG is."""

    @property
    def risk(self) -> str:
        """Tell low, medium or high."""
        ...

    @property
    def reasons(self) -> tuple[str, ...]: ...


class Judgement(Protocol):
    """The assessment of an estate."""

    @property
    def dag_risks(self) -> Mapping[str, Any]:
        """Give a Risk per DAG id."""
        ...
