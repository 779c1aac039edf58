"""Moves objects and history from a source into a hosted deployment."""

from aerodrome.migration.transfer.assets import AssetsMoved, move_assets
from aerodrome.migration.transfer.checkpoints import Checkpoint, FileCheckpoint, NoCheckpoint
from aerodrome.migration.transfer.environment import EnvironmentMoved, env_values, scheduler_options
from aerodrome.migration.transfer.handoff import (
    CATCHUP_OPTION,
    SCHEDULER_OPTIONS,
    HandOff,
    NextInterval,
    hand_off,
    next_interval,
    source_interval,
)
from aerodrome.migration.transfer.history import move_history
from aerodrome.migration.transfer.logs import LogsMoved, move_logs
from aerodrome.migration.transfer.objects import move_connections, move_pools, move_variables
from aerodrome.migration.transfer.outcomes import HistoryMoved, KindMoved, Moved, Policy, Rejected
from aerodrome.migration.transfer.rejects import RejectsFile
from aerodrome.migration.transfer.target import TargetDatabase

__all__ = [
    "CATCHUP_OPTION",
    "SCHEDULER_OPTIONS",
    "AssetsMoved",
    "Checkpoint",
    "EnvironmentMoved",
    "FileCheckpoint",
    "HandOff",
    "HistoryMoved",
    "KindMoved",
    "LogsMoved",
    "Moved",
    "NextInterval",
    "NoCheckpoint",
    "Policy",
    "Rejected",
    "RejectsFile",
    "TargetDatabase",
    "env_values",
    "hand_off",
    "move_assets",
    "move_connections",
    "move_history",
    "move_logs",
    "move_pools",
    "move_variables",
    "next_interval",
    "scheduler_options",
    "source_interval",
]
