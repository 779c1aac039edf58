"""Which Airflow a file was written for: by the project's version, else by what the file imported before the upgrade."""

from __future__ import annotations

import re

from aerodrome.migration.codemod.contract import Options
from aerodrome.migration.codemod.origin import is_of_1
from aerodrome.migration.codemod.source import Source

_OF_3 = re.compile(rb"(?m)^(?:from|import)\s+airflow\.sdk\b")
"""Not what stands in a `try`: code that runs on both."""


def original(source: Source, options: Options) -> bytes:
    """Give a file's text as it was before the upgrade, where the project has it."""
    project = options.project
    return project.text(options.file) if project is not None and project.has(options.file) else source.text


def is_for_1(source: Source, options: Options) -> bool:
    return options.source_version.startswith("1.") or (
        not options.source_version and is_of_1(original(source, options))
    )


def is_for_3(source: Source, options: Options) -> bool:
    """Tell whether a file means what Airflow 3 does."""
    if options.project is None or not options.project.has(options.file):
        return options.source_version.startswith("3")  # what is here may be upgraded in part
    return options.source_version.startswith("3") or _OF_3.search(original(source, options)) is not None
