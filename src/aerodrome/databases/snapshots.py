from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aerodrome.databases.contract import DatabaseSnapshot, Progress
from aerodrome.kernel.secret import Secret


def snapshot(url: Secret, folder: Path, airflow_version: str, progress: Progress) -> DatabaseSnapshot:
    """Copy the database, consistent at one moment, into a folder that does not exist yet; Airflow may keep running.

    Repeating it after a crash is safe: a complete snapshot in the folder is given as it is, a half one starts anew.
    """
    raise NotImplementedError


def read_snapshot(folder: Path) -> DatabaseSnapshot:
    """Read a snapshot's manifest; NotFound when there is no complete one. The digest is not checked here, restore does."""
    raise NotImplementedError


def restore(folder: Path, url: Secret, progress: Progress) -> None:
    """Put a snapshot in the place of the database behind the URL, all or nothing; nobody may be using it.

    What was there before is replaced. Broken `snapshot-damaged` when the files are not those of the manifest.
    """
    raise NotImplementedError


def row_counts(url: Secret) -> Mapping[str, int]:
    """Count the rows of every table."""
    raise NotImplementedError
