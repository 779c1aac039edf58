"""Values that wf:conf looks up: those that every job has, those that must be there, and those that may be absent."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aerodrome.migration.convert.contract import Code, Dag
from aerodrome.migration.convert.oozie.reading import read

_WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="go"/><action name="go"><shell xmlns="uri:oozie:shell-action:0.3">
  <exec>run.sh</exec>{arguments}</shell><ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""


def convert(folder: Path, arguments: list[str], properties: str | None = None) -> tuple[dict[str, object], str]:
    """Give the params and what is asked for."""
    text = "".join(f"<argument>{item}</argument>" for item in arguments)
    (folder / "workflow.xml").write_text(_WORKFLOW.replace("{arguments}", text))
    if properties is not None:
        (folder / "job.properties").write_text(properties)
    conversion = read(folder, {})
    asked = " ".join(item.text for item in conversion.questions if item.code == "unknown-values")
    return {item.name: item.default for item in conversion.dags[0].parameters}, asked


@pytest.mark.parametrize("name", ["user.name", "group.name", "mapreduce.job.user.name", "oozie.wf.application.path"])
def test_what_every_job_has_is_asked_for(tmp_path: Path, name: str) -> None:
    params, asked = convert(tmp_path, [f"${{wf:conf('{name}')}}", "${wf:user()}"], "queue=q\n")
    assert params[name] is None
    assert params["user.name"] is None
    assert name in asked


@pytest.mark.parametrize("arguments", [["${wf:conf('keytab')}", "${keytab}"], ["${keytab}", "${wf:conf('keytab')}"]])
def test_a_name_that_is_needed_elsewhere_is_asked_for(tmp_path: Path, arguments: list[str]) -> None:
    params, asked = convert(tmp_path, arguments, "queue=q\n")
    assert params == {"keytab": None}
    assert "keytab" in asked


def test_what_the_properties_leave_out_is_empty_as_in_oozie(tmp_path: Path) -> None:
    assert convert(tmp_path, ["${wf:conf('label')}"], "queue=q\n") == ({"label": ""}, "")


def test_without_any_properties_it_is_asked_for(tmp_path: Path) -> None:
    params, asked = convert(tmp_path, ["${wf:conf('label')}"])
    assert params == {"label": ""}
    assert "label" in asked


_PARENT = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="parent"><start to="s"/><action name="s"><sub-workflow><app-path>/apps/{child}</app-path>
  {propagate}<configuration><property><name>own</name><value>mine</value></property></configuration></sub-workflow><ok to="end"/><error to="k"/></action>
  <kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""


@pytest.mark.parametrize("propagate", ["<propagate-configuration/>", ""])
def test_a_child_finds_what_its_parent_knows(tmp_path: Path, propagate: str) -> None:
    """With propagate-configuration the child has everything that its parent has (Oozie 4.x/5.x: SubWorkflowActionExecutor), down to its own children."""
    child = _WORKFLOW.replace(
        "{arguments}", "".join(f"<argument>${{wf:conf('{name}')}}</argument>" for name in ("label", "own", "absent"))
    )
    for folder, text in {
        "child": _PARENT.replace("{child}", "inner").replace("{propagate}", "<propagate-configuration/>"),
        "inner": child,
    }.items():
        (tmp_path / "apps" / folder).mkdir(parents=True)
        (tmp_path / "apps" / folder / "workflow.xml").write_text(text.replace('name="parent"', 'name="middle"'))
    (tmp_path / "workflow.xml").write_text(_PARENT.replace("{child}", "child").replace("{propagate}", propagate))
    (tmp_path / "job.properties").write_text("label=tide\n")
    (parent,) = (dag for dag in read(tmp_path, {"sub_workflows": "trigger"}).dags if dag.dag_id == "parent")
    conf = dict(parent.task("s").arguments)["conf"]
    assert isinstance(conf, dict)
    assert conf.get("label") == ("{{ params.label }}" if propagate else None)
    assert conf["own"] == "mine"
    assert "absent" not in conf
    assert {item.name: item.default for item in parent.parameters} == ({"label": "tide"} if propagate else {})


_STEPS = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="s"/>
  <action name="s"><sub-workflow><app-path>/apps/{child}</app-path><propagate-configuration/></sub-workflow><ok to="go"/><error to="k"/></action>
  <action name="go"><fs><name-node>${rm}</name-node><delete path="${later}"/></fs><ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""


def handed(folder: Path, name: str) -> dict[str, object]:
    dag = next(dag for dag in read(folder, {}).dags if any(task.full_id == name for task in dag.tasks))
    conf = dict(dag.task(name).arguments)["conf"]
    assert isinstance(conf, dict)
    return conf


def test_what_is_used_behind_an_action_goes_on_with_the_rest(tmp_path: Path) -> None:
    (tmp_path / "workflow.xml").write_text(_STEPS.replace("{child}", "unknown"))
    (tmp_path / "config-default.xml").write_text(
        "<configuration><property><name>spare</name><value>1</value></property></configuration>"
    )
    conf = handed(tmp_path, "s")
    assert conf["later"] == "{{ params.later }}"
    assert conf["spare"] == "{{ params.spare }}"
    (dag,) = read(tmp_path, {}).dags
    assert "later" in " ".join(item.text for item in read(tmp_path, {}).questions)
    (account,) = (item for item in dag.accounts if "sub-workflow-propagation" in item.code)
    assert "what the run was given" in account.reason


def after(dag: Dag, name: str, given: dict[str, str], conf: dict[str, str]) -> dict[str, str]:
    """Give the conf with which a task triggers a run, in a run that was given values; `conf`: what the task itself says."""
    arguments = dict(dag.task(name).arguments)
    if (hook := arguments.get("pre_execute")) is None:
        return conf
    assert isinstance(hook, Code)
    space: dict[str, Any] = {}
    exec("\n".join(function.source for function in dag.functions), space)
    task = SimpleNamespace(conf=conf)
    space[hook.text]({"ti": SimpleNamespace(task=task), "dag_run": SimpleNamespace(conf=given)})
    found: dict[str, str] = task.conf
    return found


@pytest.mark.parametrize("child", ["unknown", "inner"])
def test_what_only_the_run_was_given_goes_on(tmp_path: Path, child: str) -> None:
    """No task of this DAG uses it, and it has no param: in Oozie all of the configuration goes on (SubWorkflowActionExecutor)."""
    (tmp_path / "apps" / "inner").mkdir(parents=True)
    (tmp_path / "workflow.xml").write_text(_STEPS.replace("{child}", child))
    inner = _WORKFLOW.replace("{arguments}", "").replace('name="w"', 'name="inner"')
    (tmp_path / "apps" / "inner" / "workflow.xml").write_text(inner)
    dag = next(
        dag for dag in read(tmp_path, {"sub_workflows": "trigger"}).dags if any(t.full_id == "s" for t in dag.tasks)
    )
    given = {"depth": "3", "later": "/given", "dag_id.s": "other", "oozie.wf.application.path": "/apps/w"}
    own = {"later": "/own", "oozie.wf.application.path": "/apps/inner"}
    assert after(dag, "s", given, own) == {**own, "depth": "3"}
    assert after(dag, "s", {}, own) == own


def test_what_the_run_was_given_stays_where_nothing_is_propagated(tmp_path: Path) -> None:
    """A group that gets no configuration has none of the run to hand on either."""
    (tmp_path / "apps" / "inner").mkdir(parents=True)
    plain = _STEPS.replace("<propagate-configuration/>", "").replace("{child}", "inner")
    (tmp_path / "workflow.xml").write_text(plain)
    inner = _STEPS.replace("{child}", "unknown").replace("${later}", "/x").replace("${rm}", "hdfs://n")
    inner = inner.replace('name="w"', 'name="inner"').replace('name="s"', 'name="deep"').replace('to="s"', 'to="deep"')
    (tmp_path / "apps" / "inner" / "workflow.xml").write_text(inner)
    dag = next(dag for dag in read(tmp_path, {}).dags if any(task.full_id == "s.deep" for task in dag.tasks))
    assert after(dag, "s.deep", {"depth": "3"}, {"a": "b"}) == {"a": "b"}
    triggers = next(
        dag for dag in read(tmp_path, {"sub_workflows": "trigger"}).dags if any(t.full_id == "s" for t in dag.tasks)
    )
    assert after(triggers, "s", {"depth": "3"}, {"a": "b"}) == {"a": "b"}


def test_a_group_hands_on_what_its_parent_uses(tmp_path: Path) -> None:
    (tmp_path / "apps" / "inner").mkdir(parents=True)
    (tmp_path / "workflow.xml").write_text(_STEPS.replace("{child}", "inner"))
    inner = _STEPS.replace("{child}", "unknown").replace("${later}", "/x").replace('name="w"', 'name="inner"')
    (tmp_path / "apps" / "inner" / "workflow.xml").write_text(
        inner.replace('name="s"', 'name="deep"').replace('to="s"', 'to="deep"')
    )
    assert handed(tmp_path, "s.deep")["later"] == "{{ params.later }}"


def test_a_child_with_a_default_gets_what_its_parent_uses_later(tmp_path: Path) -> None:
    (tmp_path / "apps" / "inner").mkdir(parents=True)
    (tmp_path / "workflow.xml").write_text(_STEPS.replace("{child}", "inner"))
    child = _WORKFLOW.replace("{arguments}", "<argument>${later}</argument>").replace('name="w"', 'name="inner"')
    default = "<parameters><property><name>later</name><value>mine</value></property></parameters><start "
    (tmp_path / "apps" / "inner" / "workflow.xml").write_text(child.replace("<start ", default, 1))
    assert handed(tmp_path, "s")["later"] == "{{ params.later }}"


def test_a_default_of_one_child_is_not_given_to_another(tmp_path: Path) -> None:
    """The one stands in the DAG, so its default is a param there; Oozie's parent knows nothing of it."""
    sub = '<action name="{0}"><sub-workflow><app-path>/apps/{0}</app-path><propagate-configuration/></sub-workflow><ok to="{1}"/><error to="k"/></action>'
    for folder in ("one", "two"):
        (tmp_path / "apps" / folder).mkdir(parents=True)
        child = _WORKFLOW.replace("{arguments}", "<argument>${queue}</argument>").replace(
            'name="w"', f'name="{folder}"'
        )
        default = f"<parameters><property><name>queue</name><value>{folder}</value></property></parameters><start "
        (tmp_path / "apps" / folder / "workflow.xml").write_text(child.replace("<start ", default, 1))
    steps = sub.format("one", "two") + sub.format("two", "end")
    (tmp_path / "workflow.xml").write_text(
        f"""<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="one"/>{steps}<kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
    )
    (dag,) = (dag for dag in read(tmp_path, {}).dags if dag.dag_id == "w")
    assert {item.name: item.default for item in dag.parameters} == {"queue": "one"}
    assert "queue" not in handed(tmp_path, "two")
