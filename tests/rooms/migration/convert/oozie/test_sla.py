"""An SLA is watched from the time that it is counted from; what is not watched is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

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
        (
            "<sla:nominal-time>${coord:dateOffset(coord:dateOffset(coord:nominalTime(), 1, 'DAY'), -2, 'HOUR')}</sla:nominal-time><sla:should-end>5</sla:should-end>",
            ["LOGICAL_DATE, interval=timedelta(minutes=1325)"],
        ),
        ("<sla:nominal-time>${coord:dateOffset(coord:nominalTime(), 1, 'MONTH')}</sla:nominal-time><sla:should-end>5</sla:should-end>", []),
        ("<sla:nominal-time>${coord:dateOffset(coord:nominalTime(), -1, 'DAY')}</sla:nominal-time><sla:should-end>5</sla:should-end>", []),
    ],
    ids=["both", "actual", "later", "months", "before"],
)  # fmt: skip
def test_limits_are_counted_from_their_time(tmp_path: Path, inside: str, expected: list[str]) -> None:
    made = dag(tmp_path, inside)
    assert [text.removeprefix("DeadlineAlert(reference=DeadlineReference.DAGRUN_") for text in alerts(made)] == expected
    told = [item for item in made.accounts if item.element == "coordinator/sla"]
    assert [item.code for item in told] == ["sla-deadline" if expected else "sla-unknown"]
    conversion = read(tmp_path, {})
    assert ("DeadlineAlert(" in "".join(compose(conversion, "3.3").values())) == bool(expected)
    assert "DeadlineAlert(" not in (old := "".join(compose(conversion, "2.11").values()))
    assert ('on_success_callback=[tell_when_late("should-end"' in old) == bool(expected)


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


WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" xmlns:sla="uri:oozie:sla:0.2" name="w"><start to="a"/><action name="a"><fs><delete path="/x"/></fs>
<ok to="end"/><error to="no"/><sla:info><sla:nominal-time>${nominal}</sla:nominal-time><sla:should-start>${10 * MINUTES}</sla:should-start>
<sla:should-end>30</sla:should-end><sla:max-duration>20</sla:max-duration>%s<sla:alert-contact>a@example.com</sla:alert-contact></sla:info></action>
<kill name="no"><message>no</message></kill><end name="end"/></workflow-app>"""
RUN = """<coordinator-app xmlns="uri:oozie:coordinator:0.4" xmlns:sla="uri:oozie:sla:0.2" name="c" frequency="${coord:days(1)}" start="2026-01-01T00:00Z" end="2027-01-01T00:00Z"
timezone="UTC"><action><workflow><app-path>workflow.xml</app-path><configuration><property><name>nominal</name><value>${coord:nominalTime()}</value></property>
</configuration></workflow>%s</action></coordinator-app>"""


