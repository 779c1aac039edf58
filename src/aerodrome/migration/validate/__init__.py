"""Checks that DAGs parse in the target as they did in the source, and that what they need is there."""

from aerodrome.migration.validate.checks import validate_dags, validate_elsewhere, validate_objects
from aerodrome.migration.validate.contract import CheckRow

__all__ = ["CheckRow", "validate_dags", "validate_elsewhere", "validate_objects"]
