"""`aerodrome assess` over an estate that was taken before, and `assess diff`: what a person at a shell sees."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.rooms.cli.conftest import COMMAND

from aerodrome.cli.assess import _fingerprint_key
from aerodrome.kernel.errors import Invalid
from aerodrome.migration.estate.archive import EstateHeader, EstateWriter
from aerodrome.migration.estate.difference import KEY_FACT
from aerodrome.migration.estate.records import ConnectionRecord, PoolRecord, Record

CONNECTION = ConnectionRecord(
    "wh", "postgres", "10.0.0.9", 5432, None, None, None, (), True, False, "canary-1", "metadata-db"
)


def freeze(folder: Path, *records: Record, key: str = "k") -> Path:
    writer = EstateWriter(folder, EstateHeader("airflow-db", "old", "2.11.2", "sqlite 3", "r", "", {KEY_FACT: key}))
    for record in records:
        writer.add(record)
    writer.freeze()
    return folder


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, check=False)


def test_an_estate_is_assessed_and_drawn(tmp_path: Path) -> None:
    estate = freeze(tmp_path / "a", CONNECTION)
    done = run("assess", "--estate", estate, "--html", tmp_path / "r.html", "--output", "json", "--fail-on", "warning")
    assert done.returncode == 1, done.stderr
    data = json.loads(done.stdout)
    assert {finding["code"] for finding in data["findings"]} >= {"private-host", "network-paths", "unused-connection"}
    assert data["hosts"] == [
        {"host": "10.0.0.9", "port": 5432, "path": "private", "connections": ["wh"], "files": [], "dags": 0}
    ]
    page = (tmp_path / "r.html").read_text()
    assert "private-host" in page
    assert "canary-1" not in page + done.stdout


def test_two_scans_are_compared(tmp_path: Path) -> None:
    before = freeze(tmp_path / "a", CONNECTION, PoolRecord("p", 4, None, False))
    after = freeze(tmp_path / "b", replace(CONNECTION, fingerprint="canary-2"), PoolRecord("p", 8, None, False))
    shown = run("assess", "diff", before, after)
    assert shown.returncode == 0, shown.stderr
    assert "slots: 4 -> 8" in shown.stdout
    assert "secret value changed" in shown.stdout
    assert "canary" not in shown.stdout
    data = json.loads(run("assess", "diff", before, after, "--output", "json").stdout)
    assert data["counts"]["pool"] == {"added": 0, "removed": 0, "changed": 1}
    assert "Nothing changed." in run("assess", "diff", before, before).stdout
    other = freeze(tmp_path / "c", CONNECTION, PoolRecord("p", 4, None, False), key="other")
    assert "secrets are not compared" in run("assess", "diff", before, other).stderr


def test_a_key_of_fingerprints_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "key"
    key = _fingerprint_key(file)
    assert file.stat().st_mode & 0o077 == 0
    assert _fingerprint_key(file) == key
    file.write_text("not a key")
    with pytest.raises(Invalid):
        _fingerprint_key(file)
    assert _fingerprint_key(None) != _fingerprint_key(None)
