"""What Oozie knows of an action that failed: its name; code and message stand for that there was an error."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.reading import read

_WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="a"/>
<action name="a"><shell xmlns="uri:oozie:shell-action:0.3"><exec>one</exec></shell><ok to="b"/><error to="tell"/></action>
<action name="b"><shell xmlns="uri:oozie:shell-action:0.3"><exec>two</exec></shell><ok to="tell"/><error to="tell"/></action>
<action name="tell"><shell xmlns="uri:oozie:shell-action:0.3"><exec>echo</exec><argument>{argument}</argument></shell><ok to="d"/><error to="k"/></action>
<decision name="d"><switch><case to="k">{case}</case><default to="end"/></switch></decision>
<kill name="k"><message>no: ${{wf:errorCode(wf:lastErrorNode())}}</message></kill><end name="end"/></workflow-app>"""


def convert(folder: Path, argument: str = "x", case: str = "${true}") -> Dag:
    (folder / "workflow.xml").write_text(_WORKFLOW.format(argument=argument, case=case))
    (dag,) = read(folder, {}).dags
    return dag


def said(dag: Dag, failed: str) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["quote"] = shlex.quote
    ti = SimpleNamespace(xcom_pull=lambda task_ids, key: [failed if failed in name else None for name in task_ids])
    text = environment.from_string(str(dict(dag.task("tell").arguments)["bash_command"])).render(ti=ti)
    return shlex.split(text)[1]


@pytest.mark.parametrize(
    ("argument", "after_a", "after_none"),
    [
        ("${wf:errorCode('a')}", "FAILED", ""),
        ("${wf:errorCode('b')}", "", ""),
        ("${wf:errorCode(wf:lastErrorNode())}", "FAILED", ""),
        ("${wf:errorMessage('a')}", "task a failed, see its log", ""),
        ("${wf:errorMessage(wf:lastErrorNode())}", "task a failed, see its log", ""),
        ("${firstNotNull(wf:errorCode('a'), 'fine')}", "FAILED", "fine"),
        ("${wf:errorCode('a') == null ? 'well' : 'ill'}", "ill", "well"),
        ("${empty wf:errorMessage('a') ? 'well' : 'ill'}", "ill", "well"),
    ],
)
def test_only_an_action_with_an_error_has_a_code_and_a_message(
    tmp_path: Path, argument: str, after_a: str, after_none: str
) -> None:
    dag = convert(tmp_path, argument)
    assert dag.task("tell").role == "real"
    assert said(dag, "a") == after_a
    assert said(dag, "no task") == after_none


@pytest.mark.parametrize(
    "text", ["${wf:errorCode('a') eq 'E1'}", "${wf:errorMessage('a') != 'x'}", "${'E1' == wf:errorCode('a')}"]
)
def test_a_code_is_compared_with_nothing_but_null(tmp_path: Path, text: str) -> None:
    dag = convert(tmp_path, text, text)
    assert dag.task("d").role == dag.task("tell").role == "raises"
    assert sum("el-error" in item.code for item in dag.accounts) == 2


def test_a_decision_asks_whether_there_was_an_error(tmp_path: Path) -> None:
    dag = convert(tmp_path, "x", "${wf:errorCode('a') != null}")
    space: dict[str, object] = {}
    exec(next(item.source for item in dag.functions if item.name == "decide_d"), space)
    for failed, expected in (("a", True), ("no task", False)):
        ti = SimpleNamespace(
            xcom_pull=lambda task_ids, key, failed=failed: [failed if failed in name else None for name in task_ids]
        )
        assert ("k" in space["decide_d"]({}, ti, None, "r")) is expected  # type: ignore[operator]


