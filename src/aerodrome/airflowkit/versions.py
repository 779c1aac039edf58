"""Facts about Airflow versions: what is supported, on which Python, released when, and which processes it has.

Called by builds, runtimes, fleet and migration. Pure: no I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from aerodrome.kernel.errors import Invalid

_TEXT = re.compile(r"(\d+)\.(\d+)\.(\d+)")

# First upload of each final release to the Python package index.
RELEASED: dict[str, date] = {
    "2.10.0": date(2024, 8, 15),
    "2.10.1": date(2024, 9, 6),
    "2.10.2": date(2024, 9, 20),
    "2.10.3": date(2024, 11, 5),
    "2.10.4": date(2024, 12, 16),
    "2.10.5": date(2025, 2, 10),
    "2.11.0": date(2025, 5, 20),
    "2.11.1": date(2026, 2, 16),
    "2.11.2": date(2026, 3, 14),
    "3.0.0": date(2025, 4, 22),
    "3.0.1": date(2025, 5, 12),
    "3.0.2": date(2025, 6, 10),
    "3.0.3": date(2025, 7, 14),
    "3.0.4": date(2025, 8, 8),
    "3.0.6": date(2025, 8, 29),
    "3.1.0": date(2025, 9, 25),
    "3.1.1": date(2025, 10, 27),
    "3.1.2": date(2025, 11, 5),
    "3.1.3": date(2025, 11, 14),
    "3.1.5": date(2025, 12, 12),
    "3.1.6": date(2026, 1, 13),
    "3.1.7": date(2026, 2, 4),
    "3.1.8": date(2026, 3, 11),
    "3.2.0": date(2026, 4, 7),
    "3.2.1": date(2026, 4, 22),
    "3.2.2": date(2026, 5, 29),
    "3.3.0": date(2026, 7, 6),
    "3.3.1": date(2026, 8, 12),
    "3.3.2": date(2026, 9, 17),
}
SUPPORTED: tuple[str, ...] = tuple(RELEASED)
DEFAULT = "3.3.2"
DEFAULT_PYTHON = "3.11"

_PYTHONS: dict[tuple[int, int], tuple[str, ...]] = {
    (2, 10): ("3.8", "3.9", "3.10", "3.11", "3.12"),
    (2, 11): ("3.9", "3.10", "3.11", "3.12"),
    (3, 0): ("3.9", "3.10", "3.11", "3.12"),
    (3, 1): ("3.10", "3.11", "3.12", "3.13"),
    (3, 2): ("3.10", "3.11", "3.12", "3.13", "3.14"),
    (3, 3): ("3.10", "3.11", "3.12", "3.13", "3.14"),
}
_SETTLING = timedelta(days=3)  # dependencies that a release needs may be uploaded a day or two after it


@dataclass(frozen=True, order=True)
class AirflowVersion:
    """A final Airflow release; compares by number."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> AirflowVersion:
        """Read "3.3.2"; Invalid for anything that is not a final release number."""
        if not (match := _TEXT.fullmatch(text.strip())):
            raise Invalid(
                f"{text!r} is not an Airflow version.",
                code="airflow-version-malformed",
                hint=f'Write it with three numbers, for example "{DEFAULT}".',
            )
        return cls(*(int(part) for part in match.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def components(self) -> tuple[str, ...]:
        """Processes of one deployment, in starting order."""
        if self.major >= 3:
            return ("api-server", "dag-processor", "scheduler", "triggerer")
        return ("webserver", "scheduler", "triggerer")

    @property
    def web_component(self) -> str:
        """The process that serves pages and REST API."""
        return self.components[0]

    @property
    def pythons(self) -> tuple[str, ...]:
        """Python versions this release runs on, oldest first; empty when unknown."""
        return _PYTHONS.get((self.major, self.minor), ())

    @property
    def exclude_newer(self) -> date | None:
        """Day up to which packages are considered, so that a resolve today equals the one at release."""
        released = RELEASED.get(str(self))
        return None if released is None else released + _SETTLING


def require_supported(airflow_version: str, python_version: str) -> AirflowVersion:
    """Give the version when a deployment can run it on that Python; Invalid with the possible ones otherwise."""
    version = AirflowVersion.parse(airflow_version)
    if str(version) not in RELEASED:
        newest = ", ".join(sorted(SUPPORTED, key=AirflowVersion.parse, reverse=True)[:4])
        raise Invalid(
            f"Airflow {version} is not among the versions that a deployment can run.",
            code="airflow-version-unsupported",
            hint=f"Choose one of the newer ones: {newest}, or 2.11.2.",
        )
    if python_version not in version.pythons:
        raise Invalid(
            f"Airflow {version} does not run on Python {python_version}.",
            code="python-version-unsupported",
            hint=f"Choose one of {', '.join(version.pythons)}.",
        )
    return version