def callbacks(made: Dag, task: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in made.task(task).arguments:
        if key.endswith("_callback"):
            items = value if isinstance(value, list) else [value]
            found[key] = [item.text for item in items if isinstance(item, Code)]
    return found


def test_the_sla_of_an_action_is_told_by_its_task(tmp_path: Path) -> None:
    (tmp_path / "workflow.xml").write_text(WORKFLOW % "")
    (tmp_path / "coordinator.xml").write_text(RUN % "")
    (made,) = read(tmp_path, {}).dags
    ends = [
        'tell_when_late("should-end", "nominal", 30, \'a@example.com\')',
        'tell_when_late("max-duration", "task", 20, \'a@example.com\')',
    ]
    assert callbacks(made, "a") == {
        "on_execute_callback": ['tell_when_late("should-start", "nominal", 10, \'a@example.com\')'],
        "on_success_callback": ends,
        "on_failure_callback": ends,
    }
    assert [item.code for item in made.accounts if item.element == "action/fs"] == ["sla-late"]


def test_only_the_misses_that_are_asked_for_are_told(tmp_path: Path) -> None:
    (tmp_path / "workflow.xml").write_text(WORKFLOW % "<sla:alert-events>start_miss</sla:alert-events>")
    (tmp_path / "coordinator.xml").write_text(RUN % "")
    (made,) = read(tmp_path, {}).dags
    assert list(callbacks(made, "a")) == ["on_execute_callback"]


def test_a_late_start_of_the_coordinator_is_told_by_the_first_task(tmp_path: Path) -> None:
    (tmp_path / "workflow.xml").write_text(WORKFLOW % "")
    info = "<sla:info><sla:nominal-time>${coord:nominalTime()}</sla:nominal-time><sla:should-start>5</sla:should-start><sla:alert-contact>b@example.com</sla:alert-contact></sla:info>"
    (tmp_path / "coordinator.xml").write_text(RUN % info)
    (made,) = read(tmp_path, {}).dags
    assert callbacks(made, "a")["on_execute_callback"] == [
        'tell_when_late("should-start", "nominal", 5, \'b@example.com\')',
        'tell_when_late("should-start", "nominal", 10, \'a@example.com\')',
    ]


@pytest.mark.parametrize(("late_minutes", "told"), [(40, 1), (20, 0)])
def test_the_callback_mails_only_when_it_is_late(tmp_path: Path, late_minutes: int, told: int) -> None:
    (tmp_path / "workflow.xml").write_text(WORKFLOW % "")
    (tmp_path / "coordinator.xml").write_text(RUN % "")
    (made,) = read(tmp_path, {}).dags
    (source,) = [item.source for item in made.functions if item.name == "tell_when_late"]
    sent: list[str] = []

    class Mail:
        def __init__(self, to: str, subject: str) -> None:
            self.subject = subject

        def notify(self, context: object) -> None:
            sent.append(self.subject)

    names = {"datetime": datetime, "timedelta": timedelta, "timezone": timezone, "SmtpNotifier": Mail}
    exec(source, names)
    run = SimpleNamespace(dag_id="w", run_id="r", logical_date=datetime.now(UTC) - timedelta(minutes=late_minutes))
    names["tell_when_late"]("should-end", "nominal", 30, "a@example.com")(
        {"dag_run": run, "ti": SimpleNamespace(task_id="a")}
    )
    assert sent == ["SLA of a in w missed: should-end"] * told


@pytest.mark.parametrize("events", ["", "<sla:alert-events>start_miss</sla:alert-events>"])
def test_a_limit_that_is_not_watched_beside_others_is_said(tmp_path: Path, events: str) -> None:
    made = dag(
        tmp_path,
        "<sla:nominal-time>${coord:nominalTime()}</sla:nominal-time><sla:should-start>5</sla:should-start>"
        f"<sla:should-end>${{late * MINUTES}}</sla:should-end>{events}",
    )
    (told,) = [item for item in made.accounts if item.element == "coordinator/sla"]
    assert told.code == "sla-deadline"
    assert ("should-end: what it is counted from or its minutes are not known" in told.reason) == (not events)


@pytest.mark.parametrize("value", ["20", "${20 * MINUTES}", "${other}\nother=${20 * MINUTES}"])
def test_limits_of_a_bundle_come_from_its_properties(tmp_path: Path, value: str) -> None:
    info = "<sla:nominal-time>${coord:nominalTime()}</sla:nominal-time><sla:should-end>${shouldEnd}</sla:should-end>"
    dag(tmp_path, info)
    file = tmp_path / "coordinator.xml"
    file.write_text(file.read_text().replace("a@example.com", "${alertContact}"))
    (tmp_path / "bundle.xml").write_text(
        '<bundle-app name="b" xmlns="uri:oozie:bundle:0.2"><coordinator name="c"><app-path>/apps/coordinator.xml</app-path></coordinator></bundle-app>'
    )
    (tmp_path / "bundle.properties").write_text(f"shouldEnd={value}\nalertContact=a@example.com\n")
    (made,) = read(tmp_path, {}).dags
    assert alerts(made) == [
        "DeadlineAlert(reference=DeadlineReference.DAGRUN_LOGICAL_DATE, interval=timedelta(minutes=20)"
    ]
