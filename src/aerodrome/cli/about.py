"""`aerodrome version`."""

from __future__ import annotations

import platform

from aerodrome.cli.options import OFFLINE_DEFAULTS, Offline
from aerodrome.cli.output import write_fields
from aerodrome.kernel.version import version


def show_version(*, offline: Offline = OFFLINE_DEFAULTS) -> None:
    """Show the version of aerodrome and of the Python that runs it."""
    facts = {"aerodrome": version(), "python": platform.python_version(), "system": platform.platform()}
    write_fields(offline.output, facts, {name: name for name in facts})
