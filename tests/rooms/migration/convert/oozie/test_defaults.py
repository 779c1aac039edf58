"""Defaults that name other values: Oozie puts them together when a job is submitted, with what that run is given."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.emission import compose
from aerodrome.migration.convert.oozie.reading import read

_WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="tide">{parameters}<start to="go"/>
  <action name="go"><shell xmlns="uri:oozie:shell-action:0.3"><exec>run.sh</exec>{arguments}</shell><ok to="end"/><error to="k"/></action>
  <kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
_COORDINATOR = """<coordinator-app xmlns="uri:oozie:coordinator:0.4" name="daily" frequency="${coord:days(1)}" start="2026-01-01T00:00Z"
  end="2026-02-01T00:00Z" timezone="UTC">{parameters}<action><workflow><app-path>/apps/tide</app-path>
  <configuration>{given}</configuration></workflow></action></coordinator-app>"""
_PARENT = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="{name}"><start to="s"/><action name="s"><sub-workflow><app-path>/apps/tide</app-path>
  {propagate}<configuration>{given}</configuration></sub-workflow><ok to="end"/><error to="k"/></action>
  <kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
_BUNDLE = """<bundle-app xmlns="uri:oozie:bundle:0.2" name="all">{parameters}<coordinator name="daily"><app-path>/apps/tide/coordinator.xml</app-path>
  <configuration>{given}</configuration></coordinator></bundle-app>"""


def properties(values: dict[str, str]) -> str:
    return "".join(f"<property><name>{name}</name><value>{value}</value></property>" for name, value in values.items())


def parameters(**values: str) -> str:
    return f"<parameters>{properties(values)}</parameters>" if values else ""


def workflow(*used: str, **defaults: str) -> str:
    arguments = "".join(f"<argument>{text}</argument>" for text in used)
    return _WORKFLOW.replace("{parameters}", parameters(**defaults)).replace("{arguments}", arguments)


def write(folder: Path, **files: str) -> None:
    place = folder / "apps" / "tide"
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / name.replace("__", ".").replace("_", "-")).write_text(text)


def one(folder: Path, dag_id: str = "", profile: dict[str, object] | None = None) -> tuple[Dag, str]:
    """Give a DAG and what the report asks for."""
    conversion = read(folder, profile or {})
    for path, text in compose(conversion, "3.3").items():
        if path.endswith(".py"):
            compile(text, path, "exec")
    dag = next(item for item in conversion.dags if dag_id in ("", item.dag_id))
    return dag, " ".join(item.text for item in conversion.questions)


def words(dag: Dag, task: str = "go", **given: str) -> list[str]:
    """Render the arguments of the command for a run that is given values."""
    known = {item.name: item.default for item in dag.parameters}
    assert not [item.name for item in dag.parameters if not item.has_default and item.name not in given]
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    environment.filters["quote"] = str
    command = str(dict(dag.task(task).arguments)["bash_command"])
    return environment.from_string(command).render(params={**known, **given}, run_id="r").split()[1:]


def test_a_default_is_put_together_with_the_values_of_the_run(tmp_path: Path) -> None:
    write(tmp_path, workflow__xml=workflow("${subject}", who="UNSET", subject="Failed:${who}"))
    dag, asked = one(tmp_path)
    assert words(dag) == ["Failed:UNSET"]
    assert words(dag, who="tide") == ["Failed:tide"]
    assert words(dag, who="tide", subject="other") == ["other"]
    assert words(dag, subject="") == []
    assert asked == ""


def test_a_default_that_names_what_nobody_knows_can_be_given_itself(tmp_path: Path) -> None:
    write(tmp_path, workflow__xml=workflow("${out}", out="${base}/out"))
    dag, asked = one(tmp_path)
    assert words(dag, base="/b") == ["/b/out"]
    assert words(dag, base="/b", out="/elsewhere") == ["/elsewhere"]
    assert "base" in asked
    assert "out" not in asked.replace("base", "")
    assert "${base}/out" in next(item.description for item in dag.parameters if item.name == "out")


def test_a_decision_reads_it_alike(tmp_path: Path) -> None:
    text = workflow("x", out="${base}/out").replace(
        '<start to="go"/>',
        """<start to="d"/><decision name="d"><switch>
      <case to="go">${out eq '/b/out'}</case><default to="end"/></switch></decision>""",
    )
    write(tmp_path, workflow__xml=text)
    dag, _ = one(tmp_path)
    (decide,) = (item for item in dag.functions if item.name.startswith("decide"))
    names: dict[str, object] = {}
    exec(decide.source_in("3.3"), names)
    ask = names[decide.name]
    assert callable(ask)
    common = {"ti": None, "dag_run": None, "run_id": "r"}
    assert ask({"base": "/b", "out": None}, **common) == ["go"]
    assert ask({"base": "/b", "out": "/c"}, **common) == []


@pytest.mark.parametrize("count", [1, 2])
def test_a_child_gets_what_its_parents_give_it(tmp_path: Path, count: int) -> None:
    """Used once it stands in its parent's DAG, else it has its own: what it is given is the same."""
    write(tmp_path, workflow__xml=workflow("${out}", "${more}", base="/none", out="${base}/out", more="${base}/more"))
    for number in range(count):
        text = _PARENT.replace("{name}", f"p{number}").replace("{propagate}", "")
        text = text.replace("{given}", properties({"base": "/b", "out": f"/given/{number}"}))
        (tmp_path / f"p{number}").mkdir()
        (tmp_path / f"p{number}" / "workflow.xml").write_text(text)
    if count == 1:
        dag, _ = one(tmp_path, "p0")
        assert words(dag, "s.go") == ["/given/0", "/b/more"]
        return
    parent, _ = one(tmp_path, "p1")
    child, _ = one(tmp_path, "tide")
    conf = dict(parent.task("s").arguments)["conf"]
    assert isinstance(conf, dict)
    assert words(child, **{key: str(value) for key, value in conf.items()}) == ["/given/1", "/b/more"]


