"""Workflows that lead back to themselves: Oozie ends them, so must their DAGs."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.convert.contract import TARGETS
from aerodrome.migration.convert.emission import compose
from aerodrome.migration.convert.oozie.reading import read

KILL = '<kill name="k"><message>no</message></kill><end name="e"/></workflow-app>'


def workflow(name: str, *nodes: str) -> str:
    return f'<workflow-app xmlns="uri:oozie:workflow:0.5" name="{name}"><start to="a"/>{"".join(nodes)}{KILL}'


def starting(path: str) -> str:
    return (
        f'<action name="a"><sub-workflow><app-path>{path}</app-path></sub-workflow><ok to="e"/><error to="k"/></action>'
    )


def making(name: str, to: str, path: str = "/x") -> str:
    return f'<action name="{name}"><fs><mkdir path="{path}"/></fs><ok to="{to}"/><error to="k"/></action>'


def codes(folder: Path, files: dict[str, str]) -> dict[str, set[str]]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    conversion = read(folder, {})
    for target in TARGETS:
        compose(conversion, target)
    return {dag.dag_id: {item.code for item in dag.accounts if item.outcome == "raises"} for dag in conversion.dags}


@pytest.mark.parametrize("path", ["${nameNode}/apps/again", "${wf:appPath()}", "hdfs://n/apps/again/workflow.xml"])
def test_a_workflow_that_starts_itself_raises(tmp_path: Path, path: str) -> None:
    found = codes(tmp_path, {"again/workflow.xml": workflow("again", starting(path))})
    assert found == {"again": {"sub-workflow-recursion"}}


def test_workflows_that_start_each_other_raise_and_what_starts_them_does_not(tmp_path: Path) -> None:
    found = codes(
        tmp_path,
        {
            "one/workflow.xml": workflow("one", starting("/apps/two")),
            "two/workflow.xml": workflow("two", starting("/apps/three")),
            "three/workflow.xml": workflow("three", starting("/apps/one")),
            "above/workflow.xml": workflow("above", starting("/apps/two")),
        },
    )
    assert found["above"] == set()
    assert all(found[name] == {"sub-workflow-recursion"} for name in ("one", "two", "three"))


def test_transitions_in_a_circle_and_to_nowhere_are_refused_as_oozie_refuses_them(tmp_path: Path) -> None:
    found = codes(
        tmp_path,
        {
            "loop/workflow.xml": workflow("loop", making("a", "b"), making("b", "a")),
            "lost/workflow.xml": workflow("lost", making("a", "nowhere")),
        },
    )
    assert found == {"loop": {"workflow-refused"}, "lost": {"workflow-refused"}}


def test_values_in_a_circle_raise(tmp_path: Path) -> None:
    found = codes(
        tmp_path,
        {"v/workflow.xml": workflow("v", making("a", "e", "${x}")), "v/job.properties": "x=${y}\ny=${x}\n"},
    )
    assert found == {"v": {"el-recursion"}}


@pytest.mark.parametrize(
    "path", ["${wf:appPath()}", "${oozie.wf.application.path}", "${wf:conf('oozie.wf.application.path')}"]
)
@pytest.mark.parametrize("is_beside", [False, True])
def test_so_does_one_in_a_file_of_its_own_name_that_another_starts(tmp_path: Path, path: str, is_beside: bool) -> None:
    """Its path ends with the file; workflow.xml beside it is another one."""
    files = {
        "loop/tide.xml": workflow("tide", starting("${base}/ebb.xml")),
        "loop/ebb.xml": workflow("ebb", making("a", "b"), starting(path).replace('"a"', '"b"')),
    }
    if is_beside:
        files["loop/workflow.xml"] = workflow("moon", making("a", "e"))
    found = codes(tmp_path, files)
    assert found.pop("moon", set()) == set()
    assert found == {"tide": set(), "ebb": {"sub-workflow-recursion"}}
