"""Upgrades DAG code to the target's Airflow: our rules and ruff's, shown as diffs, with what remains to be done."""

from aerodrome.migration.codemod.contract import CodeUpgrade, FileChange, Options, Remaining, Rule
from aerodrome.migration.codemod.upgrade import upgrade

__all__ = ["CodeUpgrade", "FileChange", "Options", "Remaining", "Rule", "upgrade"]
