"""DAGs parsed under an exact Airflow: what is in a project, what breaks, what differs between two versions."""

from aerodrome.parsing.comparison import compare
from aerodrome.parsing.contract import (
    DagDifference,
    ImportFailure,
    NextRun,
    ParsedDag,
    ParseResult,
    ParseSetting,
    Usage,
    UsageEntry,
)
from aerodrome.parsing.parser import parse
from aerodrome.parsing.usage import usage, usage_of

__all__ = [
    "DagDifference",
    "ImportFailure",
    "NextRun",
    "ParseResult",
    "ParseSetting",
    "ParsedDag",
    "Usage",
    "UsageEntry",
    "compare",
    "parse",
    "usage",
    "usage_of",
]
