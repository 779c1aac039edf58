"""The words of a migration's course: its tracks, its statuses, its kinds of jobs, and the permissions that its commands need."""

from __future__ import annotations

READ, CREATE, UPDATE, APPLYING = "migration.read", "migration.create", "migration.update", "migration.apply"
ASSESS_JOB, WALK_JOB, FENCE_JOB = "migration.assess", "migration.walk", "migration.fence"
APPLY, CUTOVER, ROLLBACK = "apply", "cutover:", "rollback:"
"""Tracks: one walk over a list of steps. Of cutover and rollback there is one per wave: the name follows the colon."""
WALKING_STATUS = {"apply": "applying", "cutover": "cutting-over", "rollback": "rolling-back"}
BUSY = ("assessing", *WALKING_STATUS.values())


def walking(track: str) -> str:
    """Give the status of a migration that walks this track."""
    return WALKING_STATUS[track.partition(":")[0]]
