"""Oozie and Control-M definitions as a source: the estate that they give, and where each DAG stands, by people's words or by Oozie's.

If these break, a DAG is handed over while the source still runs it, or the target begins at another time than the very next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from tests.rooms.migration.sources.conformance import keeps_the_contract
from tests.rooms.migration.sources.oozie_fake import OozieFake, oozie_fake

from aerodrome.kernel.clock import ManualClock, to_text
from aerodrome.kernel.errors import AerodromeError, Conflict, Denied, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration import cutover
from aerodrome.migration.assess import assess
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.estate.history import HISTORY_KINDS, RUN_COLUMNS, HistoryWindow
from aerodrome.migration.sources.capture import capture
from aerodrome.migration.sources.contract import AsksPeople, CarriedRuns, DefinitionsConfig
from aerodrome.migration.sources.definitions.adapter import DefinitionsSource
from aerodrome.migration.sources.definitions.boundaries import Boundary, BoundaryFile
from aerodrome.migration.sources.definitions.conversions import conversion_of
from aerodrome.migration.sources.definitions.nominal import following, is_nominal
from aerodrome.migration.sources.definitions.records import dag_records
from aerodrome.migration.sources.registry import open_source

NOW = datetime(2026, 3, 20, 12, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
MARK = "aerodrome:mig_1"
WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="load"><start to="load"/>
<action name="load"><shell xmlns="uri:oozie:shell-action:0.2"><exec>load.sh</exec></shell><ok to="child"/><error to="fail"/></action>
<action name="child"><sub-workflow><app-path>${nameNode}/apps/child</app-path></sub-workflow><ok to="end"/><error to="fail"/></action>
<kill name="fail"><message>it failed</message></kill><end name="end"/></workflow-app>"""
CHILD = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="child"><start to="say"/>
<action name="say"><shell xmlns="uri:oozie:shell-action:0.2"><exec>true</exec></shell><ok to="end"/><error to="fail"/></action>
<kill name="fail"><message>it failed</message></kill><end name="end"/></workflow-app>"""
COORDINATOR = """<coordinator-app xmlns="uri:oozie:coordinator:0.4" name="hourly-load" frequency="${coord:hours(1)}"
 start="2026-01-01T00:30Z" end="2035-01-01T00:00Z" timezone="UTC">
