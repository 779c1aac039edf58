"""What a host does with the lines of shell and fs actions: they run here, with a stand-in for the client of Hadoop."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import jinja2
import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.reading import read

_HDFS = """#!/bin/bash
echo "hdfs $*" >> "$CALLS"
case "$2" in
  -test) [ -d "$STORE${@: -1}" ];;
  -ls) [ -z "$BROKEN" ] && ls -l "$STORE${@: -1}" | grep -v ^total; [ -z "$BROKEN" ];;
  -get) cp "$STORE$4" "$5";;
  -chmod) case "${@: -1}" in *'*') [ -n "$(ls "$STORE$(dirname "${@: -1}")")" ] && [ -z "$DENIED" ];; esac;;
esac
"""


def convert(folder: Path, body: str, **profile: Any) -> Dag:
    folder.mkdir(exist_ok=True)
    text = f"""<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="a"/><action name="a">{body}<ok to="end"/><error to="k"/></action>
      <kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
    (folder / "workflow.xml").write_text(text)
    (dag,) = read(folder, profile).dags
    return dag


def script(dag: Dag, name: str = "bash_command", **params: str) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["quote"] = shlex.quote
    return environment.from_string(str(dict(dag.task("a").arguments)[name])).render(params=params)


def run(folder: Path, text: str, **variables: str) -> tuple[int, str, str]:
    """Run a script with a client that keeps a store of files; give its exit code, output and the calls of the client."""
    for name in ("bin", "store", "work"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "bin" / "hdfs").write_text(_HDFS)
    (folder / "bin" / "hdfs").chmod(0o755)
    given = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "STORE": str(folder / "store"),
        "CALLS": str(folder / "calls"),
    }
    done = subprocess.run(
        ["bash", "-c", text], cwd=folder / "work", env=given | variables, capture_output=True, text=True, check=False
    )
    calls = folder / "calls"
    return done.returncode, done.stdout, calls.read_text() if calls.exists() else ""


def shell(inner: str, command: str = "gauge.sh", more: str = "") -> str:
    return f'<shell xmlns="uri:oozie:shell-action:0.3"><exec>{command}</exec>{inner}<file>/jobs/gauge.sh</file>{more}</shell>'


def gauge(folder: Path, text: str) -> None:
    (folder / "store" / "jobs").mkdir(parents=True)
    (folder / "store" / "jobs" / "gauge.sh").write_text(f"#!/bin/bash\n{text}\n")


def test_the_environment_is_that_of_the_program_only(tmp_path: Path) -> None:
    """Oozie puts it into the environment of the process that it starts (4.x/5.x, ShellMain.getEnvMap), not of what fetches its files."""
    body = shell("<env-var>PATH=/nowhere</env-var><env-var>TIDE=${tide}</env-var>", more="<capture-output/>")
    gauge(tmp_path, 'printf "path=%s\\ntide=%s\\n" "$PATH" "$TIDE"')
    made = script(convert(tmp_path / "jobs", body), tide="high & dry")
    assert run(tmp_path, made)[:2] == (
        0,
        'path=/nowhere\ntide=high & dry\n\n"path=/nowhere\\ntide=high & dry\\n"\n',
    )


def test_a_variable_does_not_change_how_files_are_fetched(tmp_path: Path) -> None:
    gauge(tmp_path, 'echo "$STORE"')
    made = script(convert(tmp_path / "jobs", shell("<env-var>STORE=/elsewhere</env-var>")))
    assert run(tmp_path, made)[:2] == (0, "/elsewhere\n")


@pytest.mark.parametrize("variable", ["", "<env-var>TIDE=high</env-var>", "<env-var>PATH=/usr/bin</env-var>"])
def test_a_file_of_the_action_is_found_before_a_program_of_that_name(tmp_path: Path, variable: str) -> None:
    """Oozie's launcher has PATH=.:$PATH (4.x/5.x, ShellActionExecutor.addDefaultChildEnv); what captures the output is not of the action."""
    body = shell(variable, "date", more="<file>/jobs/tee</file><capture-output/>").replace("gauge.sh", "date")
    (tmp_path / "store" / "jobs").mkdir(parents=True)
    for name, does in (("date", "echo tide=own"), ("tee", "exit 3")):
        (tmp_path / "store" / "jobs" / name).write_text(f"#!/bin/bash\n{does}\n")
    made = script(convert(tmp_path / "jobs", body))
    assert run(tmp_path, made)[:2] == (0, 'tide=own\n\n"tide=own\\n"\n')


