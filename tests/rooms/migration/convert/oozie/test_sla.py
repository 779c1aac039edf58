"""An SLA is watched from the time that it is counted from; what is not watched is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.convert.contract import Code, Dag
from aerodrome.migration.convert.emission import compose
from aerodrome.migration.convert.oozie.reading import read


def dag(folder: Path, inside: str) -> Dag:
    (folder / "coordinator.xml").write_text(
        '<coordinator-app xmlns="uri:oozie:coordinator:0.4" xmlns:sla="uri:oozie:sla:0.2" name="c" frequency="${coord:days(1)}" start="2026-01-01T00:00Z"'
        ' end="2027-01-01T00:00Z" timezone="UTC"><action><workflow><app-path>/elsewhere/w</app-path></workflow>'
        f"<sla:info>{inside}<sla:alert-contact>a@example.com</sla:alert-contact></sla:info></action></coordinator-app>"
    )
    return read(folder, {}).dags[0]


def alerts(made: Dag) -> list[str]:
    given = dict(made.arguments_by_target.get("3.3", ())).get("deadline")
    found = given if isinstance(given, list) else [given] if given else []
    return [item.text.partition(", callback")[0] for item in found if isinstance(item, Code)]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (
            "<sla:nominal-time>${coord:nominalTime()}</sla:nominal-time><sla:should-end>${2 * HOURS}</sla:should-end><sla:max-duration>30</sla:max-duration>",
            ["LOGICAL_DATE, interval=timedelta(minutes=120)", "QUEUED_AT, interval=timedelta(minutes=30)"],
        ),
        (
            "<sla:nominal-time>${coord:actualTime()}</sla:nominal-time><sla:should-end>${32 * DAYS}</sla:should-end>",
            ["QUEUED_AT, interval=timedelta(minutes=46080)"],
        ),
        ("<sla:nominal-time>${coord:dateOffset(coord:nominalTime(), 1, 'DAY')}</sla:nominal-time><sla:should-end>5</sla:should-end>", []),
    ],
    ids=["both", "actual", "other"],
)  # fmt: skip
def test_limits_are_counted_from_their_time(tmp_path: Path, inside: str, expected: list[str]) -> None:
    made = dag(tmp_path, inside)
    assert [text.removeprefix("DeadlineAlert(reference=DeadlineReference.DAGRUN_") for text in alerts(made)] == expected
    told = [item for item in made.accounts if item.element == "coordinator/sla"]
    assert [item.code for item in told] == ["sla-deadline" if expected else "sla-unknown"]
    conversion = read(tmp_path, {})
    assert ("DeadlineAlert(" in "".join(compose(conversion, "3.3").values())) == bool(expected)
    assert "DeadlineAlert(" not in "".join(compose(conversion, "2.11").values())


@pytest.mark.parametrize(
    ("nominal", "base"), [("${coord:nominalTime()}", "LOGICAL_DATE"), ("${coord:actualTime()}", "QUEUED_AT")]
)
def test_the_sla_of_a_workflow_is_watched_by_its_coordinators_times(tmp_path: Path, nominal: str, base: str) -> None:
    (tmp_path / "workflow.xml").write_text(
        '<workflow-app xmlns="uri:oozie:workflow:0.5" xmlns:sla="uri:oozie:sla:0.2" name="w"><start to="a"/><action name="a"><fs><delete path="/x"/></fs>'
        '<ok to="end"/><error to="no"/></action><kill name="no"><message>no</message></kill><end name="end"/><sla:info><sla:nominal-time>${nominal}</sla:nominal-time>'
        "<sla:should-end>${90 * MINUTES}</sla:should-end><sla:alert-contact>a@example.com</sla:alert-contact></sla:info></workflow-app>"
    )
    (tmp_path / "coordinator.xml").write_text(
        '<coordinator-app xmlns="uri:oozie:coordinator:0.4" name="c" frequency="${coord:days(1)}" start="2026-01-01T00:00Z" end="2027-01-01T00:00Z" timezone="UTC">'
        f"<action><workflow><app-path>workflow.xml</app-path><configuration><property><name>nominal</name><value>{nominal}</value></property></configuration>"
        "</workflow></action></coordinator-app>"
    )
    (made,) = read(tmp_path, {}).dags
    assert [text.removeprefix("DeadlineAlert(reference=DeadlineReference.DAGRUN_") for text in alerts(made)] == [
        f"{base}, interval=timedelta(minutes=90)"
    ]
    assert [item.code for item in made.accounts if item.element == "workflow/info"] == ["sla-deadline"]


def test_the_sla_of_a_workflow_without_a_coordinator_is_said(tmp_path: Path) -> None:
    (tmp_path / "workflow.xml").write_text(
        '<workflow-app xmlns="uri:oozie:workflow:0.5" xmlns:sla="uri:oozie:sla:0.2" name="w"><start to="end"/><end name="end"/><sla:info>'
        "<sla:nominal-time>${nominal}</sla:nominal-time><sla:should-end>90</sla:should-end><sla:alert-contact>a@example.com</sla:alert-contact></sla:info></workflow-app>"
    )
    (made,) = read(tmp_path, {}).dags
    assert alerts(made) == []
    assert [item.code for item in made.accounts if item.element == "workflow/info"] == ["sla-unknown"]
