"""Upgrades DAG code to the target's Airflow: our rules and ruff's, shown as diffs, with what remains to be done, and the proof."""

from aerodrome.migration.codemod.contract import CodeUpgrade, FileChange, Options, Remaining, Rule
from aerodrome.migration.codemod.gone import GONE
from aerodrome.migration.codemod.origin import default_timezone, is_named, source_version
from aerodrome.migration.codemod.proof import FileProof, Interpreter, Proof, prove
from aerodrome.migration.codemod.upgrade import upgrade

__all__ = [
    "GONE",
    "CodeUpgrade",
    "FileChange",
    "FileProof",
    "Interpreter",
    "Options",
    "Proof",
    "Remaining",
    "Rule",
    "default_timezone",
    "is_named",
    "prove",
    "source_version",
    "upgrade",
]
