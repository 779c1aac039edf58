"""Oozie servers that do not count in UTC (oozie.processing.timezone): what their times look like, in texts and in the paths of data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.inside import oozie_instances
from aerodrome.migration.convert.oozie.reading import read

_COORDINATOR = """<coordinator-app xmlns="uri:oozie:coordinator:0.4" name="c" frequency="${coord:days(1)}" start="{start}" end="{end}" timezone="Asia/Tokyo">
  <datasets><dataset name="raw" frequency="${coord:hours(1)}" initial-instance="{first}" timezone="Asia/Tokyo">
    <uri-template>/raw/${YEAR}/${MONTH}/${DAY}/${HOUR}</uri-template></dataset></datasets>
  <input-events><data-in name="raw" dataset="raw"><instance>{instance}</instance></data-in></input-events>
  <action><workflow><app-path>/apps/w</app-path><configuration>{values}</configuration></workflow></action></coordinator-app>"""


def convert(folder: Path, values: Mapping[str, str], profile: Mapping[str, Any] | None = None, /, **more: str) -> Dag:
    text = _COORDINATOR
    given = {
        "start": "2026-01-05T00:30+0900",
        "end": "2027-01-01T00:00+0900",
        "first": "2026-01-01T00:00+0900",
        "instance": "${coord:current(0)}",
        "values": "".join(
            f"<property><name>{name}</name><value>{value}</value></property>" for name, value in values.items()
        ),
        **more,
    }
    for name, value in given.items():
        text = text.replace("{" + name + "}", value)
    (folder / "coordinator.xml").write_text(text)
    (dag,) = read(folder, profile or {}).dags
    return dag


def conf(dag: Dag) -> dict[str, str]:
    given = dict(dag.task("workflow").arguments)["conf"]
    assert isinstance(given, dict)
    return {key: str(item) for key, item in given.items()}


def run(dag: Dag, name: str, **names: Any) -> Any:
    """Run the functions of a DAG, as its file holds them."""
    scope: dict[str, Any] = {**vars(oozie_instances), **names}
    for function in dag.functions:
        if "def " in function.source and "Airflow" not in function.source and "hdfs" not in function.name:
            exec(function.source, scope)
    return scope[name]


def codes(dag: Dag) -> set[str]:
    return {account.code for account in dag.accounts if account.outcome == "raises"}


def test_paths_of_data_show_the_clock_of_the_server(tmp_path: Path) -> None:
    dag = convert(tmp_path, {})
    assert dag.schedule.start == datetime(2026, 1, 4, 15, 30, tzinfo=UTC)
    uris = run(dag, "raw_uris")
    assert uris(datetime(2026, 1, 4, 15, 30, tzinfo=UTC), {}) == ["/raw/2026/01/05/00"]


def test_paths_of_data_that_comes_late_show_it_too(tmp_path: Path) -> None:
    dag = convert(tmp_path, {}, instance="${coord:latest(0)}")
    asked: list[str] = []

    def hdfs_test(flag: str, path: str) -> bool:
        asked.append(path)
        return True

    class Run:
        start_date = datetime(2026, 1, 4, 15, 30, tzinfo=UTC)

    arrived = run(dag, "raw_arrived", hdfs_test=hdfs_test, PokeReturnValue=lambda done, value: (done, value))
    assert arrived({}, datetime(2026, 1, 4, 15, 30, tzinfo=UTC), Run()) == (True, ["/raw/2026/01/05/00"])
    assert asked == ["/raw/2026/01/05/00/_SUCCESS"]


def test_texts_of_times_are_those_of_the_server(tmp_path: Path) -> None:
    values = {
        "nominal": "${coord:nominalTime()}",
        "day": "${coord:formatTime(coord:nominalTime(), 'yyyy-MM-dd HH z XXX X')}",
        "before": "${coord:dateOffset(coord:nominalTime(), -1, 'MONTH')}",
        "elsewhere": "${coord:dateTzOffset(coord:nominalTime(), 'America/New_York')}",
        "moved": "${coord:dateOffset(coord:dateTzOffset(coord:nominalTime(), 'America/New_York'), 1, 'DAY')}",
        "started": "${coord:actualTime()}",
    }
    found = conf(convert(tmp_path, values))
    local = 'logical_date.in_timezone("Etc/GMT-9")'
    mask = '.strftime("%Y-%m-%dT%H:%M+0900")'
    assert found["nominal"] == "{{ " + local + mask + " }}"
    assert found["day"] == "{{ " + local + '.strftime("%Y-%m-%d %H GMT+09:00 +09:00 +09") }}'
    assert found["before"] == "{{ " + local + ".subtract(months=1)" + mask + " }}"
    assert found["elsewhere"] == "{{ " + local + '.in_timezone("America/New_York")' + mask + " }}"
    assert found["moved"].endswith('.in_timezone("America/New_York").set(tz="Etc/GMT-9").add(days=1)' + mask + " }}")
    assert found["started"] == '{{ instance(dag_run.start_date).in_timezone("Etc/GMT-9")' + mask + " }}"


def test_half_hours_are_said_in_hours(tmp_path: Path) -> None:
    more = {"start": "2026-01-05T00:30+0530", "end": "2027-01-01T00:00+0530", "first": "2026-01-01T00:00+0530"}
    dag = convert(tmp_path, {"nominal": "${coord:nominalTime()}"}, **more)
    assert conf(dag)["nominal"] == '{{ logical_date.in_timezone(5.5).strftime("%Y-%m-%dT%H:%M+0530") }}'
    assert run(dag, "raw_uris")(datetime(2026, 1, 4, 19, 0, tzinfo=UTC), {}) == ["/raw/2026/01/05/00"]


def test_a_server_in_utc_writes_as_before(tmp_path: Path) -> None:
    more = {"start": "2026-1-5T00:30Z", "end": "2027-01-01T00:00Z", "first": "2026-01-01T0:0Z"}
    values = {
        "nominal": "${coord:nominalTime()}",
        "epoch": "${coord:epochTime(coord:dateTzOffset(coord:nominalTime(), 'Asia/Tokyo'), 'false')}",
    }
    dag = convert(tmp_path, values, **more)
    assert conf(dag)["nominal"] == '{{ logical_date.strftime("%Y-%m-%dT%H:%MZ") }}'
    assert 'in_timezone("Asia/Tokyo").set(tz="UTC").int_timestamp' in conf(dag)["epoch"]
    assert not [item for item in dag.functions if "shown(" in item.source]
    assert not codes(dag)


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        ({"end": "2027-01-01T00:00Z"}, "end-refused", "its other times end with +0900, this one with Z"),
        ({"end": "2027-02-30T00:00+0900"}, "end-refused", "it is no time like 2009-01-01T08:00+0900"),
        (
            {"start": "2026-01-05T00:30:00Z", "end": "2027-01-01T00:00Z"},
            "start-refused",
            "it is no time like 2009-01-01T08:00Z",
        ),
    ],
)
def test_what_a_server_refuses_raises(tmp_path: Path, more: dict[str, str], code: str, said: str) -> None:
    dag = convert(tmp_path, {}, **more)
    assert code in codes(dag)
    assert any(said in account.reason for account in dag.accounts if account.code == code)


def test_the_profile_says_what_the_times_do_not(tmp_path: Path) -> None:
    workflow = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="a"/><action name="a"><shell xmlns="uri:oozie:shell-action:0.3">
      <exec>echo</exec><argument>${timestamp()}</argument></shell><ok to="end"/><error to="end"/></action><end name="end"/></workflow-app>"""
    (tmp_path / "workflow.xml").write_text(workflow)
    (dag,) = read(tmp_path, {"processing_timezone": "GMT-0330"}).dags
    command = str(dict(dag.task("a").arguments)["bash_command"])
    assert 'macros.timedelta(minutes=-210)).strftime("%Y-%m-%dT%H:%M-0330")' in command
    with pytest.raises(Invalid, match="processing_timezone"):
        read(tmp_path, {"processing_timezone": "Asia/Tokyo"})
    (tmp_path / "workflow.xml").unlink()
    dag = convert(tmp_path, {}, {"processing_timezone": "UTC"})
    assert {"start-refused", "end-refused"} <= codes(dag)
