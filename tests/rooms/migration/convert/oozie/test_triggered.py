"""The DAG that stands for a workflow that is not among the definitions: never one that would wait for itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aerodrome.migration.convert.contract import Conversion, Dag
from aerodrome.migration.convert.oozie.reading import read

_COORDINATOR = """<coordinator-app name="{name}" frequency="${coord:days(1)}" start="2024-03-01T05:00Z" end="2024-06-01T05:00Z" timezone="UTC"
  xmlns="uri:oozie:coordinator:0.4"><action><workflow><app-path>{path}</app-path></workflow></action></coordinator-app>"""
_PARENT = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="{name}"><start to="s"/><action name="s"><sub-workflow><app-path>{path}</app-path>
  </sub-workflow><ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
_BUNDLE = """<bundle-app xmlns="uri:oozie:bundle:0.2" name="{bundle}"><coordinator name="{name}"><app-path>/apps/{folder}/coordinator.xml</app-path></coordinator></bundle-app>"""


def write(text: str, **values: str) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def targets(dag: Dag) -> list[Any]:
    return [
        dict(task.arguments).get("trigger_dag_id")
        for task in dag.tasks
        if task.operator.name == "TriggerDagRunOperator"
    ]


def by_id(conversion: Conversion) -> dict[str, Dag]:
    return {dag.dag_id: dag for dag in conversion.dags}


def reasons(dag: Dag) -> str:
    return " ".join(item.reason for item in dag.accounts if "sub-workflow-missing" in item.code)


@pytest.mark.parametrize("name", ["tide", "Tide"])
def test_a_coordinator_does_not_trigger_itself(tmp_path: Path, name: str) -> None:
    (tmp_path / "coordinator.xml").write_text(write(_COORDINATOR, name=name, path="${nn}/apps/tide"))
    (dag,) = read(tmp_path, {}).dags
    assert targets(dag) == ["tide_workflow"]
    assert "tide_workflow has to exist" in reasons(dag)


def test_nor_another_coordinator(tmp_path: Path) -> None:
    for name, path in (("ebb", "/apps/flood"), ("flood", "/apps/moon")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "coordinator.xml").write_text(write(_COORDINATOR, name=name, path=path))
    dags = by_id(read(tmp_path, {}))
    assert targets(dags["ebb"]) == ["flood_workflow"]
    assert targets(dags["flood"]) == ["moon"]


@pytest.mark.parametrize("bundle", ["moon", "tide"])
def test_nor_a_coordinator_of_a_bundle_by_the_name_that_it_has_there(tmp_path: Path, bundle: str) -> None:
    """The bundle's entry, its coordinator and the bundle itself: what is not here is none of them."""
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "coordinator.xml").write_text(write(_COORDINATOR, name="flood", path="/far/tide"))
    (tmp_path / "bundle.xml").write_text(write(_BUNDLE, bundle=bundle, name="tide", folder="c"))
    made = read(tmp_path, {"dag_id_prefix": ""})
    assert all(target not in by_id(made) for dag in made.dags for target in targets(dag))
    assert [targets(dag) for dag in made.dags] == [["tide_workflow"]]


def test_nor_a_workflow_itself_or_one_that_runs_it(tmp_path: Path) -> None:
    files = {"a": ("tide", "/apps/b/workflow.xml"), "b": ("ebb", "/far/tide"), "c": ("moon", "/far/moon")}
    for folder, (name, path) in files.items():
        (tmp_path / "apps" / folder).mkdir(parents=True)
        (tmp_path / "apps" / folder / "workflow.xml").write_text(write(_PARENT, name=name, path=path))
    dags = by_id(read(tmp_path, {"sub_workflows": "trigger"}))
    assert targets(dags["ebb"]) == ["tide_workflow"]
    assert targets(dags["moon"]) == ["moon_workflow"]
    (grouped,) = [dag for dag in read(tmp_path, {}).dags if dag.dag_id == "tide"]
    assert targets(grouped) == ["tide_workflow"]


def test_the_file_of_a_workflow_gives_its_name(tmp_path: Path) -> None:
    (tmp_path / "coordinator.xml").write_text(write(_COORDINATOR, name="c", path="${root}/load-tide.xml"))
    (dag,) = read(tmp_path, {}).dags
    assert targets(dag) == ["load-tide"]


@pytest.mark.parametrize("known", ["hdfs://n/apps", "${nameNode}/apps", "${apps}"])
@pytest.mark.parametrize("caller", ["moon/shore/add/workflow.xml", "moon/start.xml"])
def test_a_workflow_whose_path_is_known_is_no_other_that_is_called_so(tmp_path: Path, known: str, caller: str) -> None:
    """Its folder has the name of the caller's, or of a third one's."""
    files = {
        "moon/shore/add/workflow.xml": ("web", "/far/else"),
        caller: ("caller", f"{known}/tools/shore/add/workflow.xml"),
    }
    for file, (name, path) in files.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(write(_PARENT, name=name, path=path))
    (tmp_path / caller).with_name("job.properties").write_text("apps=hdfs://n/apps\n")
    dag = by_id(read(tmp_path, {"sub_workflows": "trigger"}))["caller"]
    assert targets(dag) == ["add"]
    assert "the DAG add has to exist" in reasons(dag)


def test_nor_is_a_workflow_the_one_that_its_parent_only_seems_to_be(tmp_path: Path) -> None:
    """The path of the child begins with a value that nobody knows: what waits for the child is not taken for it."""
    files = {
        "shore/add/workflow.xml": ("tide", "/apps/low/workflow.xml"),
        "low/workflow.xml": ("ebb", "${far}/pool/add"),
    }
    for file, (name, path) in files.items():
        (tmp_path / "apps" / file).parent.mkdir(parents=True)
        (tmp_path / "apps" / file).write_text(write(_PARENT, name=name, path=path))
    dags = by_id(read(tmp_path, {"sub_workflows": "trigger"}))
    assert (targets(dags["tide"]), targets(dags["ebb"])) == (["ebb"], ["add"])
    assert "the DAG add has to exist" in reasons(dags["ebb"])
