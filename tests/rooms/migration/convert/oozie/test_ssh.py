"""Arguments of ssh reach the command on the host as Oozie's do: an <arg> is one, whatever blanks it holds."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import jinja2

from aerodrome.migration.convert.oozie.reading import read

_WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="a"/><action name="a"><ssh xmlns="uri:oozie:ssh-action:0.2">
  <host>u@h</host><command>show</command>{arguments}</ssh><ok to="end"/><error to="k"/></action>
  <kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
_SSH = """#!/bin/bash
# joins its words with blanks and gives them to a shell, as sshd does
while [ "$1" = -o ]; do shift 2; done
shift
exec bash -c "$*"
"""


def arguments(folder: Path, text: str, **given: str) -> list[str]:
    """Give what the command on the host gets."""
    (folder / "workflow.xml").write_text(_WORKFLOW.replace("{arguments}", text))
    (dag,) = read(folder, {}).dags
    names: dict[str, Any] = {}
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["quote"] = shlex.quote
    for function in dag.functions:
        exec(function.source_in("3.3"), names)
        environment.filters[function.name] = names[function.name]
    command = environment.from_string(str(dict(dag.task("a").arguments)["bash_command"])).render(params=given)
    (folder / "bin").mkdir(exist_ok=True)
    for name, program in (("ssh", _SSH), ("show", '#!/bin/bash\nprintf "%s\\n" "$@"\n')):
        (folder / "bin" / name).write_text(program)
        (folder / "bin" / name).chmod(0o755)
    path = {**os.environ, "PATH": f"{folder / 'bin'}:/usr/bin:/bin"}
    return subprocess.run(
        ["bash", "-c", command], env=path, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def test_an_argument_with_blanks_is_one(tmp_path: Path) -> None:
    """Oozie 4.x/5.x: SshActionExecutor.start escapes blanks, and backslashes with them, unless the argument stands in quotes."""
    written = (
        '<arg>two words</arg><arg>"in quotes"</arg><arg>a\\b c</arg><arg>${v}</arg><arg>x ${v}</arg><arg>plain</arg>'
    )
    assert arguments(tmp_path, written, v="of the run") == [
        "two words",
        "in quotes",
        "a\\b c",
        "of the run",
        "x of the run",
        "plain",
    ]


def test_args_are_split(tmp_path: Path) -> None:
    assert arguments(tmp_path, "<args>two words</args>") == ["two", "words"]
