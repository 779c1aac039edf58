"""Checks in the target, a row per check."""
