"""<file>, <archive> and lib/ reach the job that an action starts, as Oozie puts them into its distributed cache."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import jinja2
import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.reading import read


def convert(folder: Path, body: str, **profile: Any) -> Dag:
    folder.mkdir(exist_ok=True)
    text = f"""<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="a"/><action name="a">{body}<ok to="end"/><error to="k"/></action>
      <kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
    (folder / "workflow.xml").write_text(text)
    (folder / "job.properties").write_text("oozie.wf.application.path=/apps/tide\n")
    (dag,) = read(folder, profile).dags
    return dag


def lines(dag: Dag, **params: str) -> list[str]:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["quote"] = shlex.quote
    text = str(dict(dag.task("a").arguments)["bash_command"])
    return (
        environment.from_string(text)
        .render(params={item.name: item.default for item in dag.parameters} | params)
        .splitlines()
    )


def spark(
    inner: str, options: str = "", mode: str = "cluster", jar: str = "/a/b.jar", main: str = "<class>a.B</class>"
) -> str:
    return (
        f'<spark xmlns="uri:oozie:spark-action:1.0"><master>yarn</master><mode>{mode}</mode><name>x</name>{main}<jar>{jar}</jar>'
        f"<spark-opts>{options}</spark-opts>{inner}</spark>"
    )


def codes(dag: Dag) -> str:
    return ",".join(item.code for item in dag.accounts if item.element.startswith("action/"))


@pytest.mark.parametrize("mode", ["cluster", "client"])
def test_files_of_spark_reach_yarn(tmp_path: Path, mode: str) -> None:
    inner = (
        "<file>/conf/tide.properties#my.properties</file><file>conf/more.txt</file><archive>/x/env.zip#env</archive>"
    )
    made = lines(convert(tmp_path, spark(inner, mode=mode)))
    words = shlex.split(made[-1])
    assert words[words.index("--files") + 1] == "my.properties,more.txt${lib_files:+,$lib_files}"
    assert words[words.index("--archives") + 1] == "archives/env.zip#env"
    assert words[-1] == "/a/b.jar"
    assert "hdfs dfs -get -f /conf/tide.properties my.properties" in made


def test_they_stand_beside_those_of_the_options(tmp_path: Path) -> None:
    inner = "<file>/conf/my.properties</file><archive>/x/env.zip#env</archive>"
    options = "--files /etc/a.conf,/etc/b.conf --queue q --archives=/c.zip#c --jars /j/one.jar"
    words = shlex.split(lines(convert(tmp_path, spark(inner + "<file>/j/two.jar</file>", options)))[-1])
    assert [words.count(flag) for flag in ("--files", "--archives", "--jars")] == [1, 1, 1]
    assert words[words.index("--files") + 1] == "/etc/a.conf,/etc/b.conf,my.properties${lib_files:+,$lib_files}"
    assert words[words.index("--archives") + 1] == "/c.zip#c,archives/env.zip#env"
    assert "--queue" in words


def test_jars_of_the_application_stand_beside_the_others(tmp_path: Path) -> None:
    made = lines(convert(tmp_path, spark("<file>/j/two.jar</file><file>/a/b.jar</file>", "--jars /j/one.jar")))
    assert "if hdfs dfs -test -d /apps/tide/lib; then hdfs dfs -get -f /apps/tide/lib; fi" in made
    words = shlex.split(made[-1])
    assert words[words.index("--jars") + 1] == "/j/one.jar,two.jar${lib_jars:+,$lib_jars}"
    alone = shlex.split(lines(convert(tmp_path, spark("")))[-1])
    assert alone[alone.index("a.B") + 1 : -1] == [
        "${lib_files:+--files",
        "$lib_files}",
        "${lib_jars:+--jars",
        "$lib_jars}",
    ]


def test_what_the_shell_makes_of_the_library(tmp_path: Path) -> None:
    """The lines run with a client that has the folder, with one that has none, and give the words that spark-submit gets."""
    made = lines(convert(tmp_path, spark("<file>/c/my.properties</file>")))
    (bin_folder := tmp_path / "bin").mkdir()
    client = '#!/bin/bash\ncase "$2" in -test) [ -d "$SOURCE/lib" ];; -get) case "$4" in */lib) cp -r "$SOURCE/lib" . ;; *) : > "$5";; esac ;; esac\n'
    for name, text in (("hdfs", client), ("spark-submit", '#!/bin/bash\nprintf "%s\\n" "$@"\n')):
        (bin_folder / name).write_text(text)
        (bin_folder / name).chmod(0o755)
    for name, wanted in (
        ("with", ["--files", "my.properties,lib/x.conf", "--jars", "lib/one.jar,lib/two.jar"]),
        ("without", ["--files", "my.properties"]),
    ):
        (work := tmp_path / f"work-{name}").mkdir()
        source = tmp_path / name
        if name == "with":
            (source / "lib").mkdir(parents=True)
            for item in ("one.jar", "two.jar", "x.conf"):
                (source / "lib" / item).write_text("")
        environment = {"PATH": f"{bin_folder}:/usr/bin:/bin", "SOURCE": str(source)}
        done = subprocess.run(
            ["bash", "-ec", "\n".join(made)], cwd=work, env=environment, capture_output=True, text=True, check=True
        )
        words = done.stdout.split()
        assert [
            word for flag in ("--files", "--jars") if flag in words for word in words[words.index(flag) :][:2]
        ] == wanted


def test_without_yarn_the_library_is_told(tmp_path: Path) -> None:
    body = spark("<file>/c/my.properties</file>").replace(
        "<master>yarn</master><mode>cluster</mode>", "<master>local[2]</master>"
    )
    dag = convert(tmp_path, body)
    assert "--files" not in lines(dag)[-1]
    assert "app-library" in codes(dag)


def test_an_engine_tells_that_it_has_no_library(tmp_path: Path) -> None:
    dag = convert(tmp_path, spark(""), runners={"spark": "livy"})
    assert "app-library" in codes(dag)
    assert any("not given" in item.reason for item in dag.accounts if "app-library" in item.code)


def test_options_of_the_run_may_replace_the_files(tmp_path: Path) -> None:
    dag = convert(tmp_path, spark("<file>/c/my.properties</file>", "${more}"))
    assert "spark-files" in codes(dag)


_PLAIN = "<map-reduce>{inner}</map-reduce>"
_STREAMING = "<map-reduce><streaming><mapper>cat</mapper></streaming>{inner}</map-reduce>"


@pytest.mark.parametrize(
    ("body", "inner", "is_told"),
    [
        (_PLAIN, "<file>/c/tide.xsl</file>", True),
        (_PLAIN, "<archive>/c/tide.zip#tide</archive>", True),
        (_PLAIN, "", False),
        (_STREAMING, "<archive>/c/tide.zip#tide</archive>", True),
        (_STREAMING, "<file>/c/tide.xsl</file>", False),
    ],
)
def test_files_that_do_not_reach_the_tasks_of_map_reduce_are_told(
    tmp_path: Path, body: str, inner: str, is_told: bool
) -> None:
    dag = convert(tmp_path, body.replace("{inner}", inner))
    assert ("job-files" in codes(dag)) == is_told
