"""Hands DAGs over: pause, drain, sync, prove, start, watch; and the way back. Thousands at a time, each by itself."""

from aerodrome.migration.cutover.conductor import Conductor, Ended, Ledger, Limits
from aerodrome.migration.cutover.context import CutoverContext
from aerodrome.migration.cutover.driving import run
from aerodrome.migration.cutover.handover import prove, sync, unpause
from aerodrome.migration.cutover.holding import check, drain, pause
from aerodrome.migration.cutover.machine import CUTOVER, state_after
from aerodrome.migration.cutover.returning import check_return, roll_back
from aerodrome.migration.cutover.watching import watch

__all__ = [
    "CUTOVER",
    "Conductor",
    "CutoverContext",
    "Ended",
    "Ledger",
    "Limits",
    "check",
    "check_return",
    "drain",
    "pause",
    "prove",
    "roll_back",
    "run",
    "state_after",
    "sync",
    "unpause",
    "watch",
]
