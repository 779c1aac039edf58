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


@pytest.mark.parametrize(
    ("path", "target", "code"),
    [
        ("${nameNode}/jobs/moon/shore/add", "web", ""),
        ("hdfs://n/jobs/moon/shore/add/workflow.xml", "web", ""),
        ("/jobs/moon/pool/add", "add", "sub-workflow-missing"),  # its own path says that this folder is another
        ("/add", "add", "sub-workflow-missing"),
        ("/tools/shore/add", "web", "app-path-assumed"),
        ("${far}/add", "web", "app-path-open"),
        ("${nameNode}/jobs/${far}/shore/add", "web", "app-path-open"),
    ],
)
def test_where_a_workflow_lies_is_held_against_the_path_of_its_parent(
    tmp_path: Path, path: str, target: str, code: str
) -> None:
    for file, title, leads in (("shore/add", "web", "/far/else"), ("low", "caller", path)):
        (tmp_path / file).mkdir(parents=True)
        (tmp_path / file / "workflow.xml").write_text(write(_PARENT, name=title, path=leads))
    (tmp_path / "low" / "job.properties").write_text("oozie.wf.application.path=${nameNode}/jobs/moon/low\n")
    dag = by_id(read(tmp_path, {"sub_workflows": "trigger"}))["caller"]
    assert targets(dag) == [target]
    assert code in {item.code for item in dag.accounts if item.element == "action/sub-workflow"}


def test_a_group_whose_path_ends_alike_is_told_too(tmp_path: Path) -> None:
    step = (
        _PARENT[: _PARENT.index("<sub-workflow>")]
        + '<fs><mkdir path="/x"/></fs>'
        + _PARENT[_PARENT.index("</sub-workflow>") + 15 :]
    )
    for file, text in (("low/add", write(step, name="web")), ("low", write(_PARENT, name="caller", path="${far}/add"))):
        (tmp_path / file).mkdir(parents=True, exist_ok=True)
        (tmp_path / file / "workflow.xml").write_text(text)
    (dag,) = read(tmp_path, {}).dags
    assert dag.groups
    assert "app-path-open" in {item.code for item in dag.accounts}


def test_workflows_that_are_not_here_are_told_apart(tmp_path: Path) -> None:
    """They have the same folder name: one DAG for all of them would run one in place of the others."""
    paths = {
        "a": "/jobs/tide/load",
        "b": "hdfs://n/jobs/moon/load/workflow.xml",
        "c": "${nameNode}/jobs/tide/load/",
        "d": "${wf:appPath()}/load",
        "e": "${wf:appPath()}/load",
    }
    for folder, path in paths.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "workflow.xml").write_text(write(_PARENT, name=f"in_{folder}", path=path))
    dags = by_id(read(tmp_path, {"dag_id_prefix": ""}))
    assert [targets(dags[f"in_{name}"])[0] for name in paths] == ["load", "moon.load", "load", "d.load", "e.load"]
    assert "load is another one, at jobs/tide/load" in reasons(dags["in_b"])
