"""A deploy that would break is refused before anything is switched, and says what to do; nothing else is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM
from aerodrome.builds.contract import Bundle
from aerodrome.fleet.views import DeployView
from aerodrome.kernel.secret import Secret

NEEDS = "from airflow import DAG\nwith DAG('{0}'):\n    Op(task_id='t', conn_id='{1}', pool='{2}')\n"
BROKEN = {"file": "dags/b.py", "line": 3, "kind": "syntax-error", "message": "The file is not valid Python: oh"}


def reading(world: World, bundle: Bundle, *dag_ids: str, failures: tuple[dict[str, Any], ...] = ()) -> Bundle:
    """Write down what Airflow reads of a bundle."""
    folder = world.runtime.root / "readings"
    folder.mkdir(exist_ok=True)
    dags = [{"dag_id": dag_id, "file": f"dags/{dag_id}.py"} for dag_id in dag_ids]
    (folder / f"{bundle.digest}.json").write_text(json.dumps({"dags": dags, "failures": list(failures)}))
    return bundle


def deploy(world: World, bundle: Bundle, **more: Any) -> DeployView:
    view = world.fleet.deploy(SYSTEM, "shop", bundle, **more)
    world.look()
    return world.fleet.get_deploy(SYSTEM, "shop", view.number)


def codes(view: DeployView) -> dict[str, str]:
    assert view.checks is not None
    return {f"{item['code']} {item['subject']}": item["severity"] for item in view.checks["findings"]}


@pytest.fixture
def live(world: World) -> World:
    """A deployment with a deploy that is live."""
    world.deployment()
    assert deploy(world, reading(world, world.project("one"), "one", "two")).status == "live"
    return world


def test_a_file_that_cannot_be_read_blocks_and_force_overrides(live: World) -> None:
    bundle = reading(live, live.project("broken"), "one", "two", failures=(BROKEN,))
    refused = deploy(live, bundle)
    assert refused.status == "failed"
    assert refused.error is not None
    assert refused.error["code"] == "deploy-checks-failed"
    assert "--force" in refused.error["hint"]
    assert codes(refused) == {"syntax-error dags/b.py": "blocker"}
    assert [step["status"] for step in refused.steps] == ["done", "failed", "pending", "pending"]
    assert live.fleet.list_deploys(SYSTEM, "shop")[1].status == "live"
    forced = deploy(live, bundle, is_forced=True)
    assert (forced.status, codes(forced)) == ("live", {"syntax-error dags/b.py": "blocker"})


def test_a_first_deploy_and_a_migration_are_not_blocked_by_what_is_missing(world: World) -> None:
    world.deployment()
    bundle = reading(world, world.project("x", **{"dags/n.py": NEEDS.format("n", "warehouse", "crm")}), "n")
    first = deploy(world, bundle)
    assert (first.status, codes(first)) == (
        "live",
        {"missing-connection warehouse": "warning", "missing-pool crm": "warning"},
    )
    moved = reading(world, world.project("y", **{"dags/n.py": NEEDS.format("n", "other", "crm")}), failures=(BROKEN,))
    assert deploy(world, moved, origin="migration", check_policy="record").status == "live"


def test_what_a_deploy_newly_needs_must_be_there(live: World) -> None:
    text = NEEDS.format("one", "warehouse", "crm")
    bundle = reading(live, live.project("x", **{"dags/n.py": text}), "one", "two")
    refused = deploy(live, bundle)
    assert refused.status == "failed"
    assert codes(refused) == {"missing-connection warehouse": "blocker", "missing-pool crm": "blocker"}
    live.fleet.set_env(SYSTEM, "shop", {"AIRFLOW_CONN_WAREHOUSE": Secret("postgres://u:canary@h/d")})
    live.look()
    assert codes(deploy(live, bundle)) == {"missing-pool crm": "blocker"}
    assert deploy(live, bundle, is_forced=True).status == "live"
    again = reading(live, live.project("z", **{"dags/n.py": text}), "one", "two")
    assert deploy(live, again).status == "live"  # it was missing before: an urgent fix of something else goes through


def test_dags_that_vanish_are_told_and_do_not_block(live: World) -> None:
    view = deploy(live, reading(live, live.project("less"), "one"))
    assert (view.status, codes(view)) == ("live", {"dag-vanishes two": "warning"})


def test_secret_values_are_taken_out_of_what_a_file_said(live: World) -> None:
    live.fleet.set_env(SYSTEM, "shop", {"TOKEN": Secret("canary-token")})
    live.look()
    said = {**BROKEN, "message": "bad canary-token", "detail": "url postgres://u:pw@h/x canary-token"}
    view = deploy(live, reading(live, live.project("says"), "one", "two", failures=(said,)))
    text = json.dumps([view.checks, view.error, view.steps], default=str)
    assert "canary-token" not in text
    assert ":pw@" not in text


def test_usage_is_kept_with_the_deploy_and_found_by_object(live: World) -> None:
    bundle = reading(live, live.project("x", **{"dags/n.py": NEEDS.format("n", "warehouse", "crm")}), "n")
    deploy(live, bundle, is_forced=True)
    found = live.fleet.usage(SYSTEM, "shop")
    assert {(item.kind, item.name, item.is_missing, item.dag_ids) for item in found.objects} == {
        ("connection", "warehouse", True, ("n",)),
        ("pool", "crm", True, ("n",)),
    }
    (where,) = live.fleet.usage_of(SYSTEM, "connection", "warehouse")
    assert (where.deployment_name, where.objects[0].places[0].file) == ("shop", "dags/n.py")
    assert live.fleet.usage_of(SYSTEM, "connection", "other") == []


def test_a_check_alone_changes_nothing(live: World) -> None:
    before = live.fleet.list_deploys(SYSTEM, "shop")
    bundle = reading(live, live.project("x"), failures=(BROKEN,))
    found = live.fleet.check(SYSTEM, "shop", bundle)
    assert found["is_blocking"]
    assert live.fleet.list_deploys(SYSTEM, "shop") == before
