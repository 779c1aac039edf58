"""Who worked in the source, and their access here. If these break, a team stands before a closed door, or somebody may do more than before."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from tests.rooms.migration.service.conftest import NAME, Desk
from tests.rooms.web.conftest import url as url  # noqa: PLC0414 - a fixture

from aerodrome.client.client import Client
from aerodrome.kernel.errors import Denied, Invalid, NotFound
from aerodrome.migration.service.people import Person

pytestmark = pytest.mark.airflow  # a source as a real Airflow made it
USERS = {  # name -> address, role, active
    "ana": ("ana@example.com", "Admin", True),
    "ben": ("ben@example.com", "User", True),
    "cem": ("cem@example.com", "Analyst", True),
    "viewer": ("v@example.com", "Viewer", True),  # has an account here already, on another scope or none
    "gone": ("gone@example.com", "Admin", False),
}


@pytest.fixture
def staffed(desk: Desk) -> Desk:
    """A source in which people work, assessed."""
    engine = create_engine(desk.legacy.url.replace("+psycopg2:", "+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text("delete from ab_user_role"))
        connection.execute(text("delete from ab_user"))
        known = {row.name: row.id for row in connection.execute(text("select id, name from ab_role"))}
        for role in sorted({role for _, role, _ in USERS.values()} - set(known)):
            number = max(known.values(), default=0) + 1
            connection.execute(text("insert into ab_role (id, name) values (:id, :name)"), {"id": number, "name": role})
            known[role] = number
        for number, (name, (email, role, is_active)) in enumerate(USERS.items(), 1):
            connection.execute(
                text(
                    "insert into ab_user (id, first_name, last_name, username, password, active, email)"
                    " values (:id, :name, :name, :name, 'pbkdf2:canary-hash', :active, :email)"
                ),
                {"id": number, "name": name, "active": is_active, "email": email},
            )
            connection.execute(
                text("insert into ab_user_role (id, user_id, role_id) values (:id, :id, :role)"),
                {"id": number, "role": known[role]},
            )
    engine.dispose()
    desk.assessed()
    return desk


def by_name(people: object) -> dict[str, Person]:
    return {person.username: person for person in people}  # type: ignore[attr-defined]


def test_each_active_user_gets_what_was_allowed_before(staffed: Desk) -> None:
    people = staffed.migrations.people
    before = by_name(people.list(staffed.actor("admin"), NAME))
    assert {name: person.role for name, person in before.items()} == {
        "ana": "operator", "ben": "author", "cem": "viewer", "viewer": "viewer",
    }  # fmt: skip
    assert before["ana"] == Person("ana", "ana@example.com", ("Admin",), "operator", "", has_access=False)
    after = by_name(people.invite(staffed.actor("admin"), NAME, {"Analyst": "author"}))
    assert all(person.has_access for person in after.values())
    assert after["cem"].role == "author"
    accounts = {user.name: user for user in staffed.platform.access.list_users(staffed.actor("admin"))}
    scope = f"workspace/{staffed.view.workspace_id}"
    assert (accounts["ana"].email, accounts["ana"].roles) == ("ana@example.com", (("operator", scope),))
    assert "gone" not in accounts
    again = by_name(people.invite(staffed.actor("admin"), NAME, {"Analyst": "author"}))
    assert again == after
    trail = staffed.platform.access.list_audit(staffed.actor("admin"), action="user.create", limit=100)
    assert [entry.details["name"] for entry in trail].count("ana") == 1


def test_only_those_named_come_and_the_rest_waits(staffed: Desk) -> None:
    people = staffed.migrations.people
    with pytest.raises(NotFound) as unknown:
        people.invite(staffed.actor("admin"), NAME, only=["ana", "gone"])
    assert unknown.value.code == "person-unknown"
    after = by_name(people.invite(staffed.actor("admin"), NAME, only=["ana"]))
    assert (after["ana"].account, after["ben"].account) == ("ana", "")


def test_what_cannot_be_is_told_and_nobody_comes(staffed: Desk) -> None:
    people = staffed.migrations.people
    for roles, error, code in (
        ({"Analyst": "king"}, Invalid, "role-unknown"),
        ({"Analist": "author"}, NotFound, "source-role-unknown"),
    ):
        with pytest.raises(error) as told:
            people.invite(staffed.actor("admin"), NAME, roles)
        assert told.value.code == code
    with pytest.raises(Denied):
        people.invite(staffed.actor("operator"), NAME)
    with pytest.raises(Denied):
        people.list(staffed.actor("operator"), NAME)
    assert not by_name(people.list(staffed.actor("admin"), NAME))["ana"].account


def test_a_person_who_was_kept_out_stays_out(staffed: Desk) -> None:
    admin = staffed.actor("admin")
    staffed.platform.access.create_user(admin, "ana")
    staffed.platform.access.set_active(admin, "ana", is_active=False)
    found = by_name(staffed.migrations.people.invite(admin, NAME))
    assert (found["ana"].account, found["ana"].has_access, found["ana"].is_shut_out) == ("ana", False, True)


def test_people_are_shown_and_let_in_over_the_api(staffed: Desk, url: str) -> None:
    with Client(url, staffed.platform.token_of("admin")) as client:
        assert {row["username"] for row in client.migrations.people(NAME)} == {"ana", "ben", "cem", "viewer"}
        found = {row["username"]: row for row in client.migrations.invite(NAME, {"Analyst": "author"}, only=["cem"])}
        assert (found["cem"]["role"], found["cem"]["has_access"], found["ben"]["account"]) == ("author", True, "")
        with pytest.raises(Invalid):
            client.migrations.invite(NAME, {"Analyst": "king"})
