"""Puts the package `aerodrome_airflow` where deployments import it: one folder per content, never changed afterwards."""

from __future__ import annotations

import shutil
import tempfile
from hashlib import sha256
from pathlib import Path

import aerodrome_airflow


def install_support(root: Path) -> Path:
    """Give a folder that holds the package as it is now; deployments started earlier keep theirs."""
    source = Path(aerodrome_airflow.__file__).parent
    files = sorted(source.glob("*.py"))
    hasher = sha256()
    for file in files:
        hasher.update(f"{file.name}\0".encode() + file.read_bytes())
    target = root / hasher.hexdigest()[:16]
    if target.is_dir():
        return target
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=root))
    try:
        package = draft / "aerodrome_airflow"
        package.mkdir()
        for file in files:
            shutil.copyfile(file, package / file.name)
        try:
            draft.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target
