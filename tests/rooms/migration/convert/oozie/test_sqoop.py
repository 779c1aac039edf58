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


@pytest.mark.parametrize(
    ("command", "words", "is_told"),
    [
        (
            "import --target-dir ${concat(root, '/x y')}",
            'import --target-dir {{ (params.root ~ "/x y") | quote }}',
            False,
        ),
        ("import --where ${wf:conf('a') eq 'b' ? 'c' : 'd'}=1 -m 1", "import --where {{ (", False),
        ("import --query 'select 1'", """import --query ''"'"'select' '1'"'"''""", True),
    ],
)
def test_a_command_is_split_at_blanks_outside_of_expressions(
    tmp_path: Path, command: str, words: str, is_told: bool
) -> None:
    (tmp_path / "workflow.xml").write_text(_WORKFLOW.replace("{inner}", f"<command>{command}</command>"))
    (dag,) = read(tmp_path, {}).dags
    (account,) = (item for item in dag.accounts if item.name == "go")
    assert (account.outcome, "sqoop-quotes" in account.code) == ("caveat" if is_told else account.outcome, is_told)
    assert account.outcome != "raises"
    made = str(dict(dag.task("go").arguments)["bash_command"])
    assert words in made.replace('${cache_files:+-D"mapreduce.job.cache.files=$cache_files"} ', "")
