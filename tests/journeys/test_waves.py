"""Three waves of a real Airflow 2 go to a real Airflow 3, one of them comes back; it ends with evidence that verifies offline.

If this breaks, nobody can show afterwards what was moved, what was given back, and that nothing of it was changed since.
The whole form, with promotion gate by gate and a source that may go, is test_promotion.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from tests.journeys.conftest import FIRST_WAVE, NAME, SECOND_WAVE, THIRD_WAVE, Moved

from aerodrome.demo.processes import inherited_environment
from aerodrome.kernel.secret import Secret

pytestmark = [pytest.mark.airflow, pytest.mark.journey]


def test_three_waves_and_one_comes_back(moved: Moved) -> None:
    second, back, third = moved.boards
    assert (second["second"]["status"], second["second"]["live"]) == ("done", len(SECOND_WAVE))
    assert (back["second"]["status"], back["second"]["live"]) == ("waiting", 0)
    assert {name: third[name]["status"] for name in ("first", "second", "third")} == {
        "first": "done",
        "second": "waiting",
        "third": "done",
    }
    assert third["first"]["owners"][0] in ("logistics", "sales")
    here = moved.target_paused
    for dag_id in FIRST_WAVE:
        assert (moved.source_paused[dag_id], here[dag_id]) == (True, False)
    for dag_id in SECOND_WAVE:  # the source has it again
        assert (moved.source_paused[dag_id], here[dag_id]) == (False, True)
    for dag_id in THIRD_WAVE:  # as it was
        assert (moved.source_paused[dag_id], here[dag_id]) == (True, True)


def test_it_ends_with_a_decommission_and_evidence_that_verifies_offline(moved: Moved, tmp_path: Path) -> None:
    moved.source.start_database()
    proofs = moved.client.proofs
    asked = proofs.decommission(NAME, days=1, passphrase=Secret("words of the last day"), logs=None, access_log=None)
    result = proofs.watch(NAME, asked.id, lambda _seen: None, timeout_s=400).result
    checks = {check["key"]: check for check in result["checks"]}
    assert not result["may_go"]
    assert "second" in checks["handed-over"]["details"]  # the wave that came back
    assert not {"first", "third"} & set(checks["handed-over"]["details"])
    assert result["backup"]["restore_test"]["is_proven"]
    file, key = tmp_path / "evidence.tar", tmp_path / "key.pem"
    made = proofs.create_evidence(NAME, file)
    key.write_text(proofs.evidence_key())

    said = verify(file, key)
    assert said.returncode == 0, said.stderr
    manifest = json.loads(said.stdout)["manifest"]
    assert len(manifest["entries"]) == made["parts"]
    names = {entry["name"] for entry in manifest["entries"]}
    assert {"journal.json", "plan.yaml", "report.json", "runbook.md"} <= names
    assert f"proofs/decommission-{asked.id}.json" in names

    content = bytearray(file.read_bytes())
    with tarfile.open(file) as archive:
        begin = archive.getmember("journal.json").offset_data
    assert b"cutover.roll_back" in content[begin:]  # the way back stands in the journal
    content[begin + 100] ^= 1
    file.write_bytes(bytes(content))
    told = verify(file, key)
    assert told.returncode == 1
    assert f"journal.json, byte {begin:,}" in told.stderr


def verify(file: Path, key: Path) -> subprocess.CompletedProcess[str]:
    """Verify with the command, as an auditor does: no server, no account, only the two files."""
    command = [sys.executable, "-m", "aerodrome.cli", "migrate", "evidence", "verify", str(file)]
    env = {**inherited_environment(), "AERODROME_URL": "http://127.0.0.1:9"}  # where nobody is
    return subprocess.run(
        [*command, "--public-key", str(key), "-o", "json"], capture_output=True, text=True, check=False, env=env
    )
