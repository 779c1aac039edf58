"""Interpreters are found where version managers keep them. If this breaks, a Python that is there is downloaded, or missed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from aerodrome.builds import pythons
from aerodrome.builds.pythons import find_python

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"


def keep(root: Path, version: str, answer: str) -> Path:
    """Put an interpreter into a pyenv of a test: a program that says which Python it is, as a launcher would."""
    path = root / "versions" / version / "bin" / f"python{version.rpartition('.')[0]}"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{answer}\n")
    path.chmod(0o755)
    return path


def test_the_newest_working_interpreter_of_pyenv_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert pythons._of_pyenv("3.8") is None
    keep(tmp_path, "3.8.2", "echo 3.8")
    newest = keep(tmp_path, "3.8.18", "echo 3.8")
    keep(tmp_path, "3.8.20", "echo 'pyenv: not chosen' >&2; exit 127")
    keep(tmp_path, "3.9.99", "echo 3.9")
    assert pythons._of_pyenv("3.8") == newest


def test_our_own_interpreter_needs_no_search() -> None:
    assert find_python(OWN).exists()
