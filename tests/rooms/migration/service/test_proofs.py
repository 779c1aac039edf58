"""Checklist, decommission and evidence over a real source: what is not so is said, a stop costs nothing, no secret stays."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Legacy
from tests.rooms.migration.service.conftest import NAME, Desk
from tests.rooms.migration.service.conftest import desk as desk  # noqa: PLC0414 - a fixture
from tests.rooms.web.conftest import platform as platform  # noqa: PLC0414 - a fixture

from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.decommission import bundle, keeping
from aerodrome.migration.service.proofs.contract import CompareWish
from aerodrome.migration.service.proofs.ending import passphrase_path
from aerodrome.store import journal

pytestmark = pytest.mark.airflow
WORDS = Secret("canary words of a passphrase")


def test_the_checklist_says_what_is_open_and_what_to_do(desk: Desk) -> None:
    desk.connect()
    proofs, actor = desk.migrations.proofs, desk.actor()
    with pytest.raises(Conflict) as caught:
        proofs.check(actor, NAME)
    assert caught.value.code == "plan-missing"
    desk.migrations.assess(actor, NAME)
    desk.work()
    assert proofs.newest(actor, NAME, "checklist") is None
    asked = proofs.check(actor, NAME)
    with pytest.raises(Conflict) as caught:
        proofs.check(actor, NAME)
    assert caught.value.code == "proof-busy"
    with pytest.raises(Denied):
        proofs.check(desk.actor("viewer"), NAME)
    desk.work()
    found = proofs.get(desk.actor("viewer"), NAME, asked.id)
    assert (found.status, found.error) == ("done", None)
    items = {item["key"]: item for item in found.result["items"]}
    assert items["chains"]["state"] == "done"
    assert list(items) == [
        "chains",
        "objects",
        "backend",
        "network",
        "dags",
        "parity",
        "alerts",
        "access",
        "source",
        "rollback",
    ]
    assert not found.result["is_ready"]
    for key in ("objects", "network", "dags", "alerts", "rollback"):
        assert items[key]["state"] == "open"
        assert items[key]["next"], key
    assert items["backend"]["state"] == "not-needed"
    assert items["parity"]["state"] == "attention"
    assert items["source"]["state"] == "done"
    assert "It answers now" in items["source"]["evidence"]


def test_a_way_back_that_was_walked_counts(desk: Desk) -> None:
    migration = desk.assessed()
    wave = migration.waves[0]
    with desk.platform.store.writing() as session:
        step: dict[str, Any] = {
            "key": "cutover.roll_back:x",
            "kind": "cutover.roll_back",
            "title": "Back",
            "params": {"dag_id": "x"},
        }
        journal.open_track(session, migration.id, f"rollback:{wave}", [step])
        journal.begin(session, migration.id, f"rollback:{wave}", step["key"])
    assert item(desk, "rollback")["state"] == "open"
    with desk.platform.store.writing() as session:
        journal.done(session, migration.id, f"rollback:{wave}", "cutover.roll_back:x")
    assert item(desk, "rollback")["state"] == "done"


def item(desk: Desk, key: str) -> dict[str, object]:
    proofs = desk.migrations.proofs
    asked = proofs.check(desk.actor(), NAME)
    desk.work()
    found: dict[str, object] = next(
        each for each in proofs.get(desk.actor(), NAME, asked.id).result["items"] if each["key"] == key
    )
    return found


def test_a_decommission_is_resumed_where_it_stopped_and_leaves_evidence(
    desk: Desk,
    legacy: Legacy,
    tmp_path: Path,
) -> None:
    desk.assessed()
    proofs, actor = desk.migrations.proofs, desk.actor()
    logs = tmp_path / "logs"
    (logs / "dag_id=a").mkdir(parents=True)
    (logs / "dag_id=a" / "attempt=1.log").write_text("what it said")
    asked = proofs.decommission(actor, NAME, days=14, passphrase=WORDS, logs=str(logs))
    stopping = iter([False, False, True])  # before the third step
    desk.work(is_stopping=lambda: next(stopping, False))
    middle = proofs.get(actor, NAME, asked.id)
    assert [step.status for step in middle.steps] == ["done", "done", "pending", "pending", "pending"]
    assert desk.migrations.secrets.get(passphrase_path(asked.id)) == WORDS
    desk.work()
    found = proofs.get(actor, NAME, asked.id)
    assert found.status == "done", found.error
    assert {step.attempts for step in found.steps} == {1}
    with pytest.raises(NotFound):
        desk.migrations.secrets.get(passphrase_path(asked.id))

    result = found.result
    assert not result["may_go"]
    assert any("Nothing is scheduled" in line for line in result["against"])
    backup = result["backup"]
    assert backup["restore_test"]["is_proven"]
    assert backup["restore_test"]["rows"] == sum(backup["row_counts"].values()) > 0
    assert result["logs"]["files"] == 1
    assert {"machine", "secret"} <= {each["kind"] for each in result["items"]}
    sealed = Path(backup["path"])
    assert b"SQLite format" not in sealed.read_bytes()
    keeping.unseal(sealed, WORDS, tmp_path / "again")
    again = tmp_path / "again" / "snapshot" / "airflow.db"
    assert again.read_bytes()[:15] == b"SQLite format 3"
    with pytest.raises(Denied):
        keeping.unseal(sealed, Secret("other words for it"), tmp_path / "never")
    assert "not quiet" in proofs.runbook(actor, NAME)

    made = proofs.create_evidence(actor, NAME)
    seen = bundle.verify(made.path, proofs.public_key(actor))
    assert seen.is_whole
    names = {entry["name"] for entry in seen.manifest["entries"]}
    assert {"assessment.json", "plan.yaml", "journal.json", "report.json", "runbook.md"} <= names
    assert {f"proofs/decommission-{asked.id}.json"} <= names
    assert any(name.startswith("estate/") for name in names)
    assert [file["sha256"] for file in seen.manifest["final_files"]] == [backup["digest"], result["logs"]["digest"]]
    everything = made.path.read_bytes()
    assert WORDS.reveal().encode() not in everything
    assert b"canary-" not in everything  # as the secrets of the source begin; a plan has canaries of its own
    assert legacy.fernet_key.encode() not in everything
    with tarfile.open(made.path) as archive:
        report = archive.extractfile("report.json")
        assert report is not None
        assert json.load(report)["migration"] == NAME


def test_without_a_passphrase_nothing_is_backed_up_and_it_says_so(desk: Desk) -> None:
    desk.assessed()
    proofs, actor = desk.migrations.proofs, desk.actor()
    asked = proofs.decommission(actor, NAME)
    desk.work()
    result = proofs.get(actor, NAME, asked.id).result
    assert any("No passphrase was given" in line for line in result["against"])
    for wrong, code in (
        ({"passphrase": Secret("short")}, "passphrase-short"),
        ({"days": 0}, "days-invalid"),
        ({"logs": "/none"}, "source-path-missing"),
    ):
        with pytest.raises(Invalid) as caught:
            proofs.decommission(actor, NAME, **wrong)
        assert caught.value.code == code


def test_a_comparison_lists_its_steps_and_refuses_what_it_cannot_do(desk: Desk) -> None:
    desk.assessed()
    proofs, actor = desk.migrations.proofs, desk.actor()
    wish = CompareWish(
        "legacy-dev", dag_ids=("daily_sales",), file="checks: [{name: a, sql: select 1, source: w, target: w}]"
    )
    assert [step["key"] for step in proofs.compare_steps(actor, NAME, wish)] == [
        "compare.ready",
        "compare.dags:0001",
        "compare.data",
    ]
    for changed, code in (
        (replace(wish, dag_ids=("nobody",)), "dag-not-planned"),
        (replace(wish, file="checks: 3"), "comparison-file-invalid"),
        (replace(wish, timeout_s=0), "timeout-invalid"),
    ):
        with pytest.raises(Invalid) as caught:
            proofs.compare(actor, NAME, changed)
        assert caught.value.code == code
    with pytest.raises(NotFound):
        proofs.parity_report(actor, NAME, "daily_sales")
    target = str(
        desk.migrations.frozen(desk.migrations.row_for(actor, NAME, "migration.read")).settings["target"]["deployment"]
    )
    desk.platform.fleet.create_deployment(actor, desk.deployment(target))
    proofs.compare(actor, NAME, replace(wish, deployment=target))
    desk.work()
    failed = proofs.newest(actor, NAME, "compare")
    assert failed is not None
    assert failed.error is not None
    assert failed.error["code"] == "compare-in-target"
    desk.platform.fleet.create_deployment(actor, desk.deployment("scheduling"))
    proofs.compare(actor, NAME, replace(wish, deployment="scheduling"))
    desk.work()
    failed = proofs.newest(actor, NAME, "compare")
    assert failed is not None
    assert failed.error is not None
    assert failed.error["code"] == "compare-would-schedule"
    assert "use_job_schedule=False" in failed.error["hint"]