def test_a_file_of_the_action_is_found_by_the_program_before_one_of_the_host(tmp_path: Path) -> None:
    gauge(tmp_path, "date")
    (tmp_path / "store" / "jobs" / "date").write_text("#!/bin/bash\necho own\n")
    made = script(convert(tmp_path / "jobs", shell("", more="<file>/jobs/date</file>")))
    assert run(tmp_path, made)[:2] == (0, "own\n")


def test_a_program_that_is_not_there_fails(tmp_path: Path) -> None:
    made = script(convert(tmp_path / "jobs", shell("<env-var>PATH=/nowhere</env-var>", "absent.sh")))
    gauge(tmp_path, "true")
    assert run(tmp_path, made)[0] != 0


@pytest.mark.parametrize("variable", ["TIDE", "TIDE=", "TIDE=="])
def test_what_oozie_does_not_take_for_a_variable_raises(tmp_path: Path, variable: str) -> None:
    dag = convert(tmp_path, shell(f"<env-var>{variable}</env-var>"))
    assert [item.code for item in dag.accounts if item.outcome == "raises"] == ["shell-env"]


@pytest.mark.parametrize(
    ("runner", "name", "start"),
    [("ssh", "command", 'cd "$(mktemp -d)"\nset -e\n'), ("kubernetes", "arguments", "set -e\n")],
)
def test_other_runners_have_it_on_the_line_of_the_program_too(
    tmp_path: Path, runner: str, name: str, start: str
) -> None:
    dag = convert(tmp_path, shell("<env-var>TIDE=high</env-var>"), runner=runner)
    given = dict(dag.task("a").arguments)[name]
    text = str(given[0] if isinstance(given, list) else given)
    assert text.startswith(start)
    assert text.rstrip().endswith('\nenv PATH=".:$PATH" TIDE=high gauge.sh')
    assert "export TIDE" not in text


CHMOD = '<fs><chmod path="/quay" permissions="750"/></fs>'


@pytest.mark.parametrize(("is_empty", "variables", "is_right"), [
    (False, {}, True), (True, {}, True), (False, {"DENIED": "1"}, False), (False, {"BROKEN": "1"}, False),
])  # fmt: skip
def test_an_error_inside_of_a_directory_fails(
    tmp_path: Path, is_empty: bool, variables: dict[str, str], is_right: bool
) -> None:
    """Oozie fails when one file of the directory refuses (4.x/5.x, FsActionExecutor)."""
    (tmp_path / "store" / "quay").mkdir(parents=True)
    if not is_empty:
        (tmp_path / "store" / "quay" / "a").touch()
    code, _, calls = run(tmp_path, script(convert(tmp_path / "jobs", CHMOD)), **variables)
    assert (code == 0) is is_right
    assert ("hdfs dfs -chmod 750 /quay/*\n" in calls) is (not is_empty and "BROKEN" not in variables)


def test_a_file_has_nothing_inside(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "quay").touch()
    assert run(tmp_path, script(convert(tmp_path / "jobs", CHMOD)))[0] == 0


@pytest.mark.parametrize(
    ("known", "word", "code"),
    [
        ("755", "{{ params.perm | quote }}", "converted"),
        ("-rwxr-x---", "750", "caveat"),
        ("${more}", "{{ params.perm | quote }}", "converted"),
        ("anything", "", "raises"),
        ("", "", "raises"),
    ],
)
def test_permissions_may_be_a_value(tmp_path: Path, known: str, word: str, code: str) -> None:
    (tmp_path / "workflow.xml").write_text(
        '<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="a"/><action name="a"><fs>'
        '<chmod path="/quay" permissions="${perm}" dir-files="false"/></fs><ok to="end"/><error to="k"/></action>'
        '<kill name="k"><message>no</message></kill><end name="end"/></workflow-app>'
    )
    (tmp_path / "job.properties").write_text(f"perm={known}\nmore=700\n" if known else "")
    (dag,) = read(tmp_path, {}).dags
    (account,) = (item for item in dag.accounts if item.name == "a")
    assert account.outcome == code
    if word:
        assert f"-chmod {word} /quay" in str(dict(dag.task("a").arguments)["bash_command"])
