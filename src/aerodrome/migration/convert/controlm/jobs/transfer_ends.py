"""The ends of managed file transfers: what a transfer is, and how its ends are named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

SCHEMES: Final = {
    "": "sftp",
    "SFTP": "sftp",
    "SSH": "sftp",
    "S3": "s3",
    "AWS": "s3",
    "S3 COMPATIBLE": "s3",
    "GCS": "gs",
    "GOOGLE CLOUD STORAGE": "gs",
    "AZURE": "abfs",
    "AZURE STORAGE": "abfs",
    "FILE SYSTEM": "file",
    "LOCAL FILE SYSTEM": "file",
    "LOCAL": "file",
    "FTP": "ftp",
    "FTPS": "ftps",
    "FTP-SSL": "ftps",
    "FTPSSL": "ftps",
}
_STORED: Final = re.compile(r"(?:s3a?|gs|abfss?|wasbs?|s3n)://([^/@:]+)(?:@[^/]*)?(?=/|$)")
SERVERS: Final = ("ftp", "ftps")  # schemes that Airflow's storage does not reach: hooks do


@dataclass(frozen=True)
class Side:
    scheme: str
    path: str
    profile: str = ""
    host: str = ""
    user: str = ""

    @property
    def address(self) -> str:
        """Give it as Airflow's storage names it."""
        return f"{self.scheme}://{self.path}"

    @property
    def is_by_hook(self) -> bool:
        """Say whether only a hook reaches it; addresses of Airflow's storage have no paths below a home."""
        return self.scheme in SERVERS or (self.scheme == "sftp" and not self.path.startswith("/"))


@dataclass(frozen=True)
class Command:
    """A file command at one end, before or after a transfer: rm, mkdir, rename or chmod (`target`: the new name, the mode)."""

    action: str
    side: Side
    target: str = ""
    is_needed: bool = False  # its failure fails the job: only where FailJobOn…CommandFailure says so


@dataclass(frozen=True)
class Transfer:
    source: Side
    destination: Side
    is_watching: bool = False
    is_copying: bool = True
    is_moving: bool = False
    waits: timedelta | None = None  # how long it watches
    notes: tuple[str, ...] = ()
    before: tuple[Command, ...] = ()
    after: tuple[Command, ...] = ()
    pgp: str = ""  # the PGP template by which it is encrypted or decrypted on the way

    @property
    def is_plain(self) -> bool:
        """Say whether it is one named file to one named file."""
        return not (self.is_moving or re.search(r"[*?]", self.source.path) or self.destination.path.endswith("/"))

    @property
    def is_by_hook(self) -> bool:
        """Say whether one end is a server that hooks reach: FTP, or a path below the home of an SFTP user."""
        return any(side.is_by_hook for side in (self.source, self.destination))


def is_on(value: Any) -> bool:
    """Say whether an option does something: a nested one when any switch in it is on, without switches when anything is said in it."""
    if isinstance(value, Mapping):
        switches = [item for key, item in value.items() if isinstance(item, bool) or str(key).endswith("Enabled")]
        return any(is_on(item) for item in switches or value.values())
    if isinstance(value, list):
        return any(is_on(item) for item in value)
    return str(value or "").strip().lower() not in ("", "0", "n", "no", "none", "false", "off")


def side_of(
    kind: str, path: str, profile: str, bucket: str, host: str = "", user: str = "", ending: str = ""
) -> Side | None:
    scheme = SCHEMES.get(kind.strip())
    if scheme is None:
        return None
    if "+" in profile and ending:
        profile = profile.split("+")[0 if ending == "1" else -1]
    path = path.strip().strip('"')
    if scheme in ("sftp", *SERVERS):
        path = path.removeprefix("~/") or "./" if path.startswith("~/") else path  # below the home, as hooks take it
        if "\\" in path and "/" not in path and not re.match(r"[A-Za-z]:|\\\\", path):
            path = path.replace("\\", "/")  # a path of Windows below the home: servers take it with slashes
    if scheme in ("s3", "gs", "abfs"):
        if whole := _STORED.match(path):  # a whole address: it names its bucket itself
            if bucket not in ("", whole[1]):
                return None
            bucket, path = whole[1], path[whole.end() :]
        path = f"{bucket}/{path.lstrip('/')}" if bucket else path
    elif "://" in path:
        return None
    return Side(scheme, path, profile, "" if host.startswith("<") else host, user)


def limit_of(limit: Any, unit: str) -> timedelta | str | None:
    """Give how long a watcher waits, None where nothing limits it, or a sentence that says why that is not known.

    The time limit is one of hours, minutes or seconds (File Watcher parameters of Control-M MFT); `1`, which exports have by default, is minutes.
    """
    text, word = str(limit or "").strip(), unit.strip().capitalize()
    if text in ("", "0"):
        return None
    seconds = {"": 60, "1": 60, "Minutes": 60, "Hours": 3600, "Seconds": 1}.get(word)
    if seconds is None or not text.isdigit():
        return f"The time limit of a watcher, {text} of the unit {unit or 'minutes'}, is not understood."
    return timedelta(seconds=int(text) * seconds)
