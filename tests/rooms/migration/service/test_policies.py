"""The drain policy of DAGs, chosen without editing the file. If these break, a choice is lost, or a plan says what nobody chose."""

from __future__ import annotations

import pytest
from tests.rooms.migration.service.conftest import NAME, Desk
from tests.rooms.web.conftest import url as url  # noqa: PLC0414 - a fixture

from aerodrome.client.client import Client
from aerodrome.kernel.errors import Denied, Invalid, NotFound
from aerodrome.migration.plan import from_yaml
from aerodrome.store import journal

pytestmark = pytest.mark.airflow  # a source as a real Airflow made it
PROPOSED = "dags:\n  maintenance: {cutover: leave-paused}\n"


def of(desk: Desk, dag_id: str) -> tuple[int, str, list[str]]:
    row = next(row for row in desk.migrations.policies.list(desk.actor(), NAME) if row["dag_id"] == dag_id)
    return row["drain_deadline"], row["on_deadline"], row["own"]


def test_a_choice_for_a_dag_stands_in_the_plan_and_nothing_else_changes(desk: Desk) -> None:
    desk.assessed()
    before = desk.migrations.plan(desk.actor(), NAME)
    (row,) = desk.migrations.policies.choose(
        desk.actor(), NAME, {"on_deadline": "rerun", "drain_deadline": "30m"}, dag_ids=["daily_sales"]
    )
    assert (row["on_deadline"], row["drain_deadline"], row["own"]) == ("rerun", 1800, ["drain_deadline", "on_deadline"])
    after = desk.migrations.plan(desk.actor(), NAME)
    lines = [line for line in after.text.splitlines() if line not in before.text.splitlines()]
    assert lines == ["  daily_sales: {drain_deadline: 30m, on_deadline: rerun}"]
    assert after.digest != before.digest
    (wave,) = [
        name for name, steps in after.waves.items() if any(step["key"] == "cutover.drain:daily_sales" for step in steps)
    ]
    drain = next(step for step in after.waves[wave] if step["key"] == "cutover.drain:daily_sales")
    assert drain["params"] | {"deadline_s": 1800, "on_deadline": "rerun"} == drain["params"]
    desk.migrations.policies.choose(
        desk.actor(), NAME, {"on_deadline": None, "drain_deadline": None}, dag_ids=["daily_sales"]
    )
    assert of(desk, "daily_sales") == (900, "fail", [])
    assert desk.migrations.plan(desk.actor(), NAME).digest == before.digest


def test_a_choice_for_all_leaves_alone_what_dags_have_of_their_own(desk: Desk) -> None:
    desk.assessed()
    choose = desk.migrations.policies.choose
    choose(desk.actor(), NAME, {"on_deadline": "rerun"}, dag_ids=["daily_sales"])
    choose(desk.actor(), NAME, {"on_deadline": "wait", "accept": []})
    assert of(desk, "daily_sales") == (900, "rerun", ["on_deadline"])
    assert of(desk, "orders_report") == (900, "wait", [])
    text = desk.migrations.plan(desk.actor(), NAME).text
    assert "look again later" in text  # the comments stay
    wave = desk.migrations.policies.list(desk.actor(), NAME)[0]["wave"]
    chosen = choose(desk.actor(), NAME, {"drain_deadline": "1h"}, waves=[wave])
    assert {row["wave"] for row in chosen} == {wave}
    assert {row["drain_deadline"] for row in chosen} == {3600}


def test_wrong_choices_are_refused_and_the_plan_stays(desk: Desk) -> None:
    desk.assessed()
    before = desk.migrations.plan(desk.actor(), NAME)
    choose = desk.migrations.policies.choose
    with pytest.raises(NotFound, match="moves no DAG no_such"):
        choose(desk.actor(), NAME, {"on_deadline": "rerun"}, dag_ids=["no_such"])
    with pytest.raises(NotFound, match="no wave 'no-such'"):
        choose(desk.actor(), NAME, {"on_deadline": "rerun"}, waves=["no-such"])
    with pytest.raises(Invalid, match="drain_deadline must be a duration"):
        choose(desk.actor(), NAME, {"drain_deadline": "soon"})
    with pytest.raises(Invalid, match="there must be one for all DAGs"):
        choose(desk.actor(), NAME, {"on_deadline": None})
    with pytest.raises(Denied):
        choose(desk.actor("viewer"), NAME, {"on_deadline": "wait"})
    assert desk.migrations.plan(desk.actor(), NAME) == before


