"""Passwords in the arguments of Sqoop: Oozie masks them in its log, a task does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.convert.oozie.reading import read

_WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="go"/><action name="go"><sqoop xmlns="uri:oozie:sqoop-action:0.4">
  {inner}</sqoop><ok to="end"/><error to="k"/></action><kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""


@pytest.mark.parametrize(
    ("arguments", "is_told"),
    [
        (["import", "--password", "tide"], True),
        (["import", "--connect", "jdbc:sqlserver://db:1433;user=u;password=tide"], True),
        (["import", "--connect", "jdbc:mysql://db/x?user=u&amp;Password=${secret}"], True),
        (["import", "-Doracle.password=tide", "--table", "t"], True),
        (["import", "--password-file", "/secure/db"], False),
        (["import", "--password-alias", "db", "--columns", "passwords"], False),
    ],
)
@pytest.mark.parametrize("is_command", [True, False])
def test_a_password_in_the_command_is_told(
    tmp_path: Path, arguments: list[str], is_told: bool, is_command: bool
) -> None:
    inner = f"<command>{' '.join(arguments)}</command>"
    if not is_command:
        inner = "".join(f"<arg>{item}</arg>" for item in arguments)
    (tmp_path / "workflow.xml").write_text(_WORKFLOW.replace("{inner}", inner))
    (dag,) = read(tmp_path, {}).dags
    (account,) = (item for item in dag.accounts if item.name == "go")
    assert ("sqoop-password" in account.code) == is_told
