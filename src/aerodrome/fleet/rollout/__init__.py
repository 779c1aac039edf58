"""Puts a deploy there: the walk over its steps, one module per step. `plan.py` says which steps a deploy has."""

from aerodrome.fleet.rollout.walk import Rollout, unfinished

__all__ = ["Rollout", "unfinished"]
