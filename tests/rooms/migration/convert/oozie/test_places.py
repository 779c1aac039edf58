"""Definitions find each other, and their properties, also when they do not lie as they are deployed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.properties import Layer, Scope
from aerodrome.migration.convert.oozie.reading import read

_WORKFLOW = (
    '<workflow-app xmlns="uri:oozie:workflow:0.5" name="{}"><start to="a"/><action name="a"><shell><exec>run</exec></shell>'
    '<ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>'
)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def coordinator(name: str, path: str, start: str = "${begin}", more: str = "") -> str:
    return (
        f'<coordinator-app xmlns="uri:oozie:coordinator:0.4" name="{name}" frequency="${{coord:days(1)}}" start="{start}"'
        f' end="2027-01-01T00:00Z" timezone="UTC">{more}<action><workflow><app-path>{path}</app-path></workflow></action></coordinator-app>'
    )


def workflow(name: str) -> str:
    return (
        f'<workflow-app xmlns="uri:oozie:workflow:0.5" name="{name}"><start to="end"/><end name="end"/></workflow-app>'
    )


def bundle(*entries: tuple[str, str]) -> str:
    inner = "".join(f'<coordinator name="{name}"><app-path>{path}</app-path></coordinator>' for name, path in entries)
    return f'<bundle-app xmlns="uri:oozie:bundle:0.2" name="b">{inner}</bundle-app>'


def found(folder: Path) -> dict[str, Dag]:
    return {dag.dag_id: dag for dag in read(folder, {}).dags}


def codes(dag: Dag) -> set[str]:
    return {item.code for item in dag.accounts}


@pytest.mark.parametrize("key", ["oozie.coord.application.path", "oozie.bundle.application.path"])
def test_properties_elsewhere_that_submit_it_are_its_own(tmp_path: Path, key: str) -> None:
    write(tmp_path / "daily" / "coordinator.xml", coordinator("daily", "/apps/w"))
    write(tmp_path / "all" / "bundle.xml", bundle(("daily", "${root}/daily")))
    folder = "all" if "bundle" in key else "daily"
    write(
        tmp_path / "jobs" / "one.properties",
        f"root=${{nameNode}}/x\n{key}=${{root}}/{folder}\nbegin=2026-02-03T00:00Z\n",
    )
    write(tmp_path / "jobs" / "two.properties", "begin=2020-01-01T00:00Z\n")
    if "coord" in key:
        (tmp_path / "all" / "bundle.xml").unlink()
    assert found(tmp_path)["daily"].schedule.start == datetime(2026, 2, 3, tzinfo=UTC)


def test_two_that_submit_it_leave_it_open(tmp_path: Path) -> None:
    write(tmp_path / "daily" / "coordinator.xml", coordinator("daily", "/apps/w"))
    for number in (1, 2):
        write(
            tmp_path / "jobs" / f"{number}.properties",
            f"oozie.coord.application.path=/apps/daily\nbegin=2026-0{number}-01T00:00Z\n",
        )
    conversion = read(tmp_path, {})
    assert conversion.dags[0].schedule.expression is None
    assert any("${begin}" in item.text for item in conversion.questions if item.code == "unknown-start")


def test_entries_of_a_bundle_are_found_by_name(tmp_path: Path) -> None:
    write(
        tmp_path / "bundle.xml",
        bundle(
            ("${one}", "/deployed/coordinator/first_job"),
            ("b", "/deployed/coordinators/second-coordinator.xml"),
            ("loading-coord", "/deployed/coordinators/x.xml"),
            ("last", "${unknown}"),
        ),
    )
    write(tmp_path / "bundle.properties", "one=First Job\n")
    start = "2026-01-01T00:00Z"
    write(tmp_path / "f" / "coordinator.xml", coordinator("${one}", "/w", start))
    write(tmp_path / "second-coordinator.xml", coordinator("s", "/w", start))
    write(tmp_path / "load.xml", coordinator("jsonl-loading-coordinator", "/w", start))
    write(tmp_path / "other.xml", coordinator("z", "/w", start))
    dags = found(tmp_path)
    assert {dag.origin.file for dag in dags.values() if dag.origin} == {
        "f/coordinator.xml",
        "second-coordinator.xml",
        "load.xml",
        "other.xml",
    }
    assert all("app-path-assumed" in codes(dag) for dag in dags.values())


def test_a_coordinator_with_another_path_is_not_taken(tmp_path: Path) -> None:
    write(tmp_path / "bundle.xml", bundle(("daily", "/deployed/daily/coordinator.xml")))
    write(tmp_path / "weekly" / "coordinator.xml", coordinator("weekly", "/w", "2026-01-01T00:00Z"))
    assert "coordinator-missing" in codes(found(tmp_path)["daily"])


def test_the_workflow_beside_a_lonely_coordinator_is_its_own(tmp_path: Path) -> None:
    write(tmp_path / "workflow.xml", _WORKFLOW.format("w"))
    write(tmp_path / "coordinator.xml", coordinator("c", "/deployed/somewhere", "2026-01-01T00:00Z"))
    dag = found(tmp_path)["c"]
    assert "app-path-assumed" in codes(dag)
    assert dag.task("a").role == "real"
    write(tmp_path / "coordinator.xml", coordinator("c", "/deployed/somewhere/other.xml", "2026-01-01T00:00Z"))
    assert "workflow-missing" in codes(found(tmp_path)["c"])


def test_the_question_names_what_nobody_said(tmp_path: Path) -> None:
    write(tmp_path / "daily.xml", coordinator("daily", "/w"))
    write(
        tmp_path / "bundle.xml",
        '<bundle-app xmlns="uri:oozie:bundle:0.2" name="b"><coordinator name="daily"><app-path>/daily.xml</app-path><configuration>'
        "<property><name>begin</name><value>${first}</value></property></configuration></coordinator></bundle-app>",
    )
    write(tmp_path / "bundle.properties", "first=${SITE_START}\n")
    asked = [item.text for item in read(tmp_path, {}).questions if item.code == "unknown-start"]
    assert ["${SITE_START}" in text for text in asked] == [True]
    (dag,) = read(tmp_path, {"defaults": {"SITE_START": "2026-01-01T00:00Z"}}).dags
    assert dag.schedule.start == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "limit"), [("${coord:hours(16)}", timedelta(hours=16)), ("${coord:days(2)}", timedelta(days=2)), ("45", timedelta(minutes=45)), ("-1", timedelta(days=60)), ("90000", timedelta(days=60)), ("0", timedelta(minutes=1))]
)  # fmt: skip
def test_a_timeout_may_be_written_as_a_frequency(tmp_path: Path, text: str, limit: timedelta) -> None:
    data = (
        f"<controls><timeout>{text}</timeout></controls>"
        '<datasets><dataset name="d" frequency="60" initial-instance="2026-01-01T00:00Z" timezone="UTC"><uri-template>/d</uri-template></dataset></datasets>'
        '<input-events><data-in name="d" dataset="d"><instance>${coord:current(0)}</instance></data-in></input-events>'
    )
    write(tmp_path / "c.xml", coordinator("c", "/w", "2026-01-01T00:00Z", data))
    assert dict(found(tmp_path)["c"].task("wait_for_d").arguments)["timeout"] == limit


def test_a_value_is_put_together_as_far_as_it_is_known() -> None:
    scope = Scope(
        (
            Layer("bundle", {"begin": "${begin}"}, is_outward=True),
            Layer("job", {"root": "${node}/user", "app": "${root}/app", "begin": "${first}", "a": "${b}", "b": "${a}"}),
        )
    )
    assert scope.partly("${app}/x") == "${node}/user/app/x"
    assert scope.partly("${begin}") == "${first}"
    assert scope.partly("${a}") in ("${a}", "${b}")


def test_a_zone_that_no_server_knows_is_refused_and_not_asked_for(tmp_path: Path) -> None:
    text = coordinator("c", "/w", "2026-01-01T00:00Z").replace('timezone="UTC"', 'timezone="Mars/Base"')
    write(tmp_path / "c.xml", text)
    conversion = read(tmp_path, {})
    assert {item.code for item in conversion.dags[0].accounts if item.outcome == "raises"} == {"timezone-refused"}
    assert not [item for item in conversion.questions if item.code == "unknown-timezone"]


def test_a_folder_that_is_only_called_so_does_not_hide_what_lies_beside(tmp_path: Path) -> None:
    """Many teams call a folder `workflow`: of somebody else's nothing is taken, and what is only called so is said."""
    write(tmp_path / "sales" / "job" / "coordinator.xml", coordinator("sales", "/apps/sales/workflow/workflow.xml"))
    write(tmp_path / "sales" / "job" / "workflow.xml", _WORKFLOW.format("sales-own"))
    write(tmp_path / "mail" / "job" / "workflow" / "workflow.xml", _WORKFLOW.format("mail-own"))
    write(tmp_path / "sales" / "other" / "workflow" / "workflow.xml", _WORKFLOW.format("sales-other"))
    dags = found(tmp_path)
    assert "app-path-assumed" in codes(dags["sales"])
    assert {item.origin.file for item in dags["sales"].accounts if item.element == "action/shell"} == {
        "sales/job/workflow.xml"
    }
    (tmp_path / "sales" / "job" / "workflow.xml").unlink()
    dags = found(tmp_path)
    assert "app-path-assumed" in codes(dags["sales"])
    assert {item.origin.file for item in dags["sales"].accounts if item.element == "action/shell"} == {
        "sales/other/workflow/workflow.xml"
    }
    (tmp_path / "sales" / "other" / "workflow" / "workflow.xml").unlink()
    assert not [item for item in found(tmp_path)["sales"].accounts if item.element == "action/shell"]


