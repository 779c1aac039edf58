"""Proofs of a migration over the API: asked for, listed, fetched; who only looks may not ask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from tests.rooms.migration.service.conftest import NAME, Desk
from tests.rooms.migration.service.conftest import desk as desk  # noqa: PLC0414 - a fixture

from aerodrome.client.client import Client
from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.decommission import bundle

pytestmark = pytest.mark.airflow
WISH = {"deployment": "legacy-dev", "dag_ids": ["daily_sales"]}


def test_proofs_are_asked_for_and_kept(
    desk: Desk,
    url: str,
    http: Callable[..., httpx2.Client],
    tmp_path: Path,
) -> None:
    desk.assessed()
    with Client(url, desk.platform.token_of("operator")) as client:
        proofs = client.proofs
        assert [step["key"] for step in proofs.compare_steps(NAME, WISH)] == ["compare.ready", "compare.dags:0001"]
        with pytest.raises(Invalid) as caught:
            proofs.compare(NAME, {**WISH, "file": "checks: 3"})
        assert caught.value.details["field"] == "checks"
        assert list(proofs.parity(NAME)) == []
        with pytest.raises(NotFound):
            proofs.parity_report(NAME, "daily_sales")
        for missing in (proofs.runbook, lambda ref: client.http.save(f"/migrations/{ref}/evidence", tmp_path / "xx")):
            with pytest.raises(NotFound):
                missing(NAME)
        assert [path.name for path in tmp_path.iterdir() if "xx" in path.name] == []

        asked = proofs.decommission(
            NAME, days=14, passphrase=Secret("canary of a passphrase"), logs=None, access_log=None
        )
        with pytest.raises(Conflict):
            proofs.decommission(NAME, days=14, passphrase=None, logs=None, access_log=None)
        desk.work()
        found = proofs.watch(NAME, asked.id, lambda _seen: None, timeout_s=5)
        assert found.result["backup"]["restore_test"]["is_proven"]
        assert [item.id for item in proofs.list(NAME)] == [asked.id]
        assert list(proofs.list(NAME, "checklist")) == []
        assert proofs.runbook(NAME).startswith(f"# Runbook: {NAME}")
        made = proofs.create_evidence(NAME, tmp_path / "evidence.tar")
        seen = bundle.verify(tmp_path / "evidence.tar", proofs.evidence_key())
        assert (seen.is_whole, seen.key_id, len(seen.manifest["entries"])) == (True, made["key_id"], made["parts"])
    everything = http("admin").get(f"/api/v1/migrations/{NAME}/proofs").text + http("admin").get("/api/v1/audit").text
    assert "canary" not in everything
    with Client(url, desk.platform.token_of("viewer")) as viewer:
        assert [item.id for item in viewer.proofs.list(NAME)] == [asked.id]
        for forbidden in (
            lambda: viewer.proofs.check(NAME),
            lambda: viewer.proofs.compare(NAME, WISH),
            lambda: viewer.proofs.create_evidence(NAME, tmp_path / "none"),
        ):
            with pytest.raises(Denied):
                forbidden()
    with pytest.raises(NotFound):
        desk.migrations.proofs.get(desk.actor(), NAME, "prf_unknown")
