"""What only the cluster knew of an action is empty where people read it, and raises where something depends on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.reading import read

_ID = "wf:actionExternalId('gauge')"
_WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="gauge"/>
<action name="gauge"><shell><exec>true</exec></shell><ok to="after"/><error to="no"/></action>{after}
<kill name="no"><message>no</message></kill><end name="end"/></workflow-app>"""
_MAIL = """<action name="after"><email xmlns="uri:oozie:email-action:0.2"><to>a@example.com</to><subject>{}</subject><body>b</body>{}</email>
<ok to="end"/><error to="no"/></action>"""
_SHELL = (
    '<action name="after"><shell><exec>ls</exec><argument>{}</argument></shell><ok to="end"/><error to="no"/></action>'
)


def convert(folder: Path, after: str) -> Dag:
    (folder / "workflow.xml").write_text(_WORKFLOW.replace("{after}", after))
    (dag,) = read(folder, {}).dags
    return dag


def told(dag: Dag, outcome: str) -> str:
    return ",".join(item.code for item in dag.accounts if item.outcome == outcome and item.name == "after")


@pytest.mark.parametrize(("text", "wanted"), [
    ("job ${" + _ID + "}.", "job ."),
    ("${wf:actionTrackerUri('gauge')}at", "at"),
    ("${firstNotNull(" + _ID + ", 'nothing')}", "nothing"),
])  # fmt: skip
def test_a_mail_goes_out_without_it(tmp_path: Path, text: str, wanted: str) -> None:
    dag = convert(tmp_path, _MAIL.format(text, ""))
    assert "external-id" in told(dag, "caveat").split(",")
    arguments: dict[str, Any] = dict(dag.task("after").arguments)
    assert jinja2.Environment().from_string(arguments["subject"]).render() == wanted


def test_what_stands_in_for_it_does_everywhere(tmp_path: Path) -> None:
    dag = convert(tmp_path, _SHELL.format("${firstNotNull(" + _ID + ", 'nothing')}"))
    assert dict(dag.task("after").arguments)["bash_command"] == "ls nothing"
    assert "external-id" in told(dag, "caveat").split(",")


@pytest.mark.parametrize("after", [
    _SHELL.format("/tmp/${" + _ID + "}"),
    _MAIL.format("s", "<attachment>/out/${" + _ID + "}</attachment>"),
    "<decision name='after'><switch><case to='no'>${" + _ID + " eq ''}</case><default to='end'/></switch></decision>",
])  # fmt: skip
def test_a_command_a_path_and_a_branch_raise(tmp_path: Path, after: str) -> None:
    assert told(convert(tmp_path, after), "raises") == "el-external"


def test_a_message_of_a_kill_does_not_have_it(tmp_path: Path) -> None:
    kill = (
        '<decision name="after"><switch><case to="stop">${tide eq "high"}</case><default to="end"/></switch></decision>'
    )
    dag = convert(tmp_path, kill + '<kill name="stop"><message>of ${' + _ID + "}</message></kill>")
    assert [item.code for item in dag.accounts if item.name == "stop"] == ["external-id"]
    arguments: Any = dict(dag.task("stop").arguments)["op_kwargs"]
    assert jinja2.Environment().from_string(arguments["message"]).render() == "of "