@pytest.mark.parametrize(
    ("text", "properties", "first"),
    [
        ("hdfs://nn/apps/run.sh", "", "run.sh"),
        ("/usr/bin/python3", "", "python3"),
        ("${nameNode}/apps/run.sh", "nameNode=hdfs://nn\n", "run.sh"),
        ("${script}", "script=run.sh\n", "{{ params.script | quote }}"),
        ("${script}", "script=/apps/run.sh\n", '"$(basename -- {{ params.script | quote }})"'),
    ],
)
def test_the_last_name_of_a_path_is_run_as_oozie_does(tmp_path: Path, text: str, properties: str, first: str) -> None:
    """ShellActionExecutor of Oozie 4.x/5.x runs `new Path(exec).getName()`."""
    inner = f"<exec>{text}</exec><argument>a b</argument><file>{text}</file>"
    write(tmp_path / "workflow.xml", _WORKFLOW.format("w").replace("<exec>run</exec>", inner))
    write(tmp_path / "job.properties", properties)
    (dag,) = read(tmp_path, {}).dags
    command = str(dict(dag.task("a").arguments)["bash_command"])
    assert f"{first} 'a b'" in command
    assert f" {first}\nchmod +x {first}\n" in command


_STEP = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="NAME"><start to="a"/><action name="a"><fs><mkdir path="/x"/></fs><ok to="end"/><error to="k"/></action>
  <kill name="k"><message>m</message></kill><end name="end"/></workflow-app>"""


@pytest.mark.parametrize(
    ("path", "child", "code"),
    [
        ("${wf:appPath()}/../common/load.xml", "load", ""),
        ("${wf:appPath()}/./inner", "inner", ""),
        ("${wf:appPath()}/inner/../inner/workflow.xml", "inner", ""),
        ("${concat(nameNode, '/user/me/apps/common/load.xml')}", "load", ""),
        ("${concat(wf:appPath(), '/inner')}", "inner", ""),
        ("${base}/../common/load.xml", "load", "app-path-open"),
        ("${wf:conf('nameNode')}/user/me/apps/main/../common/./load.xml", "load", ""),
        ("${wf:appPath()}/common/load.xml", "", "sub-workflow-missing"),
        ("${wf:appPath()}/lone", "", "sub-workflow-missing"),
        ("${wf:appPath()}/../../elsewhere/inner", "", "sub-workflow-missing"),
        ("../elsewhere/inner", "inner", "app-path-assumed"),
    ],
)
def test_the_workflow_that_an_application_path_leads_to(tmp_path: Path, path: str, child: str, code: str) -> None:
    """A path from wf:appPath() on says where in these files it leads: what is called alike elsewhere is not it."""
    files = {"apps/common/load.xml": "load", "apps/main/inner/workflow.xml": "inner", "lone/workflow.xml": "lone"}
    for name, title in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(_STEP.replace("NAME", title))
    text = f"""<workflow-app xmlns="uri:oozie:workflow:0.5" name="main"><start to="s"/><action name="s"><sub-workflow><app-path>{path}</app-path></sub-workflow>
      <ok to="end"/><error to="k"/></action><kill name="k"><message>m</message></kill><end name="end"/></workflow-app>"""
    (tmp_path / "apps/main/workflow.xml").write_text(text)
    (tmp_path / "apps/main/job.properties").write_text("nameNode=hdfs://cluster\n")
    dag = next(item for item in read(tmp_path, {"sub_workflows": "trigger"}).dags if item.dag_id == "main")
    (account,) = (item for item in dag.accounts if item.name == "s")
    assert account.code == code
    started = dict(dag.task("s").arguments)["trigger_dag_id"]
    assert started == child or (not child and started not in files.values())


def test_a_coordinator_is_called_as_its_bundle_calls_it(tmp_path: Path) -> None:
    write(tmp_path / "job.properties", "oozie.bundle.application.path=/apps/jobs\ntitle=Tide 5.0 - dev\n")
    write(tmp_path / "bundle.xml", bundle(("${title}", "/apps/jobs/low/coordinator.xml")))
    write(tmp_path / "low" / "coordinator.xml", coordinator("${title}", "${path}", start="2026-01-01T00:00Z"))
    write(tmp_path / "low" / "workflow.xml", workflow("${other}"))
    assert {*found(tmp_path)} == {"Tide_5.0_-_dev"}


def test_what_is_called_as_its_folder_is_has_that_in_its_id_once(tmp_path: Path) -> None:
    write(tmp_path / "high" / "low" / "coordinator.xml", coordinator("${title}", "/x", start="2026-01-01T00:00Z"))
    write(tmp_path / "high" / "low" / "workflow.xml", workflow("${other}"))
    assert {*found(tmp_path)} == {"high_low"}


@pytest.mark.parametrize(
    ("given", "said"), [("", "${root}/a/low is not known"), ("root=/apps\n", "/apps/a/low leads to no file")]
)
def test_a_path_that_is_known_is_not_called_unknown(tmp_path: Path, given: str, said: str) -> None:
    write(tmp_path / "bundle.properties", f"x=1\n{given}")
    write(tmp_path / "bundle.xml", bundle(("low", "${root}/a/low")))
    write(tmp_path / "b" / "low" / "coordinator.xml", coordinator("c", "/x", start="2026-01-01T00:00Z"))
    (dag,) = found(tmp_path).values()
    (reason,) = (item.reason for item in dag.accounts if item.element == "bundle/app-path")
    assert reason.startswith(said)
