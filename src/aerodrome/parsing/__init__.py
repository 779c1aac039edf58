"""DAGs parsed under an exact Airflow: what is in a project, what breaks, what differs between two versions."""

from aerodrome.parsing.comparison import compare
from aerodrome.parsing.contract import (
    DagDifference,
    ImportFailure,
    NextRun,
    ParsedDag,
    ParseLimits,
    ParseResult,
    ParseSetting,
    StandIn,
    TaskUse,
    Usage,
    UsageEntry,
)
from aerodrome.parsing.parser import merge, parse
from aerodrome.parsing.usage import usage, usage_of

__all__ = [
    "DagDifference",
    "ImportFailure",
    "NextRun",
    "ParseLimits",
    "ParseResult",
    "ParseSetting",
    "ParsedDag",
    "StandIn",
    "TaskUse",
    "Usage",
    "UsageEntry",
    "compare",
    "merge",
    "parse",
    "usage",
    "usage_of",
]
