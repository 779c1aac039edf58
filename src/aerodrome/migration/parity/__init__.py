"""Parity: does a DAG do the same in the target? Its structure, one run of the same logical date on each side, its data.

Called by migration.service. Everything here reads; what a comparison starts (a shadow run) is the service's act.
"""

from aerodrome.migration.parity.contract import Row, RunFacts, Side, verdict_of
from aerodrome.migration.parity.declarations import Declarations, read_declarations
from aerodrome.migration.parity.runs import compare_runs

__all__ = ["Declarations", "Row", "RunFacts", "Side", "compare_runs", "read_declarations", "verdict_of"]