@pytest.mark.parametrize(
    "body",
    [
        '<shell xmlns="uri:oozie:shell-action:0.3"><exec>oozie</exec><argument>job</argument><argument>-run</argument></shell>',
        '<shell xmlns="uri:oozie:shell-action:0.3"><exec>bash</exec><argument>-c</argument><argument>cd x; oozie job -config a -run</argument></shell>',
        '<ssh xmlns="uri:oozie:ssh-action:0.2"><host>u@h</host><command>/usr/bin/oozie</command><args>job -config a -run</args></ssh>',
        "<java><main-class>org.apache.oozie.cli.OozieCLI</main-class><arg>job</arg><arg>-run</arg></java>",
    ],
)
def test_a_workflow_that_submits_a_job_of_oozie_raises(tmp_path: Path, body: str) -> None:
    """The one that it starts, it may be itself, is a DAG here: nobody runs it in Oozie again."""
    text = _WORKFLOW.format(argument="x", case="${true}").replace(
        '<shell xmlns="uri:oozie:shell-action:0.3"><exec>two</exec></shell>', body
    )
    (tmp_path / "workflow.xml").write_text(text)
    (dag,) = read(tmp_path, {}).dags
    assert dag.task("b").role == "raises"
    assert "oozie-client" in {item.code for item in dag.accounts}


@pytest.mark.parametrize(
    "words",
    [
        "<exec>oozie_load.sh</exec>",
        "<exec>echo</exec><argument>the oozie jobs_table</argument>",
        "<exec>ls</exec><argument>/user/oozie</argument>",
    ],
)
def test_what_is_only_called_oozie_runs(tmp_path: Path, words: str) -> None:
    text = _WORKFLOW.format(argument="x", case="${true}").replace("<exec>two</exec>", words)
    (tmp_path / "workflow.xml").write_text(text)
    (dag,) = read(tmp_path, {}).dags
    assert dag.task("b").role == "real"


def test_a_command_by_ssh_may_name_a_folder_of_oozie(tmp_path: Path) -> None:
    ssh = '<ssh xmlns="uri:oozie:ssh-action:0.2"><host>u@h</host><command>ls</command><args>/user/oozie</args></ssh>'
    two = '<shell xmlns="uri:oozie:shell-action:0.3"><exec>two</exec></shell>'
    (tmp_path / "workflow.xml").write_text(_WORKFLOW.format(argument="x", case="${true}").replace(two, ssh))
    (dag,) = read(tmp_path, {}).dags
    assert dag.task("b").role == "real"


@pytest.mark.parametrize(
    ("start", "told"),
    [("d", ["", ""]), ("a", ["task a failed, see its log", ""]), ("c", ["task c failed, see its log"])],
)
def test_a_message_of_a_run_without_an_error_has_none(tmp_path: Path, start: str, told: list[str]) -> None:
    """A decision may lead to the kill node: Oozie knows no error then (4.x/5.x, DagELFunctions.wf_errorMessage)."""
    (tmp_path / "workflow.xml").write_text(
        f"""<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="{start}"/>
<action name="c"><fs><delete path="/x"/></fs><ok to="end"/><error to="tell"/></action>
<action name="tell"><email xmlns="uri:oozie:email-action:0.1"><to>a@example.com</to><subject>no</subject><body>x</body></email><ok to="k"/><error to="k"/></action>
<action name="a"><fs><delete path="/x"/></fs><ok to="d"/><error to="d"/></action>
<decision name="d"><switch><case to="k">${{wf:id() eq 'x'}}</case><default to="end"/></switch></decision>
<kill name="k"><message>error[${{wf:errorMessage(wf:lastErrorNode())}}]</message></kill><end name="end"/></workflow-app>"""
    )
    (dag,) = read(tmp_path, {}).dags
    arguments = dict(dag.task("k").arguments)["op_kwargs"]
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(str(arguments["message"]))  # type: ignore[index,call-overload]
    for failed, text in zip((start, "no task"), told, strict=False):
        ti = SimpleNamespace(
            xcom_pull=lambda task_ids, key, failed=failed: [failed if failed in name else None for name in task_ids]
        )
        assert template.render(ti=ti) == f"error[{text}]"
