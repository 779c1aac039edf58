"""Names: different ones of Control-M stay different here, and the same on every conversion, in whatever script."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from tests.rooms.migration.convert.controlm.sample import arguments, convert, dag_of

from aerodrome.migration.convert.controlm.names import sanitize
from aerodrome.migration.convert.controlm.proof.expansion import Expander, Moment
from aerodrome.migration.convert.controlm.variables.autoedit import Scope, compile_text, variable_key


def job(name: str, command: str = "run", inside: str = "") -> str:
    return f'<JOB JOBNAME="{name}" TASKTYPE="Command" CMDLINE="{command}" DAYS="ALL" NODEID="h">{inside}</JOB>'


def folder(name: str, *jobs: str) -> str:
    return f'<FOLDER FOLDER_NAME="{name}" FOLDER_ORDER_METHOD="SYSTEM">{"".join(jobs)}</FOLDER>'


def test_names_without_latin_letters_stay_apart(tmp_path: Path) -> None:
    first, second = folder("数据", job("日本"), job("中国")), folder("报表", job("日本"))
    made = convert(tmp_path, first + second)
    again = convert(tmp_path, second + first)
    assert (
        {dag.dag_id for dag in made.dags} == {dag.dag_id for dag in again.dags} == {sanitize("数据"), sanitize("报表")}
    )
    dag = dag_of(made, sanitize("数据"))
    assert dict(dag.arguments)["dag_display_name"] == "数据"
    assert [arguments(task)["task_display_name"] for task in dag.tasks] == ["日本", "中国"]
    assert all(name.isascii() for dag in made.dags for name in (dag.dag_id, *(task.full_id for task in dag.tasks)))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("Größe", "Grosse"), ("Año nuevo", "Ano_nuevo"), ("A.B", "A_B"), ("LOAD-1", "LOAD-1"), ("Łódź", "Lodz")],
)
def test_latin_letters_are_spelled_without_their_accents(name: str, wanted: str) -> None:
    assert sanitize(name) == wanted


def test_names_that_lose_letters_have_a_mark_of_their_own() -> None:
    found = {sanitize(name) for name in ("LOAD_数据", "LOAD_报表", "数据", "@@", "##")}
    assert len(found) == 5
    assert all(name.isascii() for name in found)
    assert variable_key("数据") != variable_key("报表")
    assert variable_key(r"\\POOL\NAME") == "controlm.POOL.NAME"


def compiled(text: str, **variables: str) -> tuple[str, list[str]]:
    done = compile_text(text, Scope({}, variables))
    moment = Moment(date(2026, 3, 2), datetime(2026, 3, 2, tzinfo=UTC), "1", 1)
    if "{{" not in done.text:
        assert Expander({}, variables, moment, {}).expand(text) == done.text
    return done.text, done.notes


def test_variables_that_differ_in_their_case_are_two() -> None:
    assert compiled("%%Test %%TEST", TEST="one", Test="two") == ("two one", [])
    text, notes = compiled("%%test", TEST="one")
    assert text == "{{ var.value['controlm.test'] }}"
    assert notes == ["%%test is not %%TEST: names of variables are case-sensitive."]


@pytest.mark.parametrize("name", ["MY.VAR", "1ST", "AÑO", "X+Y"])
def test_a_variable_is_found_whose_name_control_m_does_not_allow(name: str) -> None:
    text, notes = compiled(f"run %%{name} x", **{name: "one", "MY": "no", "A": "no", "X": "no"})
    assert text == "run one x"
    assert notes == [
        f"%%{name} has a name that the rules of Control-M do not allow: it is taken as the variable that the export defines."
    ]


def test_hyphens_end_names_unless_a_variable_has_them() -> None:
    assert compiled("%%A-%%B %%A-B-c", A="one", B="two", **{"A-B": "three"}) == ("one-two three-c", [])
    assert compiled("%%A-B", A="one") == ("one-B", [])


def test_two_hosts_whose_names_become_one_connection_are_told(tmp_path: Path) -> None:
    hosts = {"A": "app.one", "B": "app-one", "E": "APP.one"}
    jobs = [job(name).replace('NODEID="h"', f'NODEID="{host}"') for name, host in hosts.items()]
    dag = dag_of(convert(tmp_path, folder("F", *jobs, job("C"), job("D"))), "F")
    assert [item.name for item in dag.accounts if item.code == "connection-shared"] == ["ssh_app_one"]
