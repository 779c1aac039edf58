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
