"""Where the files of one migration lie. All can be made again from the source and the plan, but for `boundaries.json`: people's words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aerodrome.kernel.digest import digest_of
from aerodrome.kernel.errors import NotFound
from aerodrome.kernel.files import write_text


@dataclass(frozen=True)
class MigrationFolder:
    """The folder of one migration below the platform's home; readable by the platform's user only."""

    root: Path

    @classmethod
    def of(cls, home: Path, migration_id: str) -> MigrationFolder:
        root = cls.place(home, migration_id)
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(root)

    @staticmethod
    def place(home: Path, migration_id: str) -> Path:
        """Give where the folder is, or would be."""
        return home / "migrations" / migration_id

    @property
    def estates(self) -> Path:
        """Frozen estates, one folder per scan, named by digest."""
        return self.root / "estates"

    def estate(self, digest: str) -> Path:
        return self.estates / digest[:32]

    @property
    def assessment_json(self) -> Path:
        return self.root / "assessment.json"

    @property
    def assessment_html(self) -> Path:
        return self.root / "assessment.html"

    @property
    def plan_json(self) -> Path:
        return self.root / "plan.json"

    @property
    def code(self) -> Path:
        """The project with its DAG code upgraded to the target version."""
        return self.root / "code"

    @property
    def diff_json(self) -> Path:
        """The newest comparison of source and target."""
        return self.root / "diff.json"

    @property
    def code_json(self) -> Path:
        return self.root / "code.json"

    @property
    def raising_json(self) -> Path:
        """Files of the upgraded project with tasks that raise because their class is gone: path -> what stands in for what."""
        return self.root / "code-raising.json"

    @property
    def review_json(self) -> Path:
        """What the code step would change, looked at before it runs: `status` asked, done (then as code.json) or failed (`error`)."""
        return self.root / "code-review.json"

    @property
    def gathered(self) -> Path:
        """The source's code, copied into one project folder before it is upgraded."""
        return self.root / "gathered"

    def parity(self, dag_id: str) -> Path:
        """The newest parity report of a DAG."""
        place = self.root / "parity"
        place.mkdir(exist_ok=True)
        return place / f"{digest_of(dag_id)[:32]}.json"

    @property
    def final(self) -> Path:
        """What a decommission keeps: the sealed backup, the sealed logs, the evidence bundle."""
        place = self.root / "final"
        place.mkdir(exist_ok=True, mode=0o700)
        return place

    @property
    def runbook(self) -> Path:
        return self.root / "runbook.md"

    def checkpoint(self, name: str) -> Path:
        """Where a transfer notes how far it is, so that it goes on there after a kill."""
        place = self.root / "checkpoints"
        place.mkdir(exist_ok=True)
        return place / f"{digest_of(name)[:32]}.json"

    def rejects(self, name: str) -> Path:
        """The folder with every refused row of one step of history, and the values that could not become JSON."""
        return self.root / "rejects" / name


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; None when the file does not exist yet."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def present(value: Any, noun: str, command: str) -> Any:
    """Give what was read; NotFound with the command that makes it, for None."""
    if value is None:
        raise NotFound(f"There is no {noun} yet.", code=f"{noun.replace(' ', '-')}-missing", hint=command)
    return value
