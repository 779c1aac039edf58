"""A sub-workflow that is used once stands as a task group in its parent's DAG: the same actions, values and end as in Oozie."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.rooms.migration.convert.oozie.graphs import Maker

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Conversion, Dag
from aerodrome.migration.convert.oozie.model import read_workflow
from aerodrome.migration.convert.oozie.proof import prove_flow
from aerodrome.migration.convert.oozie.reading import read
from aerodrome.migration.convert.xmlreading import read as read_xml

SHELL = "<shell><exec>true</exec></shell>"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (path := folder / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def nested(seed: int) -> dict[str, str]:
    """Write a random workflow some of whose actions are random workflows, one of them with a workflow inside again."""
    chance = random.Random(seed)
    parent, child, grandchild = (Maker(seed * 10 + number).workflow(size) for number, size in ((0, 3), (1, 2), (2, 1)))

    def put(text: str, path: str) -> str:
        place = chance.choice([match.start() for match in re.finditer(SHELL, text)] or [-1])
        inside = f"<sub-workflow><app-path>{path}</app-path><propagate-configuration/></sub-workflow>"
        return text if place < 0 else text[:place] + inside + text[place + len(SHELL) :]

    return {
        "workflow.xml": put(put(parent, "one"), "two"),
        "one/workflow.xml": put(child, "three"),
        "two/workflow.xml": Maker(seed * 10 + 3).workflow(2),
        "three/workflow.xml": grandchild,
    }


@pytest.mark.parametrize("seed", range(40))
def test_random_workflows_in_workflows_behave_as_in_oozie(seed: int, tmp_path: Path) -> None:
    files = nested(seed)
    flows = {name: read_workflow(read_xml(text.encode(), name), name) for name, text in files.items()}
    dag = next(dag for dag in read(write(tmp_path, files), {}).dags if dag.origin.file == "workflow.xml")
    assert dag.groups or "<sub-workflow>" not in files["workflow.xml"]
    assert prove_flow(flows["workflow.xml"], dag, flows=flows) == ()


PARENT = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="parent"><start to="first"/>
<action name="first"><shell><exec>${queue}</exec><capture-output/></shell><ok to="sub"/><error to="no"/></action>
<action name="sub" %s><sub-workflow><app-path>${wf:appPath()}/child</app-path>%s<configuration>
<property><name>rows</name><value>${wf:actionData('first')['rows']}</value></property><property><name>queue</name><value>x-${queue}</value></property>
<property><name>title</name><value>fixed</value></property><property><name>of</name><value>${wf:name()}</value></property></configuration></sub-workflow>
<ok to="last"/><error to="no"/></action>
<action name="last"><shell><exec>${queue}</exec></shell><ok to="end"/><error to="no"/></action>
<kill name="no"><message>no</message></kill><end name="end"/></workflow-app>"""
CHILD = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="child"><parameters><property><name>depth</name><value>3</value></property></parameters><start to="go"/>
<action name="go"><shell><exec>run</exec><argument>${rows}</argument><argument>${queue}</argument><argument>${title}</argument><argument>${depth}</argument>
<argument>${of} ${wf:name()}</argument>%s</shell><ok to="end"/><error to="no"/></action><kill name="no"><message>no</message></kill><end name="end"/></workflow-app>"""


def made(
    folder: Path, more: str = "", *, attributes: str = "", propagation: str = "<propagate-configuration/>", **files: str
) -> Conversion:
    texts = {"workflow.xml": PARENT % (attributes, propagation), "child/workflow.xml": CHILD % more}
    texts["job.properties"] = "queue=prod\nregion=eu\n"
    return read(write(folder, texts | {name.replace("__", "/"): text for name, text in files.items()}), {})


def command(dag: Dag, task: str) -> Any:
    return dict(dag.task(task).arguments)["bash_command"]


@pytest.mark.parametrize("propagation", ["<propagate-configuration/>", ""], ids=["propagating", "not"])
def test_a_child_has_the_values_that_its_parent_gives(tmp_path: Path, propagation: str) -> None:
    (dag,) = made(tmp_path, propagation=propagation).dags
    assert [(group.group_id, group.origin and group.origin.file) for group in dag.groups] == [
        ("sub", "child/workflow.xml")
    ]
    text = command(dag, "sub.go")
    assert '{{ (ti.xcom_pull(task_ids="first") or {}).get("rows", "") | quote }}' in text
    assert '{{ ("x-" ~ params.queue) | quote }}' in text
    assert " fixed " in text
    assert ("{{ params.depth | quote }}" in text) is bool(propagation)  # a job that propagates can set it
    assert (" 3 " in text) is not bool(propagation)
    assert "'parent child'" in text
    assert {item.name: item.default for item in dag.parameters}["queue"] == "prod"


@pytest.mark.parametrize(
    "given",
    [
        {"attributes": 'retry-max="2"'},  # the whole group would have to run again
        {"attributes": 'cred="hive"'},
        {"more": "<argument>${wf:id()}</argument>"},  # its job has an id of its own
        {"child__job.properties": "rows=1\n"},  # people submit it by itself
        {"other__workflow.xml": PARENT.replace("${wf:appPath()}/child", "/apps/child") % ("", "")},  # used twice
        {"propagation": "", "more": "<argument>${nobody}</argument>"},  # it never gets a value
    ],
    ids=["retries", "credentials", "id", "properties", "twice", "unknown"],
)
def test_a_child_that_is_more_than_a_part_of_its_parent_is_triggered(tmp_path: Path, given: dict[str, Any]) -> None:
    dags = {dag.dag_id: dag for dag in made(tmp_path, **given).dags}
    assert not dags["parent"].groups
    assert dags["parent"].task("sub").operator is symbols.TRIGGER_DAG
    assert dict(dags["parent"].task("sub").arguments)["trigger_dag_id"] == "child"
    assert "child" in dags


def test_a_profile_may_have_every_child_triggered(tmp_path: Path) -> None:
    made(tmp_path)
    assert {dag.dag_id for dag in read(tmp_path, {"sub_workflows": "trigger"}).dags} == {"parent", "child"}


def test_a_default_of_the_child_is_not_the_value_of_its_parent(tmp_path: Path) -> None:
    parent = (PARENT % ("", "<propagate-configuration/>")).replace(
        "<exec>${queue}</exec></shell>", "<exec>${depth}</exec></shell>"
    )
    conversion = read(write(tmp_path, {"workflow.xml": parent, "child/workflow.xml": CHILD % ""}), {})
    assert {dag.dag_id for dag in conversion.dags} == {"parent", "child"}
    defaults = {item.name: item.default for item in next(d for d in conversion.dags if d.dag_id == "parent").parameters}
    assert defaults["depth"] is None


def test_decisions_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    decision = (
        '<decision name="choose"><switch><case to="%s">${%s eq "1"}</case><default to="end"/></switch></decision>'
    )
    parent = (PARENT % ("", "<propagate-configuration/>")).replace('start to="first"', 'start to="choose"')
    parent = parent.replace("<kill", decision % ("first", "queue") + "<kill")
    child = (
        (CHILD % "")
        .replace('start to="go"', 'start to="choose"')
        .replace("<kill", decision % ("go", "title") + "<kill")
    )
    files = {"workflow.xml": parent, "child/workflow.xml": child, "job.properties": "queue=prod\n"}
    (dag,) = read(write(tmp_path, files), {}).dags
    functions = {item.name: item.source for item in dag.functions if item.name.startswith("decide_")}
    assert '["first"]' in functions["decide_choose"]
    assert '["sub.go"]' in functions["decide_sub_choose"]
    flows = {name: read_workflow(read_xml(text.encode(), name), name) for name, text in files.items() if "xml" in name}
    assert prove_flow(flows["workflow.xml"], dag, flows=flows) == ()


GLOBAL = "<global><configuration><property><name>one</name><value>${queue}</value></property><property><name>two</name><value>2</value></property></configuration></global>"


@pytest.mark.parametrize("propagation", ["<propagate-configuration/>", ""], ids=["propagating", "not"])
def test_global_is_handed_down_with_the_configuration(tmp_path: Path, propagation: str) -> None:
    parent = (PARENT % ("", propagation)).replace('<start to="first"/>', f'{GLOBAL}<start to="first"/>')
    child = (CHILD % "").replace("shell>", "sqoop>").replace("<exec>run</exec>", "").replace("argument", "arg")
    child = child.replace('<start to="go"/>', f'{GLOBAL.replace("one", "three").replace("2", "4")}<start to="go"/>')
    files = {"workflow.xml": parent, "child/workflow.xml": child, "job.properties": "queue=prod\n"}
    (dag,) = read(write(tmp_path, files), {}).dags
    text = command(dag, "sub.go")
    assert ('-Done={{ ("x-" ~ params.queue) | quote }}' in text) is bool(propagation)  # as the child knows the queue
    assert "-Dtwo=4" in text
    assert "-Dthree=" in text
    triggered = read(tmp_path, {"sub_workflows": "trigger"}).dags
    codes = {item.code for dag in triggered for item in dag.accounts if item.name == "sub"}
    assert any("sub-workflow-global" in code for code in codes) is bool(propagation)


def test_a_group_in_a_group_has_no_name_of_an_outer_node(tmp_path: Path) -> None:
    child = (CHILD % "").replace(SHELL, "").replace('name="go"', 'name="sub"').replace('to="go"', 'to="sub"')
    child = re.sub(
        "<shell>.*</shell>", "<sub-workflow><app-path>/apps/deep</app-path></sub-workflow>", child, flags=re.DOTALL
    )
    deep = (CHILD % "").replace("${rows}", "1").replace("${queue}", "2").replace("${title}", "3").replace("${of}", "4")
    files = {"workflow.xml": PARENT % ("", ""), "child/workflow.xml": child, "deep/workflow.xml": deep}
    dags = {dag.origin.file: dag for dag in read(write(tmp_path, files), {}).dags}
    assert [group.group_id for group in dags["workflow.xml"].groups] == ["sub"]
    assert dags["workflow.xml"].task("sub.sub").operator is symbols.TRIGGER_DAG
    assert "deep/workflow.xml" in dags
