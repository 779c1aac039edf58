"""Estate in, findings out: pure checks and the reports drawn from them."""

from aerodrome.migration.assess.assessment import assess
from aerodrome.migration.assess.contract import Assessment, Check, DagRisk, Finding

__all__ = ["Assessment", "Check", "DagRisk", "Finding", "assess"]
