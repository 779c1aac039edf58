"""Proofs of a migration: comparisons, the checklist, the decommission and its evidence. Each is a journal of steps."""
