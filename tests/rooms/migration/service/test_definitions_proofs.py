"""The checklist and the end of an Oozie or Control-M source: what nobody can be asked is said, never taken as good.

If these break, somebody switches an old scheduler off that still runs jobs, or waits for a proof that cannot come.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from tests.rooms.migration.service.conftest import NAME, Desk
from tests.rooms.migration.service.test_holds import apps, client, desk, store_url  # noqa: F401 - fixtures
from tests.rooms.migration.sources.test_definitions import EXPORT
from tests.rooms.web.conftest import http, platform, url  # noqa: F401 - fixtures

from aerodrome.client.client import Client
from aerodrome.client.migrations import NewDefinitions
from aerodrome.kernel.secret import Secret
from aerodrome.migration.decommission import bundle, keeping
from aerodrome.store import journal

WORDS = Secret("canary words of a passphrase")
Kind = Literal["oozie", "controlm"]


@dataclass
class Planned:
    """A migration of definitions that was assessed."""

    kind: Kind
    client: Client
    desk: Desk
    path: Path

    def proof(self, asked: Any) -> dict[str, Any]:
        self.desk.work()
        found = self.client.proofs.get(NAME, asked.id)
        assert (found.status, found.data["error"]) == ("done", None)
        return dict(found.result)


@pytest.fixture(params=["oozie", "controlm"])
def planned(
    request: pytest.FixtureRequest,
    desk: Desk,  # noqa: F811
    client: Client,  # noqa: F811
    apps: Path,  # noqa: F811
    tmp_path: Path,
) -> Iterator[Planned]:
    export = tmp_path / "export.xml"
    export.write_text(EXPORT)
    path = apps if request.param == "oozie" else export
    with client:
        client.migrations.connect(NAME, "data", NewDefinitions(request.param, str(path)))
        client.migrations.assess(NAME)
        desk.work()
        yield Planned(request.param, client, desk, path)


def test_the_checklist_says_that_no_results_can_be_compared_and_who_has_not_spoken(planned: Planned) -> None:
    result = planned.proof(planned.client.proofs.check(NAME))
    items = {item["key"]: item for item in result["items"]}
    name = {"oozie": "Oozie", "controlm": "Control-M"}[planned.kind]
    assert not result["is_ready"]
    assert items["parity"]["state"] == "attention"
    assert f"{name} hands no results" in items["parity"]["evidence"]
    assert items["parity"]["rows"] == []  # not one line per DAG for what no DAG can have
    assert items["source"]["state"] == "attention"
    assert f"{name} cannot be asked" in items["source"]["evidence"]
    assert all("Nobody has confirmed" in row["message"] for row in items["source"]["rows"])
    assert "aerodrome migrate holds legacy" in items["source"]["next"]
    dags = [view["dag_id"] for view in planned.client.migrations.holds(NAME)]
    planned.client.migrations.hold(NAME, [{"dag_id": dag_id, "has_never_run": True} for dag_id in dags])
    result = planned.proof(planned.client.proofs.check(NAME))
    source = next(item for item in result["items"] if item["key"] == "source")
    assert (source["state"], source["rows"]) == ("done", [])


def test_a_target_that_is_gone_leaves_its_items_open(planned: Planned) -> None:
    migration = planned.client.migrations.get(NAME).id
    key = "environment.deployment"
    step = {"key": key, "kind": key, "title": "Make it", "params": {}}
    with planned.desk.platform.store.writing() as session:
        journal.open_track(session, migration, "apply", [step])
        journal.begin(session, migration, "apply", key)
        journal.done(session, migration, "apply", key, {"deployment_id": "dep_gone"})
    result = planned.proof(planned.client.proofs.check(NAME))
    items = {item["key"]: item for item in result["items"]}
    for key in ("objects", "backend", "network", "alerts"):
        assert (items[key]["state"], "dep_gone" in items[key]["evidence"]) == ("open", True), key


def test_the_end_keeps_the_definitions_sealed_and_names_what_belongs_to_the_old_scheduler(
    planned: Planned, tmp_path: Path
) -> None:
    proofs = planned.client.proofs
    asked = proofs.decommission(NAME, days=14, passphrase=WORDS, logs=None, access_log=None)
    result = planned.proof(asked)
    checks = {check["key"]: check for check in result["checks"]}
    assert checks["scheduled"]["state"] == "open"  # nothing is held yet
    assert checks["running"]["state"] == "attention"  # nobody can be asked
    assert "requests" not in checks  # Airflow's audit log and web server are none of it
    assert not result["may_go"]

    backup = result["backup"]
    assert backup["kind"] == "definitions"
    assert backup["restore_test"]["is_proven"]
    sealed = Path(backup["path"])
    wanted = [planned.path] if planned.path.is_file() else sorted(planned.path.rglob("*.xml"))
    assert all(file.read_bytes()[:40] not in sealed.read_bytes() for file in wanted)
    keeping.unseal(sealed, WORDS, tmp_path / "again")
    for file in wanted:
        name = file.name if planned.path.is_file() else file.relative_to(planned.path)
        assert (tmp_path / "again" / "definitions" / name).read_bytes() == file.read_bytes()

    names = {item["name"] for item in result["items"]}
    assert "Fernet key of the source" not in names
    assert any("coordinator and bundle jobs" in name or "folders of" in name for name in names)
    runbook = proofs.runbook(NAME)
    assert "None" not in runbook
    assert "database back" not in runbook
    assert "aerodrome migrate decommission unseal" in runbook

    made = tmp_path / "evidence.tar"
    proofs.create_evidence(NAME, made)
    key = tmp_path / "key.pem"
    key.write_text(proofs.evidence_key())
    checked = bundle.verify(made, key.read_text())
    assert checked.problems == ()


def test_without_the_files_the_backup_stays_open(planned: Planned) -> None:
    moved = planned.path.with_name("elsewhere")
    planned.path.rename(moved)
    try:
        asked = planned.client.proofs.decommission(NAME, days=14, passphrase=WORDS, logs=None, access_log=None)
        planned.desk.work()
        found = planned.client.proofs.get(NAME, asked.id)
    finally:
        moved.rename(planned.path)
    assert found.status == "failed"
    assert found.data["error"] is not None
    assert str(planned.path) in found.data["error"]["message"]
