"""Hands DAGs over one by one: pause, drain, sync, prove, start, watch; and the way back."""

from aerodrome.migration.cutover.context import CutoverContext
from aerodrome.migration.cutover.handover import prove, sync, unpause
from aerodrome.migration.cutover.holding import check, drain, pause
from aerodrome.migration.cutover.machine import CUTOVER, state_after
from aerodrome.migration.cutover.returning import check_return, roll_back
from aerodrome.migration.cutover.watching import watch

__all__ = [
    "CUTOVER",
    "CutoverContext",
    "check",
    "check_return",
    "drain",
    "pause",
    "prove",
    "roll_back",
    "state_after",
    "sync",
    "unpause",
    "watch",
]
