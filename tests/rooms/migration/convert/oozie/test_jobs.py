"""Jobs that cannot begin fail: what a client does is seen by running the lines with one that fails."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.reading import read


def convert(folder: Path, body: str) -> tuple[Dag, str]:
    folder.mkdir(exist_ok=True)
    text = f"""<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="a"/><action name="a">{body}<ok to="end"/><error to="k"/></action>
      <kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
    (folder / "workflow.xml").write_text(text)
    (dag,) = read(folder, {}).dags
    return dag, str(dict(dag.task("a").arguments)["bash_command"])


def settings(**values: str) -> str:
    inside = "".join(
        f"<property><name>{name.replace('__', '.')}</name><value>{value}</value></property>"
        for name, value in values.items()
    )
    return f"<configuration>{inside}</configuration>"


def run(folder: Path, script: str, **clients: str) -> tuple[int, str]:
    (folder / "bin").mkdir()
    (folder / "work").mkdir()
    for name, text in clients.items():
        (folder / "bin" / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / "bin" / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder / "work",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    return done.returncode, done.stdout


_STREAMING = "<map-reduce><streaming><mapper>cat</mapper></streaming>{more}</map-reduce>"


@pytest.mark.parametrize(
    "given",
    [
        {"mapred__input__dir": "/in", "mapred__output__dir": "/out"},
        {
            "mapreduce__input__fileinputformat__inputdir": "/in",
            "mapreduce__output__fileoutputformat__outputdir": "/out",
        },
        {
            "mapred__input__dir": "/old",
            "mapreduce__input__fileinputformat__inputdir": "/in",
            "mapred__output__dir": "/out",
        },
    ],
)
def test_streaming_reads_its_input_once(tmp_path: Path, given: dict[str, str]) -> None:
    """-input adds to what the setting says (Hadoop 3.3: StreamJob.setJobConf, FileInputFormat.addInputPaths)."""
    dag, command = convert(tmp_path, _STREAMING.replace("{more}", settings(**given, mapred__x="1")))
    words = command.split()
    assert words[words.index("-input") + 1] == "/in"
    assert words[words.index("-output") + 1] == "/out"
    assert [words.count("-input"), words.count("-output"), words.count("-D")] == [1, 1, 1]
    assert "mapred.x=1" in words
    assert "streaming-input" not in ",".join(item.code for item in dag.accounts)


def test_an_input_that_a_file_may_name_as_well_is_told(tmp_path: Path) -> None:
    more = f"<job-xml>/conf/site.xml</job-xml>{settings(mapred__input__dir='/in')}"
    dag, _ = convert(tmp_path, _STREAMING.replace("{more}", more))
    (account,) = (item for item in dag.accounts if "streaming-input" in item.code)
    assert "site.xml" in account.reason


_JOB = f"<map-reduce>{settings(mapred__mapper__class='x.Tide')}</map-reduce>"


@pytest.mark.parametrize("submits", ["exit 255", "echo nothing"])
def test_a_job_that_is_not_submitted_fails(tmp_path: Path, submits: str) -> None:
    _, command = convert(tmp_path / "app", _JOB)
    status = 'case "$2" in -status) echo "Job state: RUNNING";; *) ' + submits + ";; esac"
    script = command.replace('{{ params["oozie.wf.application.path"] | app_folder | quote }}', "/apps/x")
    assert "{{" not in script
    code, _ = run(tmp_path, script, mapred=status, hdfs="exit 1", sleep="exit 0")
    assert code not in (0, 124)


def test_a_status_that_cannot_be_read_is_asked_for_again(tmp_path: Path) -> None:
    _, command = convert(tmp_path / "app", _JOB)
    said = 'case "$2" in -submit) echo "Created job job_1";; *) [ -e seen ] && echo "Job state: SUCCEEDED" || { touch seen; exit 1; };; esac'
    script = command.replace('{{ params["oozie.wf.application.path"] | app_folder | quote }}', "/apps/x")
    assert run(tmp_path, script, mapred=said, hdfs="exit 1", sleep="exit 0")[0] == 0


@pytest.mark.parametrize("says", ["Could not find job job_1", "java.io.IOException: Unknown Job job_1"])
def test_a_job_that_the_cluster_does_not_know_any_more_fails(tmp_path: Path, says: str) -> None:
    """As in Oozie (JA017), after a minute: a job that has just ended is unknown until its history is there."""
    _, command = convert(tmp_path / "app", _JOB)
    said = f'case "$2" in -submit) echo "Created job job_1";; *) echo x >> asked; echo "{says}"; exit 255;; esac'
    script = command.replace('{{ params["oozie.wf.application.path"] | app_folder | quote }}', "/apps/x")
    assert run(tmp_path, script, mapred=said, hdfs="exit 1", sleep="exit 0")[0] == 1
    assert (tmp_path / "work" / "asked").read_text().count("x") == 4


def test_an_archive_that_is_not_there_fails(tmp_path: Path) -> None:
    _, command = convert(
        tmp_path / "app", "<shell><exec>echo</exec><argument>done</argument><archive>/a/env.zip#env</archive></shell>"
    )
    assert run(tmp_path, command, hdfs="exit 1") == (1, "")


def test_a_key_that_is_not_there_fails(tmp_path: Path) -> None:
    body = "<git><git-uri>u</git-uri><key-path>/k</key-path><destination-uri>/d</destination-uri></git>"
    _, command = convert(tmp_path / "app", body)
    assert run(tmp_path, command, hdfs="exit 1", git="echo cloned") == (1, "")


def test_all_of_a_repository_is_copied(tmp_path: Path) -> None:
    """Hidden files and .git, too (Oozie 5.x, GitOperations.cloneRepoToFS: File.listFiles)."""
    (origin := tmp_path / "origin").mkdir()
    for name in ("tide.py", ".flake8"):
        (origin / name).write_text("x")
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=origin, check=True)
    body = f"<git><git-uri>{origin}</git-uri><destination-uri>/d</destination-uri></git>"
    _, command = convert(tmp_path / "app", body)
    status, said = run(tmp_path, command, hdfs='[ "$2" != -put ] || printf "%s " "${@:4}"')
    assert (status, sorted(said.split())) == (0, ["/d", "repository/.flake8", "repository/.git", "repository/tide.py"])