def test_defaults_see_what_the_coordinator_gives_and_its_own_do_not(tmp_path: Path) -> None:
    write(
        tmp_path,
        workflow__xml=workflow("${a}", "${b}", "${c}", a="${who}-a", who="UNSET"),
        config_default__xml=f"<configuration>{properties({'b': '${who}-b'})}</configuration>",
        coordinator__xml=_COORDINATOR.replace("{parameters}", parameters(c="${who}-c", root="/r")).replace(
            "{given}", properties({"who": "given"})
        ),
        coordinator__properties="who=job\n",
    )
    dag, asked = one(tmp_path)
    assert words(dag) == ["given-a", "given-b", "job-c"]
    assert asked == ""


def test_a_profile_stands_before_all_values_of_a_file(tmp_path: Path) -> None:
    write(tmp_path, workflow__xml=workflow("${base}"), job__properties="node=hdfs://old\nbase=${node}/data\n")
    assert words(one(tmp_path)[0]) == ["hdfs://old/data"]
    assert words(one(tmp_path, profile={"properties": {"node": "hdfs://new"}})[0]) == ["hdfs://new/data"]


def test_defaults_of_a_bundle_are_values_of_its_workflows(tmp_path: Path) -> None:
    write(
        tmp_path,
        workflow__xml=workflow("${tmp}", "${own}"),
        config_default__xml=f"<configuration>{properties({'tmp': '${root}/tmp', 'own': '${mine}/own'})}</configuration>",
        coordinator__xml=_COORDINATOR.replace("{parameters}", parameters(mine="${root}/mine")).replace("{given}", ""),
        bundle__xml=_BUNDLE.replace("{parameters}", parameters(root="/data")).replace("{given}", ""),
    )
    dag, asked = one(tmp_path)
    assert words(dag) == ["/data/tmp", "/data/mine/own"]
    assert asked == ""


def test_a_default_that_is_the_value_outside_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, workflow__xml=workflow("${out}", out="${out}"))
    dag, asked = one(tmp_path)
    assert words(dag, out="/o") == ["/o"]
    assert "out" in asked


@pytest.mark.parametrize(
    ("given", "defaults", "formal", "expected"),
    [
        ({"q": "entry"}, "file", "formal", "entry"),
        ({}, "file", "formal", "file"),
        ({}, "", "formal", "formal"),
        ({}, "file", "", "file"),
    ],
)
@pytest.mark.parametrize("is_bundled", [False, True])
def test_the_file_of_defaults_beside_a_coordinator_comes_before_its_parameters(
    tmp_path: Path, given: dict[str, str], defaults: str, formal: str, expected: str, *, is_bundled: bool
) -> None:
    """Oozie 4.x/5.x: CoordSubmitXCommand.submitJob calls mergeDefaultConfig, then ParameterVerifier.verifyParameters."""
    coordinator = _COORDINATOR.replace("{given}", properties({"handed": "${q}"}))
    coordinator = coordinator.replace("{parameters}", parameters(**({"q": formal} if formal else {})))
    files = {"workflow__xml": workflow("${handed}"), "coordinator__xml": coordinator}
    if defaults:
        files["coord_config_default__xml"] = f"<configuration>{properties({'q': defaults})}</configuration>"
    write(tmp_path, **files)
    if is_bundled:
        bundle = _BUNDLE.replace("{parameters}", "").replace("{given}", properties(given))
        (tmp_path / "bundle.xml").write_text(bundle)
    else:
        lines = "".join(f"{name}={value}\n" for name, value in given.items())
        (tmp_path / "apps" / "tide" / "coordinator.properties").write_text(lines + "unused=1\n")
    dag, _ = one(tmp_path)
    assert words(dag) == [expected]


def test_the_file_of_defaults_beside_a_bundle_counts_for_its_coordinators(tmp_path: Path) -> None:
    coordinator = _COORDINATOR.replace("{given}", properties({"handed": "${q}"})).replace(
        "{parameters}", parameters(q="formal")
    )
    own = f"<configuration>{properties({'q': 'coordinator'})}</configuration>"
    write(tmp_path, workflow__xml=workflow("${handed}"), coordinator__xml=coordinator, coord_config_default__xml=own)
    bundle = _BUNDLE.replace("{parameters}", parameters(q="bundle formal")).replace("{given}", "")
    (tmp_path / "bundle.xml").write_text(bundle)
    (tmp_path / "bundle-config-default.xml").write_text(f"<configuration>{properties({'q': 'bundle'})}</configuration>")
    dag, _ = one(tmp_path)
    assert words(dag) == ["bundle"]
