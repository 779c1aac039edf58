"""What an upgrade of code gives back, and what a rule is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.source import Source


@dataclass(frozen=True)
class Remaining:
    """Something in the upgraded code that a person must look at."""

    rule: str
    file: str
    line: int
    message: str
    hint: str


@dataclass(frozen=True)
class FileChange:
    """One file: `diff` is unified and empty when only findings remain; `rules` counts what was applied."""

    path: str  # relative to the project, "dags/daily_sales.py"
    diff: str  # values that look like secrets are masked
    rules: Mapping[str, int]
    findings: tuple[Remaining, ...]


@dataclass(frozen=True)
class CodeUpgrade:
    """An upgraded project: files that changed or need a look, in order of their paths."""

    target_version: str
    files: tuple[FileChange, ...]
    files_total: int  # that were looked at: code, requirements, and what stands around it

    @property
    def rules(self) -> dict[str, int]:
        """Give how often each rule was applied."""
        found: Counter[str] = Counter()
        for file in self.files:
            found.update(file.rules)
        return dict(sorted(found.items()))

    @property
    def findings(self) -> tuple[Remaining, ...]:
        return tuple(finding for file in self.files for finding in file.findings)

    def as_data(self) -> dict[str, Any]:
        """Give plain JSON data."""
        return {
            "target_version": self.target_version,
            "files_total": self.files_total,
            "files_changed": sum(bool(file.diff) for file in self.files),
            "rules": self.rules,
            "files": [
                {
                    "path": file.path,
                    "diff": file.diff,
                    "rules": dict(file.rules),
                    "findings": [asdict(finding) for finding in file.findings],
                }
                for file in self.files
            ],
        }


@dataclass(frozen=True)
class Options:
    """What decides how code must be changed to go on meaning the same."""

    catchup_by_default: bool = True  # of the source; Airflow 3 has False
    is_pinning_intervals: bool = (
        False  # True: the target has create_cron_data_intervals off, so DAGs say what they mean
    )
    default_timezone: str = ""  # of the source, [core] default_timezone; "" is what the project's files say, else UTC
    source_version: str = (
        ""  # Airflow's, of the source; "" is what the project's files say, else what a file itself looks like
    )
    is_guessed: bool = False  # source_version is only what most files look like: one that shows another has that one
    target: str = "3.3.2"  # Airflow's version
    python: str = "3.11"  # of the target
    requirements_as_of: date | None = (
        None  # versions are looked for among what was published up to this day; None: the index is not asked
    )
    is_keeping_gone: bool = False  # True: nothing stands in for classes that are gone; their files do not import
    file: str = ""  # the one that is upgraded, below the project
    project: Project | None = None  # None: nothing is known but the file itself

    @property
    def zone(self) -> str | None:
        """Give the time zone of dates that name none; None when it is that of the source's machine."""
        name = self.default_timezone or "UTC"
        return None if name.lower() == "system" else "UTC" if name.lower() == "utc" else name

    @property
    def major(self) -> int:
        """Give 2 or 3: of the target."""
        return int(self.target.partition(".")[0])


@dataclass(frozen=True)
class Edit:
    """Bytes `start` to `end` of a file become `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Spot:
    """A place that a rule understands and must not change."""

    line: int
    message: str
    hint: str


@dataclass(frozen=True)
class Change:
    """One fix: its edits are made together or not at all. `imports` are (module, name), (module, "name as other"), or (module, "") for `import module`.

    `note`: what a person must do once the fix is made; it is told with the run that makes it, at its line in the new text.
    """

    edits: tuple[Edit, ...]
    imports: tuple[tuple[str, str], ...] = ()
    note: Spot | None = None


@dataclass(frozen=True)
class Rule:
    """One rewriting: a matcher that gives fixes and findings. `before` and `after` are its example, its test and its documentation.

    `words`: a file without any of them cannot concern the rule and is not looked at. A rule whose example stays as it is
    only finds; `finding` is then what it says. A fix, made, must leave nothing for the rule to fix again.
    """

    code: str
    title: str
    words: tuple[bytes, ...]
    before: str
    after: str
    find: Callable[[Source, Options], Iterator[Change | Spot]]
    finding: str = ""
    is_for_2: bool = False  # also when the target is 2.x, which understands most of 1.10
    files: Mapping[str, str] = field(default_factory=dict)  # other files of the example's project, by their path
    is_last: bool = False  # asked when no other rule has anything left to fix: it takes away what they know old code by