def test_a_wave_that_has_begun_goes_on_with_the_choice(desk: Desk) -> None:
    view = desk.assessed()
    plan = desk.migrations.plan(desk.actor(), NAME)
    wave, steps = next(iter(plan.waves.items()))
    dag_id = str(steps[0]["params"]["dag_id"])
    track = f"cutover:{wave}"
    with desk.platform.store.writing() as session:
        journal.open_track(session, view.id, track, steps)
        journal.begin(session, view.id, track, steps[0]["key"])
        journal.done(session, view.id, track, steps[0]["key"], {"dag_id": dag_id})
    desk.migrations.policies.choose(desk.actor(), NAME, {"on_deadline": "rerun"}, dag_ids=[dag_id])
    with desk.platform.store.reading() as session:
        known = {step.key: step for step in journal.steps(session, view.id, track)}
    assert known[f"cutover.drain:{dag_id}"].params["on_deadline"] == "rerun"
    assert known[steps[0]["key"]].status == "done"
    others = [
        step for key, step in known.items() if key.startswith("cutover.drain:") and not key.endswith(f":{dag_id}")
    ]
    assert {step.params["on_deadline"] for step in others} <= {"fail"}


def test_a_file_of_people_keeps_its_form(desk: Desk) -> None:
    desk.assessed()
    text = desk.migrations.plan(desk.actor(), NAME).text
    own = "dags:\n  # talked about with sales\n  daily_sales:\n    accept:\n      - change\n    on_deadline: wait  # for now\n\n# the end\n"
    desk.migrations.save_plan(desk.actor(), NAME, text.replace(PROPOSED, own))
    choose = desk.migrations.policies.choose
    choose(desk.actor(), NAME, {"on_deadline": "rerun"}, dag_ids=["daily_sales", "orders_report"])
    saved = desk.migrations.plan(desk.actor(), NAME).text
    assert saved.endswith(
        "dags:\n  # talked about with sales\n  orders_report: {on_deadline: rerun}\n"
        "  daily_sales: {on_deadline: rerun, accept: [change]}  # for now\n\n# the end\n"
    )
    estate = desk.migrations.estate_of(desk.migrations.row_for(desk.actor(), NAME, "migration.read"))
    assert from_yaml(saved, estate)["dags"]["daily_sales"] == {"on_deadline": "rerun", "accept": ["change"]}


def test_choices_go_over_the_api_and_null_takes_one_away(desk: Desk, url: str) -> None:
    desk.assessed()
    with Client(url, desk.platform.token_of("operator")) as client:
        (row,) = client.migrations.choose_policies(NAME, {"on_deadline": "rerun"}, dag_ids=["daily_sales"])
        assert (row["on_deadline"], row["own"]) == ("rerun", ["on_deadline"])
        (row,) = client.migrations.choose_policies(NAME, {"on_deadline": None}, dag_ids=["daily_sales"])
        assert (row["on_deadline"], row["own"]) == ("fail", [])
        with pytest.raises(Invalid):
            client.migrations.choose_policies(NAME, {"on_deadline": "never"})
        with pytest.raises(Invalid, match="Nothing is chosen"):
            client.migrations.choose_policies(NAME, {})
        assert {row["on_deadline"] for row in client.migrations.policies(NAME)} == {"fail"}
    with Client(url, desk.platform.token_of("viewer")) as viewer, pytest.raises(Denied):
        viewer.migrations.choose_policies(NAME, {"on_deadline": "wait"})
