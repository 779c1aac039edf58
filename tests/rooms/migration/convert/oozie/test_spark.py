"""The options of a Spark action reach spark-submit as Oozie hands them over."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import jinja2
import pytest

from aerodrome.migration.convert.oozie.reading import read
from aerodrome.migration.convert.oozie.spark import split_options


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('--conf spark.x="a b" --queue q', ["--conf", "spark.x=a b", "--queue", "q"]),
        ('--driver-java-options "-Dlog=${file} -Dx=1"', ["--driver-java-options", "-Dlog=${file} -Dx=1"]),
        ("--conf=a=b\n  --files ${a},${b}", ["--conf", "a=b", "--files", "${a},${b}"]),
        ("--conf x=-XX:A -XX:B=1 --verbose", ["--conf", "x=-XX:A -XX:B=1", "--verbose"]),
        ('--conf x=-Da="b c" -XX:B', ["--conf", 'x=-Da="b c" -XX:B']),  # quotes of a part stay
        ('--conf x="a" "b"', ["--conf", 'x="a" "b"']),
        ("yarn --num-executors 2", ["--num-executors", "2"]),  # what stands before the first option is lost in Oozie, too
        ("${concat('--x ', y)}", []),
    ],
)  # fmt: skip
def test_options_of_spark_are_split_as_in_oozie(text: str, words: list[str]) -> None:
    assert split_options(text) == words


def command(folder: Path, options: str, properties: str = "", **values: str) -> list[str]:
    (folder / "job.properties").write_text(properties)
    (folder / "workflow.xml").write_text(
        '<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="s"/><action name="s"><spark xmlns="uri:oozie:spark-action:0.2"><master>yarn</master>'
        f'<name>n</name><jar>/j.jar</jar><spark-opts>{options}</spark-opts></spark><ok to="end"/><error to="k"/></action>'
        '<kill name="k"><message>no</message></kill><end name="end"/></workflow-app>'
    )
    (dag,) = read(folder, {}).dags
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["quote"] = shlex.quote
    params = {item.name: item.default for item in dag.parameters} | values
    text = environment.from_string(str(dict(dag.task("s").arguments)["bash_command"])).render(params=params)
    return shlex.split(text)[5:-1]


@pytest.mark.parametrize(
    ("options", "properties", "words"),
    [
        ('--driver-java-options "-Dl=${f}" --queue ${q}', "f=a b\nq=root", ["--driver-java-options", "-Dl=a b", "--queue", "root"]),
        ("${more} --queue x", "more=--conf a=b --verbose", ["--conf", "a=b", "--verbose", "--queue", "x"]),
        ("--conf a=b ${more}", "more=--verbose", ["--conf", "a=b", "--verbose"]),
        ("${concat('--conf a', '=b')}", "", ["--conf", "a=b"]),
    ],
)  # fmt: skip
def test_what_the_command_gets(tmp_path: Path, options: str, properties: str, words: list[str]) -> None:
    assert command(tmp_path, options, properties) == words


def test_options_that_come_with_the_run_are_split_then(tmp_path: Path) -> None:
    assert command(tmp_path, "--queue ${q} ${more}", q="r", more="--conf a=b") == ["--queue", "r", "--conf", "a=b"]
    assert command(tmp_path, "${more}", more="--conf a=b --verbose") == ["--conf", "a=b", "--verbose"]


def test_other_engines_get_the_same_options(tmp_path: Path) -> None:
    command(tmp_path, '--conf spark.x="a b" --num-executors 3')
    (dag,) = read(tmp_path, {"runners": {"spark": "livy"}}).dags
    assert dict(dag.task("s").arguments)["conf"] == {"spark.x": "a b", "spark.executor.instances": "3"}


@pytest.mark.parametrize("runner", ["livy", "dataproc"])
@pytest.mark.parametrize(
    ("jar", "place"),
    [
        ("lib/tide.jar", "hdfs://n/apps/w/lib/tide.jar"),
        ("tide.jar", "hdfs://n/apps/w/lib/tide.jar"),
        ("/jars/tide.jar", "/jars/tide.jar"),
        ("${jar}", "hdfs://n/apps/w/lib/tide.jar"),
    ],
)
def test_a_relative_jar_of_an_engine_stands_below_the_application(
    tmp_path: Path, runner: str, jar: str, place: str
) -> None:
    """As for Oozie (4.x/5.x: JavaActionExecutor.addToCache); an engine would look in a home directory, or on its own disk."""
    (tmp_path / "workflow.xml").write_text(
        '<workflow-app xmlns="uri:oozie:workflow:1.0" name="w"><start to="s"/><action name="s"><spark xmlns="uri:oozie:spark-action:1.0"><master>yarn</master>'
        f'<name>n</name><class>x.Tide</class><jar>{jar}</jar></spark><ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>'
    )
    options = {"project_id": "p", "region": "r", "cluster": "c"}
    (dag,) = read(tmp_path, {"runners": {"spark": runner}, "dataproc": options}).dags
    given = dict(dag.task("s").arguments)
    text = str(given["file"] if runner == "livy" else given["job"]["spark_job"]["jar_file_uris"][0])  # type: ignore[index,call-overload]
    space: dict[str, Any] = {"re": re}
    exec("\n".join(function.source for function in dag.functions), space)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters |= {name: space[name] for name in ("in_app", "in_lib", "app_folder") if name in space}
    params = {"jar": "lib/tide.jar", "oozie.wf.application.path": "hdfs://n/apps/w/workflow.xml"}
    assert environment.from_string(text).render(params=params) == place


def test_spark3_of_a_distribution_calls_its_client(tmp_path: Path) -> None:
    (tmp_path / "workflow.xml").write_text(
        '<workflow-app xmlns="uri:oozie:workflow:1.0" name="w"><start to="s"/><action name="s"><spark3 xmlns="uri:oozie:spark3-action:1.0"><master>yarn</master>'
        '<name>n</name><jar>/j.jar</jar><arg>a b</arg></spark3><ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>'
    )
    (dag,) = read(tmp_path, {}).dags
    assert dict(dag.task("s").arguments)["bash_command"] == "spark3-submit --master yarn --name n /j.jar 'a b'"
    assert [(item.outcome, item.code) for item in dag.accounts if item.element == "action/spark3"] == [
        ("caveat", "spark3,app-library")
    ]
    (livy,) = read(tmp_path, {"runners": {"spark": "livy"}}).dags
    assert livy.task("s").operator.name == "LivyOperator"