<action><workflow><app-path>${nameNode}/apps/etl</app-path></workflow></action></coordinator-app>"""
EXPORT = """<DEFTABLE><FOLDER FOLDER_NAME="LOAD" FOLDER_ORDER_METHOD="SYSTEM">
<JOB JOBNAME="GET" TASKTYPE="Command" CMDLINE="true" DAYS="ALL" TIMEFROM="0100" RUN_AS="etl" NODEID="h1">
<OUTCOND NAME="GOT" ODATE="ODAT" SIGN="+"/><QUANTITATIVE NAME="DB" QUANT="2"/></JOB></FOLDER>
<FOLDER FOLDER_NAME="REPORT" FOLDER_ORDER_METHOD="SYSTEM"><JOB JOBNAME="SEND" TASKTYPE="Command" CMDLINE="true" DAYS="ALL" RUN_AS="etl">
<INCOND NAME="GOT" ODATE="ODAT"/><INCOND NAME="NOBODY" ODATE="ODAT"/></JOB></FOLDER>
<FOLDER FOLDER_NAME="MONTHLY" FOLDER_ORDER_METHOD="SYSTEM">
<JOB JOBNAME="M" TASKTYPE="Command" CMDLINE="true" DAYSCAL="FISCAL" RUN_AS="etl"/></FOLDER></DEFTABLE>"""


@pytest.fixture
def apps(tmp_path: Path) -> Path:
    """An Oozie estate: a coordinator over a workflow with a sub-workflow, which people also submit by itself."""
    for name, text in (("etl/workflow", WORKFLOW), ("etl/coordinator", COORDINATOR), ("child/workflow", CHILD)):
        file = tmp_path / "apps" / f"{name}.xml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for folder in ("etl", "child"):
        (tmp_path / "apps" / folder / "job.properties").write_text("nameNode=hdfs://nn:8020\n")
    return tmp_path / "apps"


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    file = tmp_path / "export.xml"
    file.write_text(EXPORT)
    return file


@pytest.fixture
def oozie() -> Iterator[OozieFake]:
    with oozie_fake() as server:
        yield server


def opened(kind: str, path: Path, server: OozieFake | None = None, **changes: Any) -> DefinitionsSource:
    boundaries = (path.parent if path.is_file() else path).parent / "boundaries.json"
    config = DefinitionsConfig(
        kind, "estate", path, boundaries, None, server.url if server else "", server.user if server else "", **changes
    )
    source = open_source(config, b"fingerprints", ManualClock(NOW))
    assert isinstance(source, DefinitionsSource)
    return source


def say(path: Path, dag_id: str, boundary: Boundary) -> None:
    with BoundaryFile(path.parent / "boundaries.json").changing() as known:
        known[dag_id] = boundary


def captured(source: DefinitionsSource, folder: Path) -> Estate:
    return capture(source, "estate", folder, ManualClock(NOW), lambda *_args: None)


def codes(found: dict[str, AerodromeError]) -> dict[str, str]:
    return {dag_id: error.code for dag_id, error in found.items()}


def test_an_oozie_estate_has_what_planning_asks_for(apps: Path, tmp_path: Path) -> None:
    source = opened("oozie", apps)
    assert isinstance(source, AsksPeople)
    described = source.describe()
    assert described.is_ok
    assert {probe.name for probe in described.probes if not probe.is_ok} == {"history", "secrets", "hold"}
    estate = captured(source, tmp_path / "estate")
    dags = {dag.dag_id: dag for dag in estate.records("dag")}
    assert set(dags) == {"hourly-load", "child"}
    hourly = dags["hourly-load"]
    assert (hourly.schedule_kind, hourly.schedule, hourly.catchup) == ("cron", "30 * * * *", True)
    assert hourly.depends_on_dags == ("child",)
    below = {task["task_id"]: task["downstream"] for task in hourly.tasks}
    assert "child" in below["load"]
    assert (dags["child"].schedule_kind, dags["child"].is_paused) == ("none", False)
    assert [wave.dag_ids for wave in assess(estate, "3.3.2").waves] == [("child", "hourly-load")]
    assert {record.path for record in estate.records("file")} >= {"etl/workflow.xml", "etl/job.properties"}
    again = captured(opened("oozie", apps), tmp_path / "again")
    assert again.digest == estate.digest
    (apps / "child/workflow.xml").write_text(CHILD.replace("true", "false"))
    assert captured(opened("oozie", apps), tmp_path / "changed").digest != estate.digest


def test_a_control_m_estate_tells_what_it_lacks_as_findings(exports: Path, tmp_path: Path) -> None:
    source = opened("controlm", exports)
    estate = captured(source, tmp_path / "estate")
    dags = {dag.dag_id: dag for dag in estate.records("dag")}
    assert dags["REPORT"].depends_on_dags == ("LOAD",)
    assert dags["LOAD"].pools == ("DB",)
    assert [pool.name for pool in source.pool_values(["DB"])] == ["DB"]
    (connection,) = estate.records("connection")
    assert (connection.has_password, connection.origin) == (False, "metadata-db")
    (value,) = source.connection_values([connection.conn_id])
    assert (value.login, value.host, value.password) == ("etl", "h1", None)
    findings = {(finding.code, finding.subject) for finding in assess(estate, "3.3.2").findings}
    assert {("convert-calendar", "dag:MONTHLY"), ("convert-producer", "dag:REPORT")} <= findings
    assert ("convert-caveat", "dag:LOAD") in findings
    with pytest.raises(Invalid, match="nowhere"):
        list(source.connection_values(["nowhere"]))
    for values in (source.variable_values, source.pool_values):
        with pytest.raises(Invalid, match="nowhere"):
            list(values(["nowhere"]))
    with pytest.raises(Invalid, match="REGION"):
        source.env_values(["REGION"])


@pytest.mark.parametrize("kind", ["oozie", "controlm"])
def test_a_folder_without_definitions_is_refused_with_the_reason(kind: str, tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    (probe,) = (
        probe for probe in opened(kind, tmp_path / "apps").describe().probes if probe.is_required and not probe.is_ok
    )
    assert (probe.name, bool(probe.hint)) == ("definitions", True)
    with pytest.raises(Invalid) as refused:
        captured(opened(kind, tmp_path / "apps"), tmp_path / "estate")
    assert refused.value.code == "source-not-ready"


def test_a_file_that_is_broken_is_named_and_the_rest_goes_on(apps: Path, tmp_path: Path) -> None:
    (apps / "broken").mkdir()
    (apps / "broken/workflow.xml").write_text("<workflow-app>")
    source = opened("oozie", apps)
    assert "broken/workflow.xml" in next(p.message for p in source.describe().probes if p.name == "rejected files")
    estate = captured(source, tmp_path / "estate")
    blockers = [finding for finding in assess(estate, "3.3.2").findings if finding.severity == "blocker"]
    assert [(item.code, item.file) for item in blockers] == [("convert-rejected", "definitions/broken/workflow.xml")]


def test_what_was_never_enabled_is_moved_paused_and_asks_nobody(apps: Path, tmp_path: Path) -> None:
    (apps / "etl/bundle.xml").write_text(
        '<bundle-app xmlns="uri:oozie:bundle:0.2" name="all"><coordinator name="off" enabled="false">'
        "<app-path>${nameNode}/apps/etl/coordinator.xml</app-path></coordinator></bundle-app>"
    )
    source = opened("oozie", apps)
    estate = captured(source, tmp_path / "estate")
    paused = {dag.dag_id: dag.is_paused for dag in estate.records("dag")}
    (off,) = (dag_id for dag_id, is_paused in paused.items() if is_paused)
    assert source.unanswered([off]) == {}
    state = source.dag_states([off])[off]
    assert (state.is_paused, state.mark, state.last_interval) == (True, None, None)


def test_a_hold_needs_a_person_and_the_time_that_ran_last(apps: Path) -> None:
    source = opened("oozie", apps)
    assert codes(source.unanswered(["hourly-load", "child"])) == dict.fromkeys(
        ["hourly-load", "child"], "hold-not-confirmed"
    )
    say(apps, "hourly-load", Boundary(confirmed_by="ann", confirmed_at="2026-03-20T12:00:00Z"))
    say(apps, "child", Boundary(confirmed_by="ann", confirmed_at="2026-03-20T12:00:00Z"))
    assert codes(source.unanswered(["hourly-load", "child"])) == {"hourly-load": "boundary-unknown"}
    with pytest.raises(Conflict) as refused:
        source.pause_dag("hourly-load", MARK)
    assert refused.value.code == "boundary-unknown"
    assert not source.dag_states(["hourly-load"])["hourly-load"].is_paused


def test_the_boundary_is_one_finished_run_and_the_next_time_follows_it(apps: Path) -> None:
    last = datetime(2026, 3, 20, 11, 30, tzinfo=UTC)
    say(apps, "hourly-load", Boundary(last.isoformat(), confirmed_by="ann", confirmed_at="2026-03-20T12:00:00Z"))
    source = opened("oozie", apps)
    assert source.pause_dags(["hourly-load"], MARK) == {}
    assert source.pause_dags(["hourly-load"], MARK) == {}
    state = source.dag_states(["hourly-load", "nowhere"])["hourly-load"]
    assert (state.is_paused, state.mark, state.in_flight) == (True, MARK, {})
    assert (state.last_interval, state.next_interval) == ((last, last), (last + HOUR, last + HOUR))
    window = HistoryWindow(("child", "hourly-load"))
    rows = {kind: [row for batch in source.history(kind, window) for row in batch.rows] for kind in HISTORY_KINDS}
    (run,) = (dict(zip(RUN_COLUMNS, row, strict=True)) for row in rows["run"])
    assert (run["dag_id"], run["state"], run["logical_date"]) == ("hourly-load", "success", last)
    assert len(rows["task_instance"]) == len(source.dags["hourly-load"].tasks)
    assert rows["task_try"] == rows["xcom"] == rows["rendered"] == []
    assert source.history_counts(window) == {"run": 1, "task_instance": len(rows["task_instance"])}


def test_a_way_back_tells_where_the_source_goes_on(apps: Path) -> None:
    last = datetime(2026, 3, 20, 11, 30, tzinfo=UTC)
    say(apps, "hourly-load", Boundary(last.isoformat(), confirmed_by="ann", confirmed_at="2026-03-20T12:00:00Z"))
    source = opened("oozie", apps)
    source.pause_dag("hourly-load", MARK)
    with pytest.raises(Conflict):
        source.unpause_dag("hourly-load", "aerodrome:other")
    ran = [
        {"run_type": "scheduled", "logical_date": last + HOUR},
        {"run_type": "manual", "logical_date": last + 9 * HOUR},
    ]
    carried = CarriedRuns("hourly-load", ran, [], None, None)
    assert [source.carry_runs(carried, MARK), source.carry_runs(carried, MARK)] == [2, 0]
    source.unpause_dag("hourly-load", MARK)
    source.unpause_dag("hourly-load", MARK)
    state = source.dag_states(["hourly-load"])["hourly-load"]
    assert (state.is_paused, state.let_go) == (False, MARK)
    assert "up to 2026-03-20T12:30" in state.told
    assert "first time 2026-03-20T13:30" in state.told
    assert codes(source.unanswered(["hourly-load"])) == {"hourly-load": "hold-not-confirmed"}  # the word is used up


def test_a_running_oozie_is_suspended_and_tells_the_boundary(apps: Path, oozie: OozieFake) -> None:
    last = datetime(2026, 3, 20, 11, 30, tzinfo=UTC)
    job = oozie.add(
        "hourly-load", "hdfs://nn:8020/apps/etl",
        [(last - HOUR, "SUCCEEDED"), (last, "SUCCEEDED"), (last + HOUR, "WAITING")], last + 2 * HOUR,
    )  # fmt: skip
    source = opened("oozie", apps, oozie)
    described = {probe.name: probe for probe in source.describe().probes}
    assert "Oozie 5.2.1" in described["Oozie"].message
    assert described["coordinators"].message.startswith("1 of 1 coordinators")
    assert codes(source.unanswered(["hourly-load", "child"])) == {"child": "hold-not-confirmed"}
    state = source.dag_states(["hourly-load"])["hourly-load"]
    assert (state.is_paused, state.last_interval, state.next_interval) == (False, (last, last), (last + HOUR,) * 2)
    source.pause_dag("hourly-load", MARK)
    source.pause_dag("hourly-load", MARK)
    assert oozie.jobs[job].status == "SUSPENDED"
    assert sum("suspend" in asked for asked in oozie.asked) == 1
    assert source.dag_states(["hourly-load"])["hourly-load"].mark == MARK
    source.unpause_dag("hourly-load", MARK)
    assert oozie.jobs[job].status == "RUNNING"
    assert source.dag_states(["hourly-load"])["hourly-load"].told == ""
    assert not any("kill" in asked for asked in oozie.asked)


def test_what_the_target_ran_is_not_resumed_in_oozie(apps: Path, oozie: OozieFake) -> None:
    last = datetime(2026, 3, 20, 11, 30, tzinfo=UTC)
    job = oozie.add("hourly-load", "/apps/etl", [(last, "SUCCEEDED"), (last + HOUR, "WAITING")], last + 2 * HOUR)
    source = opened("oozie", apps, oozie)
    source.pause_dag("hourly-load", MARK)
    ran = [{"run_type": "scheduled", "logical_date": last + HOUR}]
    source.carry_runs(CarriedRuns("hourly-load", ran, [], None, None), MARK)
    source.unpause_dag("hourly-load", MARK)
    state = source.dag_states(["hourly-load"])["hourly-load"]
    assert oozie.jobs[job].status == "SUSPENDED"
    assert state.is_paused
    assert f"kill it and submit the coordinator with start={(last + 2 * HOUR).isoformat()[:16]}" in state.told


@pytest.mark.parametrize(
    ("statuses", "status", "last", "coming", "in_flight"),
    [
        (["SUCCEEDED", "SUCCEEDED"], "RUNNING", 1, 9, {}),
        (["SUCCEEDED", "RUNNING"], "RUNNING", 0, 1, {"running": 1}),
        (["SUCCEEDED", "SUSPENDED"], "SUSPENDED", 0, 1, {"run:suspended": 1}),
        (["SUCCEEDED", "KILLED", "WAITING"], "RUNNING", 1, 2, {}),
        (["WAITING", "SUCCEEDED", "READY"], "RUNNING", None, 0, {"run:waiting": 1}),
        (["READY"], "RUNNING", None, 0, {}),
        ([], "PREP", None, 9, {}),
    ],
)
def test_what_is_done_counts_up_to_the_first_open_action(
    apps: Path,
    oozie: OozieFake,
    statuses: list[str],
    status: str,
    last: int | None,
    coming: int,
    in_flight: dict[str, int],
) -> None:
    first = datetime(2026, 3, 20, 0, 30, tzinfo=UTC)
    actions = [(first + number * HOUR, word) for number, word in enumerate(statuses)]
    oozie.add("hourly-load", "/apps/etl", actions, first + 9 * HOUR, status)
    state = opened("oozie", apps, oozie).dag_states(["hourly-load"])["hourly-load"]
    assert state.last_interval == (None if last is None else (first + last * HOUR,) * 2)
    assert state.next_interval == (first + coming * HOUR,) * 2
    assert state.in_flight == in_flight


def test_runs_that_stand_still_may_end_while_nothing_more_begins(apps: Path, oozie: OozieFake) -> None:
    first = datetime(2026, 3, 20, 0, 30, tzinfo=UTC)
    job = oozie.add("hourly-load", "/apps/etl", [(first, "RUNNING")], first + HOUR)
    source = opened("oozie", apps, oozie)
    source.pause_dag("hourly-load", MARK)
    assert source.dag_states(["hourly-load"])["hourly-load"].in_flight == {"run:suspended": 1}
    source.unpause_dag("hourly-load", MARK)
    late = DefinitionsSource(source._config, b"k", ManualClock(datetime.now(UTC)))
    late.hold_back("hourly-load", MARK)
    late.hold_back("hourly-load", MARK)
    assert oozie.jobs[job].pause_time is not None
    assert sum("change" in asked for asked in oozie.asked) == 1
    late.pause_dag("hourly-load", MARK)
    late.unpause_dag("hourly-load", MARK)
    assert (oozie.jobs[job].pause_time, oozie.jobs[job].status) == (None, "RUNNING")


def test_a_run_that_the_hold_caught_ends_before_the_hand_over(apps: Path, oozie: OozieFake) -> None:
    first = datetime(2026, 3, 20, 0, 30, tzinfo=UTC)
    job = oozie.jobs[
        oozie.add("hourly-load", "/apps/etl", [(first, "SUCCEEDED"), (first + HOUR, "RUNNING")], first + 2 * HOUR)
    ]
    clock = ManualClock(datetime.now(UTC))  # the fake refuses a pause time that is over
    source = DefinitionsSource(opened("oozie", apps, oozie)._config, b"k", clock)

    def sleep(seconds: float) -> None:
        clock.advance(timedelta(seconds=seconds))
        if job.pause_time and job.status == "RUNNING":  # let go: its run comes to its end
            job.actions = [(moment, "SUCCEEDED") for moment, _status in job.actions]

    unused = cast("Any", None)
    dags = {record.dag_id: record for record in dag_records(conversion_of(source._config), {})}
    sides = cutover.CutoverContext(source, unused, unused, dags, clock, sleep, MARK)
    held = cutover.run(sides, cutover.pause(sides, "hourly-load"))
    assert held["in_flight"] == {"run:suspended": 1}
    drained = cutover.run(sides, cutover.drain(sides, "hourly-load", deadline_s=600, on_deadline="fail"))
    assert job.status == "SUSPENDED"
    assert drained["last_source_interval"] == [to_text(first + HOUR)] * 2
    assert [asked.split()[-1] for asked in oozie.asked if asked.startswith("PUT")] == [
        "suspend", "resume", "change", "suspend",
    ]  # fmt: skip


def test_coordinators_of_one_name_are_told_apart_by_their_folder_or_by_a_person(apps: Path, oozie: OozieFake) -> None:
    moment = datetime(2026, 3, 20, 0, 30, tzinfo=UTC)
    oozie.add("hourly-load", "hdfs://nn:8020/other/place", [(moment, "SUCCEEDED")], None)
    wanted = oozie.add("hourly-load", "hdfs://nn:8020/apps/etl/coordinator.xml", [(moment + HOUR, "SUCCEEDED")], None)
    assert opened("oozie", apps, oozie).dag_states(["hourly-load"])["hourly-load"].last_interval == (moment + HOUR,) * 2
    second = oozie.add("hourly-load", "hdfs://nn:8020/apps/etl", [(moment + 2 * HOUR, "SUCCEEDED")], None)
    with pytest.raises(Conflict) as refused:
        opened("oozie", apps, oozie).dag_states(["hourly-load"])
    assert refused.value.code == "oozie-job-ambiguous"
    assert wanted in refused.value.message
    say(apps, "hourly-load", Boundary(job=second))
    assert (
        opened("oozie", apps, oozie).dag_states(["hourly-load"])["hourly-load"].last_interval
        == (moment + 2 * HOUR,) * 2
    )


def test_refusals_of_oozie_become_errors_without_the_password(apps: Path, oozie: OozieFake) -> None:
    moment = datetime(2026, 3, 20, 0, 30, tzinfo=UTC)
    oozie.add("hourly-load", "/apps/etl", [(moment, "SUCCEEDED")], moment + HOUR)
    oozie.user = "somebody"
    source = opened("oozie", apps, oozie, password=Secret("canary-oozie"))
    oozie.user = "else"
    with pytest.raises(Denied) as refused:
        source.pause_dag("hourly-load", MARK)
    assert "E0508" in refused.value.message
    assert "canary" not in repr(refused.value)
    gone = DefinitionsConfig("oozie", "e", apps, apps.parent / "b.json", None, "http://127.0.0.1:9/oozie")
    probes = {probe.name: probe for probe in open_source(gone, b"k", ManualClock(NOW)).describe().probes}
    assert not probes["Oozie"].is_ok
    assert "does not answer" in probes["Oozie"].message


def test_many_actions_are_read_in_pages(apps: Path, oozie: OozieFake) -> None:
    first = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
    actions = [(first, "SUCCEEDED"), *((first + number * HOUR, "WAITING") for number in range(1, 450))]
    oozie.add("hourly-load", "/apps/etl", actions, first + 450 * HOUR)
    state = opened("oozie", apps, oozie).dag_states(["hourly-load"])["hourly-load"]
    assert state.last_interval == (first, first)
    assert sum(asked.startswith("GET /v1/job/") for asked in oozie.asked) == 3


@pytest.mark.parametrize(
    ("frequency", "zone", "last", "expected"),
    [
        ("${coord:minutes(5)}", "UTC", "2030-05-05T05:05Z", "2030-05-05T05:10Z"),
        ("${coord:days(1)}", "Europe/Berlin", "2026-03-29T00:30Z", "2026-03-29T23:30Z"),
        ("${coord:months(1)}", "UTC", "2031-02-01T00:30Z", "2031-03-01T00:30Z"),
        ("${coord:endOfMonths(1)}", "UTC", "2028-02-01T00:00Z", "2028-03-01T00:00Z"),
        ("0/15 6 * * 2-6", "UTC", "2026-03-20T06:45Z", "2026-03-23T06:00Z"),
        ("${coord:hours(1)}", "UTC", "2025-01-01T00:00Z", "2026-01-01T00:30Z"),
        ("${coord:hours(1)}", "UTC", "2034-12-31T23:30Z", None),
    ],
)
def test_the_next_time_follows_from_any_other(
    apps: Path, frequency: str, zone: str, last: str, expected: str | None
) -> None:
    text = COORDINATOR.replace("${coord:hours(1)}", frequency).replace('timezone="UTC"', f'timezone="{zone}"')
    (apps / "etl/coordinator.xml").write_text(text)
    dag = opened("oozie", apps).dags["hourly-load"]
    wanted = datetime.fromisoformat(expected) if expected else None
    assert following(dag, datetime.fromisoformat(last)) == wanted
    assert wanted is None or is_nominal(dag, wanted)
    assert not is_nominal(dag, datetime(2026, 6, 1, 3, 17, tzinfo=UTC))


def test_control_m_dates_of_a_calendar_are_followed_one_by_one(exports: Path) -> None:
    calendar = '<CALENDAR NAME="FISCAL" TYPE="Regular"><YEAR NAME="2026" DAYS="{}"/></CALENDAR>'
    days = ["N"] * 365
    for day in (40, 77, 200):  # 10 February, 19 March, 20 July
        days[day] = "Y"
    exports.write_text(EXPORT.replace("</DEFTABLE>", calendar.format("".join(days)) + "</DEFTABLE>"))
    source = opened("controlm", exports)
    dag = source.dags["MONTHLY"]
    found: list[datetime] = []
    while (moment := following(dag, found[-1] if found else None)) is not None:
        found.append(moment)
    assert found == [datetime(2026, month, day, tzinfo=UTC) for month, day in ((2, 10), (3, 19), (7, 20))]
    assert is_nominal(dag, found[1])
    assert not is_nominal(dag, found[1] + HOUR)


def test_an_oozie_estate_keeps_the_contract_of_sources(apps: Path, oozie: OozieFake) -> None:
    last = datetime(2026, 3, 20, 11, 30, tzinfo=UTC)
    oozie.add("hourly-load", "/apps/etl", [(last, "SUCCEEDED")], last + HOUR)
    keeps_the_contract(opened("oozie", apps, oozie), holds="hourly-load")


def test_a_control_m_estate_keeps_the_contract_of_sources(exports: Path) -> None:
    keeps_the_contract(opened("controlm", exports), holds=None)
