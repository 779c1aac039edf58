"""Application paths of coordinators that are only known in part, and the properties that submit them."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from aerodrome.migration.convert.contract import Conversion, Dag
from aerodrome.migration.convert.oozie.reading import read

_COORDINATOR = """<coordinator-app name="NAME" frequency="${coord:days(1)}" start="2024-03-01T00:00Z" end="2024-06-01T00:00Z" timezone="UTC"
  xmlns="uri:oozie:coordinator:0.4"><action><workflow><app-path>PATH</app-path></workflow></action></coordinator-app>"""
_WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="NAME"><start to="load"/><action name="load"><hive xmlns="uri:oozie:hive-action:0.5">
  <script>load.hql</script></hive><ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def coordinator(name: str, path: str) -> str:
    return _COORDINATOR.replace("NAME", name).replace("PATH", path)


def workflow(name: str) -> str:
    return _WORKFLOW.replace("NAME", name)


def dags(conversion: Conversion) -> dict[str, Dag]:
    return {dag.dag_id: dag for dag in conversion.dags}


def codes(dag: Dag) -> set[str]:
    return {item.code for item in dag.accounts}


def app_folder(path: str) -> str:
    return path.rpartition("/")[0] if path.endswith(".xml") else path


@pytest.mark.parametrize("given", ["", "job=${base}\n"])
def test_a_script_lies_beside_the_file_that_a_value_names(tmp_path: Path, given: str) -> None:
    """The value may be the folder or the file in it."""
    (tmp_path / "coordinator.xml").write_text(coordinator("c", "${job}" if given else "${base}"))
    (tmp_path / "workflow.xml").write_text(workflow("w"))
    if given:
        (tmp_path / "job.properties").write_text(given)
    (dag,) = read(tmp_path, {}).dags
    command = str(dict(dag.task("load").arguments)["bash_command"])
    jinja = jinja2.Environment(undefined=jinja2.StrictUndefined)
    jinja.filters |= {"app_folder": app_folder, "quote": str}
    for path in ("/apps/w/workflow.xml", "/apps/w"):
        rendered = jinja.from_string(command).render(params={"base": path, "job": path})
        assert "hdfs dfs -get -f /apps/w/load.hql load.hql" in rendered
    assert any(item.name == "app_folder" for item in dag.functions)


@pytest.mark.parametrize(
    "more", [{}, {"x__tide_b.xml": workflow("other")}, {"x__second.xml": coordinator("second", "/else")}]
)
def test_the_file_beside_a_coordinator_that_its_path_names_is_its_workflow(
    tmp_path: Path, more: dict[str, str]
) -> None:
    write(
        tmp_path,
        **{"x__c.xml": coordinator("c", "${root}/tide-wf.xml"), "x__tide-wf.xml": workflow("tide"), **more},
        **{"x__c.properties": "root=/user/${user.name}/tide\n"},
    )
    found = dags(read(tmp_path, {}))
    assert "app-path-assumed" in codes(found["c"])
    assert found["c"].task("load").role == "real"
    assert "tide" not in found


def test_a_file_that_is_called_as_all_are_is_not_taken_for_another(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{"x__c.xml": coordinator("c", "${root}/other/workflow.xml"), "x__d.xml": coordinator("d", "/apps/x")},
        **{"x__workflow.xml": workflow("w")},
    )
    assert "workflow-missing" in codes(dags(read(tmp_path, {}))["c"])


def test_the_time_at_which_a_bundle_starts_is_said(tmp_path: Path) -> None:
    text = """<bundle-app xmlns="uri:oozie:bundle:0.2" name="b"><controls><kick-off-time>${begin}</kick-off-time></controls>
      <coordinator name="c"><app-path>/apps/x/c.xml</app-path></coordinator></bundle-app>"""
    write(
        tmp_path,
        **{"x__b.xml": text, "x__c.xml": coordinator("c", "/w"), "x__b.properties": "begin=2024-01-01T00:00Z\n"},
    )
    (dag,) = read(tmp_path, {}).dags
    assert any(item.code == "kick-off-time" and "2024-01-01T00:00Z" in item.reason for item in dag.accounts)


_BUNDLE = """<bundle-app xmlns="uri:oozie:bundle:0.2" name="b"><coordinator name="one"><app-path>${first}</app-path></coordinator>
  <coordinator name="two"><app-path>${second}</app-path></coordinator></bundle-app>"""
_SUBMITS = """root=hdfs://c/user/${user.name}/deployed
oozie.bundle.application.path=${root}/bundle
first=${root}/coordinator
second=${root}/coordinator2
"""


def _estate(folder: Path, **more: str) -> dict[str, Dag]:
    files = {
        "proj__bundle__bundle.xml": _BUNDLE,
        "proj__coordinator__coordinator.xml": coordinator("c1", "/w"),
        "proj__coordinator2__coordinator.xml": coordinator("c2", "/w"),
        "proj__jobs__a.properties": _SUBMITS,
        "lone__bundle__x.txt": "",
    }
    write(folder, **{**files, **more})
    return dags(read(folder, {}))


def test_properties_whose_path_ends_with_the_folder_of_a_bundle_are_its_own(tmp_path: Path) -> None:
    found = _estate(tmp_path)
    assert set(found) == {"c1", "c2"}
    for dag in found.values():
        assert {"properties-assumed", "app-path-assumed"} <= codes(dag)
        assert "coordinator-missing" not in codes(dag)


@pytest.mark.parametrize("place", ["elsewhere__a.properties", "proj__jobs__b.properties"])
def test_properties_elsewhere_or_of_two_files_are_not(tmp_path: Path, place: str) -> None:
    more = {place: _SUBMITS} | ({"proj__jobs__a.properties": "x=y\n"} if "elsewhere" in place else {})
    assert any("coordinator-missing" in codes(dag) for dag in _estate(tmp_path, **more).values())


def test_properties_whose_path_leads_to_it_come_before_those_that_seem_to(tmp_path: Path) -> None:
    text = _SUBMITS.replace("deployed", "proj").replace("${user.name}", "me")
    found = _estate(tmp_path, **{"proj__jobs__b.properties": text})
    assert not any("properties-assumed" in codes(dag) for dag in found.values())
    assert set(found) == {"c1", "c2"}


@pytest.mark.parametrize(
    ("own", "path", "is_found"),
    [
        ("${root}/timers/coord.xml", "${root}", True),
        ("${root}/timers/coord.xml", "${root}/", True),
        ("${root}/timers/coord.xml", "${root}/workflow.xml", True),
        ("${root}/timers/coord.xml", "${root}/other", False),
        ("${root}/elsewhere/coord.xml", "${root}", False),  # the file would lie in another folder
        ("${root}/timers/coord.xml", "${other}", False),
    ],
)
def test_a_workflow_lies_to_the_coordinator_as_their_paths_do(
    tmp_path: Path, own: str, path: str, is_found: bool
) -> None:
    """The checked-out folder is called otherwise than the one in HDFS."""
    submitted = f"root=hdfs://${{nn}}/jobs/flow-tide\nother=/x\noozie.coord.application.path={own}\n"
    write(
        tmp_path,
        **{"tide__timers__coord.xml": coordinator("c", path), "tide__workflow.xml": workflow("w")},
        **{"tide__job.properties": submitted},
    )
    found = read(tmp_path, {}).dags
    assert len(found) == (1 if is_found else 2)
    said = set().union(*map(codes, found))
    assert ("app-path-assumed" in said, "workflow-missing" in said) == (is_found, not is_found)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/jobs/moon/pool/tide", ""),
        ("${far}/tide", "app-path-open"),
        ("/else/pool/tide", "app-path-assumed"),
        ("/else/tide", "workflow-missing"),
    ],
)
def test_where_its_workflow_lies_is_held_against_the_path_of_a_coordinator(
    tmp_path: Path, path: str, code: str
) -> None:
    write(
        tmp_path,
        **{"low__coordinator.xml": coordinator("c", path), "pool__tide__workflow.xml": workflow("w")},
        **{"low__job.properties": "oozie.coord.application.path=hdfs://n/jobs/moon/low\n"},
    )
    said = {item for dag in read(tmp_path, {}).dags for item in codes(dag)}
    assert said & {"app-path-open", "app-path-assumed", "workflow-missing"} == ({code} if code else set())


def test_two_slashes_in_a_path_are_one(tmp_path: Path) -> None:
    """As org.apache.hadoop.fs.Path has it (Hadoop 2/3: normalizePath)."""
    outer = workflow("w").replace(
        '<hive xmlns="uri:oozie:hive-action:0.5">\n  <script>load.hql</script></hive>',
        "<sub-workflow><app-path>${root}//low/other.xml</app-path></sub-workflow>",
    )
    assert "<sub-workflow>" in outer
    write(
        tmp_path,
        **{
            "job.properties": "oozie.wf.application.path=hdfs://n/jobs//tide/\nroot=hdfs://n//jobs/tide/\n",
            "workflow.xml": outer,
            "low__other.xml": workflow("inner"),
        },
    )
    made = dags(read(tmp_path, {"sub_workflows": "trigger"}))
    assert dict(made["w"].task("load").arguments)["trigger_dag_id"] == "inner"
    assert not codes(made["w"]) & {"sub-workflow-missing", "app-path-assumed"}
