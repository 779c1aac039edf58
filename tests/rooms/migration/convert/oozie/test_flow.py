"""The steering of a DAG does what the workflow does: the same actions, in order, with the same end, for every outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.rooms.migration.convert.oozie.graphs import Maker

from aerodrome.migration.convert.contract import Dag, Edge, Task
from aerodrome.migration.convert.oozie.model import Workflow, read_workflow
from aerodrome.migration.convert.oozie.proof import prove_flow
from aerodrome.migration.convert.oozie.reading import read
from aerodrome.migration.convert.xmlreading import read as read_xml


def converted(text: str, folder: Path) -> tuple[Workflow, Dag]:
    (folder / "workflow.xml").write_text(text)
    return read_workflow(read_xml(text.encode(), "workflow.xml"), "workflow.xml"), read(folder, {}).dags[0]


@pytest.mark.parametrize("seed", range(60))
def test_random_workflows_behave_as_in_oozie(seed: int, tmp_path: Path) -> None:
    workflow, dag = converted(Maker(seed).workflow(seed % 5 + 2), tmp_path)
    assert workflow.defects == ()
    assert prove_flow(workflow, dag) == ()


HANDLED = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="handled"><start to="a"/>
<action name="a"><shell><exec>a</exec></shell><ok to="b"/><error to="mail"/></action>
<action name="b"><shell><exec>b</exec></shell><ok to="end"/><error to="mail"/></action>
<action name="mail"><shell><exec>m</exec></shell><ok to="kill"/><error to="kill"/></action>
<kill name="kill"><message>no</message></kill><end name="end"/></workflow-app>"""


def drop_kill(dag: Dag) -> Dag:
    edges = tuple(edge for edge in dag.edges if "kill" not in (edge.before, edge.after))
    return replace(dag, tasks=tuple(task for task in dag.tasks if task.task_id != "kill"), edges=edges)


def with_rule(name: str, rule: str) -> Callable[[Dag], Dag]:
    def change(task: Task) -> Task:
        return replace(task, trigger_rule=rule) if task.task_id == name else task  # type: ignore[arg-type]

    return lambda dag: replace(dag, tasks=tuple(map(change, dag.tasks)))


@pytest.mark.parametrize(
    "spoil",
    [
        drop_kill,
        with_rule("mail", "all_success"),
        with_rule("mail", "all_done"),
        with_rule("after_a", "all_success"),
        lambda dag: replace(dag, edges=tuple(edge for edge in dag.edges if edge != Edge("after_a", "b"))),
    ],
)
def test_the_proof_finds_a_wrong_dag(spoil: Callable[[Dag], Dag], tmp_path: Path) -> None:
    workflow, dag = converted(HANDLED, tmp_path)
    assert prove_flow(workflow, dag) == ()
    assert prove_flow(workflow, spoil(dag)) != ()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('<ok to="end"/>', '<ok to="a"/>', "leads back"),
        ('<start to="a"/>', "", "no start"),
        ('<ok to="b"/>', '<ok to="nowhere"/>', "does not exist"),
    ],
)
def test_what_oozie_refuses_becomes_a_task_that_raises(old: str, new: str, why: str, tmp_path: Path) -> None:
    workflow, dag = converted(HANDLED.replace(old, new), tmp_path)
    assert workflow.defects
    assert [task.role for task in dag.tasks] == ["raises"]
    assert why in dag.accounts[0].reason


@pytest.mark.parametrize(
    ("old", "new"),
    [('<ok to="end"/>', '<ok to=""/>'), ('<path start="b"/>', "<path/>"), ('<fork name="f">', "<fork>")],
)
def test_a_way_without_an_aim_is_refused(old: str, new: str, tmp_path: Path) -> None:
    text = HANDLED.replace('<start to="a"/>', '<start to="f"/><fork name="f"><path start="a"/><path start="b"/></fork>')
    _, dag = converted(text.replace(old, new), tmp_path)
    assert [task.role for task in dag.tasks] == ["raises"]
