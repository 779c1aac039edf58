"""Names the files of one deployment on the local runtime, and writes them safely. Standard library only."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aerodrome.kernel.files import write_text

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Layout:
    """The folder of one deployment. Mode 0700, files with secrets 0600.

    The runtime writes `desired.json`, `current.json` and `releases/`; the shim writes `status.json` and `logs/`.
    """

    folder: Path

    @classmethod
    def of(cls, root: Path, deployment_id: str) -> Layout:
        if not _ID.fullmatch(deployment_id):
            raise ValueError(f"{deployment_id!r} cannot name a folder")
        return cls(root / deployment_id)

    @property
    def desired(self) -> Path:
        """What the shim must make true: environment, commands, generation."""
        return self.folder / "desired.json"

    @property
    def status(self) -> Path:
        """What the shim sees."""
        return self.folder / "status.json"

    @property
    def lock(self) -> Path:
        """Held by the one living shim."""
        return self.folder / "shim.lock"

    @property
    def applying(self) -> Path:
        """Held while a spec is written."""
        return self.folder / "apply.lock"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def database(self) -> Path:
        return self.home / "airflow.db"

    @property
    def migrated(self) -> Path:
        """Which Airflow version prepared which database last."""
        return self.folder / "migrated.json"

    @property
    def conversion(self) -> Path:
        """Which change of the Airflow version was finished last, and what it did."""
        return self.folder / "conversion.json"

    @property
    def cut_off(self) -> Path:
        """Titles of the tasks' processes that the last stop ended before they had finished."""
        return self.folder / "cut_off.json"

    @property
    def releases(self) -> Path:
        return self.folder / "releases"

    @property
    def pointer(self) -> Path:
        return self.folder / "current.json"

    @property
    def project(self) -> Path:
        """Link to the current release."""
        return self.folder / "project"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    def log(self, component: str) -> Path:
        return self.logs / f"{component}.log"


def read_json(path: Path) -> dict[str, Any] | None:
    """Give the content, or None when the file does not exist."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace the file in one step; mode 0600."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True))


def remove_drafts(path: Path) -> None:
    """Remove what a kill in the middle of `write_text` left beside the file; the caller alone writes it at this time."""
    for draft in path.parent.glob(f".{path.name}-????????"):
        draft.unlink(missing_ok=True)


def point_link(link: Path, target: Path) -> None:
    """Make the link point to the target in one step."""
    draft = link.with_name(f".{link.name}-{os.getpid()}-{os.urandom(4).hex()}")
    draft.symlink_to(target)
    draft.replace(link)
