"""Paths that are relative stand below the application's folder, also where only the run says that they are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import jinja2
import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.reading import read


def convert(folder: Path, place: str, properties: str = "") -> Dag:
    (folder / "workflow.xml").write_text(
        f"""<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="a"/><action name="a"><shell xmlns="uri:oozie:shell-action:0.3">
        <job-tracker>rm</job-tracker><name-node>${{cluster}}</name-node><exec>run.sh</exec><file>{place}</file></shell><ok to="end"/><error to="k"/></action>
        <kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
    )
    (folder / "job.properties").write_text(f"oozie.wf.application.path=/apps/tide\n{properties}")
    (dag,) = read(folder, {}).dags
    return dag


def fetched(dag: Dag, **given: str) -> str:
    """Give the place that a run fetches the file from."""
    names: dict[str, Any] = {"re": re}
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    for function in dag.functions:
        exec(function.source_in("3.3"), names)
        environment.filters[function.name] = names[function.name]
    environment.filters["quote"] = shlex.quote
    text = str(dict(dag.task("a").arguments)["bash_command"])
    rendered = environment.from_string(text).render(params={item.name: item.default for item in dag.parameters} | given)
    return shlex.split(next(line for line in rendered.splitlines() if line.startswith("hdfs dfs -get")))[4]


@pytest.mark.parametrize(
    ("place", "properties", "wanted"),
    [
        ("${part}/run.sh", "part=daily\n", "/apps/tide/daily/run.sh"),
        ("${part}/run.sh", "part=/daily\n", "/daily/run.sh"),
        ("${part}run.sh", "part=\n", "/apps/tide/run.sh"),
        ("${part}/run.sh", "part=\n", "/run.sh"),
        ("${part}/run.sh", "part=s3a://b\n", "s3a://b/run.sh"),
        ("${script}", "script=run.sh\n", "/apps/tide/run.sh"),
    ],
)
def test_a_value_that_is_known_decides(tmp_path: Path, place: str, properties: str, wanted: str) -> None:
    assert fetched(convert(tmp_path, place, properties)) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"), [("daily", "/apps/tide/daily/x y.sh"), ("/d", "/d/x y.sh"), ("hdfs://n", "hdfs://n/x y.sh")]
)
def test_else_the_run_decides(tmp_path: Path, value: str, wanted: str) -> None:
    assert fetched(convert(tmp_path, "${part}/x y.sh#run.sh"), part=value) == wanted


@pytest.mark.parametrize(
    "place", ["${cluster}/run.sh", "${nameNode}/run.sh", "${base}/run.sh", "${wf:appPath()}/run.sh"]
)
def test_the_place_of_a_cluster_or_an_application_is_no_question(tmp_path: Path, place: str) -> None:
    dag = convert(tmp_path, place, "base=${cluster}/data\n")
    assert "in_app" not in str(dag.task("a").arguments)


def test_a_path_of_the_application_that_nobody_knows_is_no_question(tmp_path: Path) -> None:
    convert(tmp_path, "${script}#run.sh")
    (tmp_path / "job.properties").unlink()
    conversion = read(tmp_path, {})
    assert "application.path" not in " ".join(item.text for item in conversion.questions)
    (dag,) = conversion.dags
    assert fetched(dag, script="/s/run.sh") == "/s/run.sh"
    assert fetched(dag, script="run.sh", **{"oozie.wf.application.path": "/a/workflow.xml"}) == "/a/run.sh"
    with pytest.raises(ValueError, match=r"application\.path"):
        fetched(dag, script="run.sh")
