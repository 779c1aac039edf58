"""What a cloud's environment offers to the adapter of managed sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_rest.client import RestReader
from aerodrome.migration.sources.contract import Probe

DAGS, PLUGINS, REQUIREMENTS = "dags", "plugins", "requirements.txt"


class ManagedEnvironment(Protocol):
    """One environment. Nothing connects before the first call. Errors: NotFound, Denied naming the right, Unavailable."""

    @property
    def airflow_version(self) -> str: ...

    @property
    def has_rest(self) -> bool:
        """Tell whether its Airflow has a REST API that can be reached this way."""
        ...

    def probes(self) -> Iterator[Probe]:
        """Check what is needed of the cloud, right by right; the first one tells whether the environment is there."""
        ...

    def copy(self, folder: Path, progress: Callable[[int], None]) -> None:
        """Copy what lies in its bucket into the folder, in streams, as DAGS, PLUGINS and REQUIREMENTS."""
        ...

    def options(self) -> Mapping[str, str]:
        """Give the options of airflow.cfg that were set: "section.option" -> value."""
        ...

    def env(self) -> Mapping[str, Secret]:
        """Give the environment variables that were set."""
        ...

    def reader(self) -> RestReader:
        """Give Airflow's REST API, signed in."""
        ...

    def close(self) -> None: ...
