"""Files that a switch changed look new to Airflow, and only those; if this breaks, deploys take half a minute to be seen."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from aerodrome.runtimes.local.marking import mark_changed

DAG = "from airflow import DAG\n"
OLD_S = 1_000_000_000


def release(folder: Path, files: dict[str, str], mtime: float | None = None) -> Path:
    for name, text in files.items():
        path = folder / "dags" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (mtime or OLD_S + 5, mtime or OLD_S + 5))
    return folder


def fresh(folder: Path) -> set[str]:
    now = time.time()
    files = (path for path in (folder / "dags").rglob("*.py") if path.is_file())
    return {path.name for path in files if path.stat().st_mtime > now - 60}


FILES = {
    "a.py": DAG + "A = 1",
    "b.py": DAG + "B = 1",
    "shared/clock.py": "C = 1",
    "limits.yaml": "x: 1",
    "README.md": "one",
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"a.py": DAG + "A = 2"}, {"a.py"}),
        ({"new.py": DAG}, {"new.py"}),
        ({"README.md": "two"}, set()),
        ({"shared/clock.py": "C = 2"}, {"a.py", "b.py", "clock.py"}),
        ({"limits.yaml": "x: 2"}, {"a.py", "b.py", "clock.py"}),
        ({}, set()),
    ],
)
def test_what_differs_looks_new(tmp_path: Path, changes: dict[str, str], expected: set[str]) -> None:
    before = release(tmp_path / "1", FILES, OLD_S)
    after = release(tmp_path / "2", {**FILES, **changes})
    mark_changed(before, after)
    assert fresh(after) == expected
    kept = {path.name: path.stat().st_mtime for path in (after / "dags").rglob("*.py") if path.name not in expected}
    assert set(kept.values()) <= {OLD_S}


def test_a_removed_module_makes_all_new_and_so_does_a_first_release(tmp_path: Path) -> None:
    after = release(tmp_path / "2", {"a.py": DAG, "b.py": DAG})
    mark_changed(None, after)
    assert fresh(after) == {"a.py", "b.py"}
    before = release(tmp_path / "1", {"a.py": DAG, "b.py": DAG, "gone.py": "X = 1"}, OLD_S)
    again = release(tmp_path / "3", {"a.py": DAG, "b.py": DAG})
    mark_changed(before, again)
    assert fresh(again) == {"a.py", "b.py"}
