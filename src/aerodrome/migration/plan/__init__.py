"""An editable plan compiled to a frozen, digested list of small steps."""

from aerodrome.migration.plan.code_choices import is_below, with_rejected
from aerodrome.migration.plan.compiler import compile_plan
from aerodrome.migration.plan.contract import FrozenPlan, Step
from aerodrome.migration.plan.explanation import ExplainRow, explain
from aerodrome.migration.plan.notes import describe
from aerodrome.migration.plan.proposal import PlanDefaults, propose
from aerodrome.migration.plan.reader import from_yaml
from aerodrome.migration.plan.splits import split_notes
from aerodrome.migration.plan.wayback import held, return_steps
from aerodrome.migration.plan.writer import to_yaml

__all__ = [
    "ExplainRow",
    "FrozenPlan",
    "PlanDefaults",
    "Step",
    "compile_plan",
    "describe",
    "explain",
    "from_yaml",
    "held",
    "is_below",
    "propose",
    "return_steps",
    "split_notes",
    "to_yaml",
    "with_rejected",
]
