"""What an action puts out is read as java.util.Properties reads it, and no more of it than the server takes."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, get_args

import jinja2
import pytest

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.contract import Target
from aerodrome.migration.convert.emission import compose
from aerodrome.migration.convert.oozie.captured import captured
from aerodrome.migration.convert.oozie.reading import read

_ACTIONS = {
    "shell": "<shell><exec>cat</exec><argument>given</argument><capture-output/></shell>",
    "ssh": "<ssh><host>h</host><command>cat</command><capture-output/></ssh>",
    "java": "<java><main-class>x.Tide</main-class><capture-output/></java>",
}


def run(folder: Path, kind: str, text: str | None, **profile: Any) -> tuple[int, str, str]:
    """Run the task of an action that puts out a text."""
    (folder / "workflow.xml").write_text(
        f'<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="a"/><action name="a">{_ACTIONS[kind]}<ok to="end"/><error to="k"/></action>'
        '<kill name="k"><message>no</message></kill><end name="end"/></workflow-app>'
    )
    (folder / "job.properties").write_text("oozie.wf.application.path=/apps/tide\n")
    (dag,) = read(folder, profile).dags
    assert dag.task("a").role == "real"
    clients = {
        "hdfs": "exit 1",
        "hadoop": "",
        "ssh": "cat given",
        "java": "[ ! -e given ] || cp given output.properties",
    }
    (folder / "bin").mkdir()
    for name, script in clients.items():
        (folder / "bin" / name).write_text(f"#!/bin/bash\n{script}\n")
        (folder / "bin" / name).chmod(0o755)
    if text is not None:
        (folder / "given").write_text(text, encoding="utf-8", newline="")
    environment = jinja2.Environment()
    environment.filters["quote"] = shlex.quote
    command = environment.from_string(str(dict(dag.task("a").arguments)["bash_command"])).render(
        params={item.name: item.default for item in dag.parameters}
    )
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={"PATH": f"{folder / 'bin'}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("text", "wanted"),
    [  # as java.util.Properties.load of OpenJDK 21 gives them
        ("a=1\nb = 2 \n", {"a": "1", "b": "2 "}),
        ("a:1\nb 2 3\n\tc\t=\t3", {"a": "1", "b": "2 3", "c": "3"}),
        ("path=a\\\n   b,\\\r\n   c\n", {"path": "ab,c"}),
        ("# a=1\n ! b=2\nc\\=\\ d=C:\\\\x\\ty\\u00e9\n", {"c= d": "C:\\x\tyé"}),
        ("without=end", {"without": "end"}),
        ("alone\nurl=http://h:1/?a=b\na=1\na=2\n", {"alone": "", "url": "http://h:1/?a=b", "a": "2"}),
        ("", {}),
    ],
)
@pytest.mark.parametrize("kind", list(_ACTIONS))
def test_output_is_a_file_of_properties(tmp_path: Path, kind: str, text: str, wanted: dict[str, str]) -> None:
    status, said, errors = run(tmp_path, kind, text)
    assert status == 0, errors
    last = said.splitlines()[-1]  # which BashOperator hands to its output_processor
    assert captured(last) == wanted
    for target in get_args(Target):  # as the file of the DAG has it
        composed = compose(read(tmp_path, {}), target)
        made = next(text for name, text in composed.items() if name == "dags/w_dag.py")
        assert "output_processor=captured" in made
        space: dict[str, Any] = {"re": re, "json": json}
        exec(made[made.index("def captured") : made.index("with DAG(")], space)
        assert space["captured"](last) == wanted


def test_output_that_cannot_be_read_fails(tmp_path: Path) -> None:
    _, said, _ = run(tmp_path, "shell", "a=\\u00g1\n")
    with pytest.raises(ValueError, match="invalid literal"):
        captured(said.splitlines()[-1])


def test_a_program_that_writes_no_output_has_none(tmp_path: Path) -> None:
    assert run(tmp_path, "java", None)[:2] == (0, '\n""\n')
    assert captured('""') == {}


@pytest.mark.parametrize("kind", list(_ACTIONS))
@pytest.mark.parametrize(("size", "profile", "is_taken"), [(2048, {}, True), (2049, {}, False), (2049, {"max_output_data": 4096}, True)])  # fmt: skip
def test_output_that_is_too_long_fails(
    tmp_path: Path, kind: str, size: int, profile: dict[str, int], is_taken: bool
) -> None:
    status, _, errors = run(tmp_path, kind, "a=" + "x" * (size - 3) + "\n", **profile)
    assert (status == 0) is is_taken
    assert ("more than 2048" in errors and "max_output_data" in errors) is not is_taken


@pytest.mark.parametrize("wrong", [0, "2k", True])
def test_a_limit_is_a_number(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(Invalid, match="max_output_data"):
        read(tmp_path, {"max_output_data": wrong})
