"""Exports of every form and age are read, hostile files are refused with file and line, and nothing is lost without a word."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from tests.rooms.migration.convert.controlm.sample import EXPORTS, convert, dag_of

from aerodrome.cli.main import run
from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert import report
from aerodrome.migration.convert.contract import Conversion
from aerodrome.migration.convert.controlm.reading import read
from aerodrome.migration.convert.emission import compose

JOB = '<JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="x" DAYS="ALL"/>'


@pytest.mark.parametrize(
    "text",
    [
        f'<DEFTABLE><FOLDER FOLDER_NAME="F">{JOB}</FOLDER></DEFTABLE>',
        f'<DEFTABLE><SMART_FOLDER FOLDER_NAME="F">{JOB}</SMART_FOLDER></DEFTABLE>',
        f'<DEFTABLE><TABLE TABLE_NAME="F">{JOB}</TABLE></DEFTABLE>',
        f'<DEFTABLE><SCHED_TABLE TABLE_NAME="F">{JOB}</SCHED_TABLE></DEFTABLE>',
        f'<DEFTABLE><SMART_TABLE TABLE_NAME="F">{JOB}</SMART_TABLE></DEFTABLE>',
        f'<DEFTABLE><FOLDER FOLDER_NAME="F"><SUB_FOLDER JOBNAME="S">{JOB}</SUB_FOLDER></FOLDER></DEFTABLE>',
        '<DEFTABLE><FOLDER FOLDER_NAME="F"><JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="%%A"><AUTOEDIT2 NAME="%%A" VALUE="x"/></JOB></FOLDER></DEFTABLE>',
        '<DEFTABLE><FOLDER FOLDER_NAME="F"><JOB JOBNAME="J" TASKTYPE="Command" CMDLINE="%%A"><AUTOEDIT EXP="%%A=x"/></JOB></FOLDER></DEFTABLE>',
        '{"F": {"Type": "Folder", "J": {"Type": "Job:Command", "Command": "x"}}}',
        '{"F": {"Type": "SimpleFolder", "J": {"Type": "Job:Command", "Command": "x"}}}',
        '{"F": {"Type": "Folder", "Jobs": [{"Type": "Job:Command", "Name": "J", "Command": "x"}]}}',
        '{"Defaults": {"Job:Command": {"Command": "x"}}, "F": {"Type": "Folder", "J": {"Type": "Job:Command"}}}',
    ],
)
def test_every_form_of_an_export_is_read(tmp_path: Path, text: str) -> None:
    conversion = convert(tmp_path, text, name="export.json" if text.startswith("{") else "export.xml")
    task = next(task for task in dag_of(conversion, "F").tasks if task.task_id == "J")
    assert dict(task.arguments)["bash_command"] == "x"


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "utf-8"])
def test_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><DEFTABLE><FOLDER FOLDER_NAME="F"><JOB JOBNAME="J" CMDLINE="é"/></FOLDER></DEFTABLE>'
    (tmp_path / "x.xml").write_bytes(text.encode(encoding))
    assert dict(dag_of(read(tmp_path, {}), "F").task("J").arguments)["bash_command"] == "é"


@pytest.mark.parametrize(
    ("name", "text", "code", "line"),
    [
        ("a.xml", "<DEFTABLE>\n<FOLDER FOLDER_NAME='F'>\n</FLODER></DEFTABLE>", "xml-malformed", 3),
        ("b.xml", '<!DOCTYPE DEFTABLE [\n<!ENTITY a "b">\n]><DEFTABLE/>', "xml-entities", 2),
        ("c.xml", "<DEFTABLE>" + "<FOLDER>" * 100 + "</FOLDER>" * 100 + "</DEFTABLE>", "xml-too-deep", 1),
        ("d.json", '{"F": {"Type": "Folder"\n"Host": "h"}}', "json-malformed", 2),
        ("e.json", '{"Type": "Folder", "a": ' + "[" * 200_000 + "]" * 200_000 + "}", "json-too-deep", 0),
    ],
)
def test_a_broken_file_is_refused_by_name_and_line_and_the_others_are_read(
    tmp_path: Path, name: str, text: str, code: str, line: int
) -> None:
    (tmp_path / name).write_text(text)
    conversion = convert(tmp_path, f'<FOLDER FOLDER_NAME="GOOD">{JOB}</FOLDER>', name="good.xml")
    assert [(item.file, item.code, item.line) for item in conversion.rejected] == [(name, code, line)]
    assert conversion.rejected[0].hint
    assert [dag.dag_id for dag in conversion.dags] == ["GOOD"]


def test_a_huge_json_file_is_refused_without_being_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.json").open("wb") as file:
        file.write(b'{"F": {"Type": "Folder"')
        file.truncate(100 << 20)  # a hole: it takes no place
    conversion = convert(tmp_path, f'<FOLDER FOLDER_NAME="GOOD">{JOB}</FOLDER>', name="good.xml")
    assert [(item.file, item.code) for item in conversion.rejected] == [("huge.json", "json-too-large")]
    assert [dag.dag_id for dag in conversion.dags] == ["GOOD"]


def test_what_is_not_known_is_listed_and_what_is_bookkeeping_is_not(tmp_path: Path) -> None:
    text = (
        '<FOLDER FOLDER_NAME="F" LAST_UPLOAD="20200101" REAL_FOLDER_ID="3">'
        '<JOB JOBNAME="J" CMDLINE="x" DAYS="ALL" FLUX="7" CREATED_BY="me" VERSION_SERIAL="9"><WARP NAME="w"/></JOB></FOLDER>'
    )
    told = [
        (item.code, item.element)
        for item in dag_of(convert(tmp_path, text), "F").accounts
        if item.code.startswith("unknown-")
    ]
    assert told == [("unknown-attribute", "JOB@FLUX"), ("unknown-element", "WARP")]


def test_a_schedule_word_that_is_not_known_is_listed(tmp_path: Path) -> None:
    text = '{"F": {"Type": "Folder", "J": {"Type": "Job:Command", "Command": "x", "When": {"MoonPhase": "full"}}}}'
    dag = dag_of(convert(tmp_path, text, name="x.json"), "F")
    assert "schedule-unknown" in [item.code for item in dag.accounts if "MoonPhase" in item.reason]
    assert dag.schedule.expression is None


def test_the_same_folder_in_two_files_is_converted_once(tmp_path: Path) -> None:
    (tmp_path / "copy.xml").write_text(f'<DEFTABLE>\n\n<FOLDER FOLDER_NAME="F">{JOB}</FOLDER></DEFTABLE>')
    conversion = convert(tmp_path, f'<FOLDER FOLDER_NAME="F">{JOB}</FOLDER>')
    assert [dag.dag_id for dag in conversion.dags] == ["F"]
    assert [item.code for item in conversion.accounts] == ["folder-copy"]


def test_jobs_of_one_name_stay_two_jobs(tmp_path: Path) -> None:
    assert [
        task.task_id for task in dag_of(convert(tmp_path, f'<FOLDER FOLDER_NAME="F">{JOB}{JOB}</FOLDER>'), "F").tasks
    ] == ["J", "J_2"]


def test_secrets_of_connection_profiles_are_nowhere(tmp_path: Path) -> None:
    conversion = read(EXPORTS, {})
    assert "not-to-be-kept" in (EXPORTS / "finance.json").read_text()
    everything = json.dumps(report.as_data(conversion, "3.3"), default=str) + "".join(
        compose(conversion, "3.3").values()
    )
    assert "not-to-be-kept" not in everything
    need = next(item for item in conversion.connections if item.conn_id == "fin_db")
    assert (need.conn_type, need.host, need.port, need.login, need.schema) == ("postgres", "db01", 5432, "fin", "books")
    del tmp_path


def test_two_conversions_give_the_same_bytes() -> None:
    assert compose(read(EXPORTS, {}), "2.11") == compose(read(EXPORTS, {}), "2.11")


@pytest.mark.parametrize(
    ("profile", "key"),
    [
        ({"zone": "UTC"}, "zone"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"new_day": "25:00"}, "new_day"),
        ({"start": "soon"}, "start"),
        ({"start": date(1, 1, 1)}, "start"),
        ({"start": date(9999, 1, 1)}, "start"),
        ({"years": 0}, "years"),
        ({"hosts": {"a": 3}}, "hosts.a"),
        ({"week_starts_on": "friday"}, "week_starts_on"),
    ],
)
def test_a_wrong_profile_names_its_key(tmp_path: Path, profile: dict[str, object], key: str) -> None:
    with pytest.raises(Invalid) as why:
        convert(tmp_path, f'<FOLDER FOLDER_NAME="F">{JOB}</FOLDER>', profile)
    assert key in why.value.message


def test_strict_fails_when_something_raises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def code(*words: str) -> int:
        try:
            return run(["convert", "controlm", *words])
        except SystemExit as end:  # how --strict ends
            return int(end.code or 0)

    assert code(str(EXPORTS), "--out", str(tmp_path / "a"), "--report", str(tmp_path / "a.html")) == 0
    assert "PAYDAYS" in capsys.readouterr().err
    assert "raises until completed" in (tmp_path / "a.html").read_text()
    assert code(str(EXPORTS), "--out", str(tmp_path / "b"), "--strict") == 1
    assert code(str(EXPORTS / "finance.json"), "--out", str(tmp_path / "c"), "--strict", "--target", "2.11") == 0


@pytest.mark.parametrize(
    "when",
    [
        '"When": {"MoonPhase": "full", "MonthDays": ["ALL"]}',
        '"When": {"RuleBasedCalendars": {"Included": ["R"], "R": {"Type": "Calendar:RuleBased", "When": {"MoonPhase": "full"}}}}',
    ],
)
def test_a_schedule_that_is_not_understood_is_no_schedule(tmp_path: Path, when: str) -> None:
    text = '{"F": {"Type": "Folder", WHEN, "J": {"Type": "Job:Command", "Command": "x"}}}'.replace("WHEN", when)
    conversion = convert(tmp_path, text, name="x.json")
    assert dag_of(conversion, "F").schedule.expression is None
    assert [item.code for item in conversion.questions] == ["days-not-understood"]


def test_an_attribute_of_a_condition_that_is_not_known_is_listed(tmp_path: Path) -> None:
    text = '<FOLDER FOLDER_NAME="F"><JOB JOBNAME="J" CMDLINE="x" DAYS="ALL"><OUTCOND NAME="A" ODATE="ODAT" SIGN="+" FLUX="1"/></JOB></FOLDER>'
    told = [item.element for item in dag_of(convert(tmp_path, text), "F").accounts if item.code == "unknown-attribute"]
    assert told == ["OUTCOND@FLUX"]


@pytest.mark.parametrize("rule", ['CONFCAL="C" SHIFT="Sideways" DAYS="1"', 'DATE="20260301"', 'DATE="0301,soon"'])
def test_a_word_of_a_rule_that_is_not_understood_is_no_schedule(tmp_path: Path, rule: str) -> None:
    text = f'<FOLDER FOLDER_NAME="F"><JOB JOBNAME="J" CMDLINE="x" {rule}/></FOLDER>'
    assert dag_of(convert(tmp_path, text), "F").schedule.expression is None


def test_a_time_that_is_none_is_listed(tmp_path: Path) -> None:
    text = '<FOLDER FOLDER_NAME="F"><JOB JOBNAME="J" CMDLINE="x" DAYS="ALL" TIMEFROM="dawn"/></FOLDER>'
    assert "time-unknown" in {item.code for item in dag_of(convert(tmp_path, text), "F").accounts}


def accounts(conversion: Conversion, code: str) -> list[str]:
    return [item.name for dag in conversion.dags for item in dag.accounts if item.code == code]


def test_automation_api_policies_resources_and_orders_are_read_as_documented(tmp_path: Path) -> None:
    job = {
        "Type": "Job:Command",
        "Command": "x",
        "When": {
            "MonthDays": ["3"],
            "ConfirmationCalendars": {"Calendar": "C", "ExceptionPolicy": "OrderOnNextConfirmedDay"},
        },
        "pool": {"Type": "Resource:Pool", "Quantity": "2", "IfFail": "Keep"},
        "ok": {
            "Type": "If:CompletionStatus",
            "CompletionStatus": "OK",
            "set": {"Type": "Action:Set", "Variable": "\\\\P\\V", "Value": "%%ODATE"},
            "run": {"Type": "Action:Run", "Folder": "F", "Variables": [{"A": "1"}]},
        },
    }
    calendar = {"Type": "Calendar:Regular", "When": {"Years": [{"Year": "2026", "JAN": ["5"]}]}}
    tree = {"F": {"Type": "Folder", "AdjustEvents": "Bridge", "J": job}, "C": calendar}
    conversion = convert(tmp_path, json.dumps(tree), name="jobs.json")
    dag = dag_of(conversion, "F")
    assert "2026-01-05" in "".join(
        function.source for function in dag.functions
    )  # the 3rd, moved to the next confirmed day
    assert accounts(conversion, "resource-kept") == ["J"]
    assert accounts(conversion, "force-variables") == ["J"]
    assert dag.task("J_sets__P_V").role == "real"


def test_a_cyclic_folder_is_told(tmp_path: Path) -> None:
    text = f'<SMART_FOLDER FOLDER_NAME="F" CYCLIC="1" INTERVAL="00030M" DAYS="ALL">{JOB}</SMART_FOLDER>'
    assert accounts(convert(tmp_path, text), "folder-cyclic") == ["F"]


def test_sub_folders_and_jobs_of_one_name_keep_their_own_conditions(tmp_path: Path) -> None:
    wait = '<INCOND NAME="END" ODATE="ODAT" AND_OR="A"/>'
    add = '<OUTCOND NAME="END" ODATE="ODAT" SIGN="+"/>'
    first = f'<SUB_FOLDER JOBNAME="S">{wait}<JOB JOBNAME="S" CMDLINE="a"/></SUB_FOLDER>'
    second = f'<SUB_FOLDER JOBNAME="S"><JOB JOBNAME="S" CMDLINE="b"/>{add}</SUB_FOLDER><JOB JOBNAME="S" CMDLINE="c"/>'
    dag = dag_of(convert(tmp_path, f'<SMART_FOLDER FOLDER_NAME="F" DAYS="ALL">{first}{second}</SMART_FOLDER>'), "F")
    assert {task.full_id for task in dag.tasks} >= {"S.S", "S_2.S", "S_3"}
    assert [edge.before for edge in dag.edges if edge.after == "S.S_starts"] == ["S_2.S_ended"]


def test_a_folder_whose_jobs_are_all_cyclic_never_ends_by_itself(tmp_path: Path) -> None:
    inner = '<SUB_FOLDER JOBNAME="S"><OUTCOND NAME="END" SIGN="+"/><JOB JOBNAME="C" CMDLINE="x" CYCLIC="1" INTERVAL="00030M"/></SUB_FOLDER>'
    after = '<JOB JOBNAME="J" CMDLINE="y"><INCOND NAME="END"/></JOB>'
    dag = dag_of(convert(tmp_path, f'<SMART_FOLDER FOLDER_NAME="F" DAYS="ALL">{inner}{after}</SMART_FOLDER>'), "F")
    assert dag.task("S.S_ended").role == "raises"


def test_names_that_airflow_refuses_are_given_others(tmp_path: Path) -> None:
    job = '<JOB JOBNAME="J" CMDLINE="x"><QUANTITATIVE NAME="R é" QUANT="1"/></JOB>'
    boxes = f'<SUB_FOLDER JOBNAME="A"><SUB_FOLDER JOBNAME="A">{job}</SUB_FOLDER><SUB_FOLDER JOBNAME="J">{job}</SUB_FOLDER></SUB_FOLDER>'
    conversion = convert(tmp_path, f'<SMART_FOLDER FOLDER_NAME="F" DAYS="ALL">{boxes}{job}</SMART_FOLDER>')
    dag = dag_of(conversion, "F")
    assert [group.group_id for group in dag.groups] == [
        "A",
        "A.A_2",
        "A.J_2",
    ]  # compared with A and J without their prefix
    assert {task.full_id for task in dag.tasks} == {"A.A_2.J", "A.J_2.J", "J"}
    (pool,) = {task.pool for task in dag.tasks}
    assert [item.name for item in conversion.pools] == [pool]
    assert pool.startswith("R_")
    assert pool.isascii()


def test_a_sub_folder_that_inherits_an_order_method_is_ordered_with_its_folder(tmp_path: Path) -> None:
    text = """{"Defaults": {"OrderMethod": "Manual"}, "F": {"Type": "Folder", "OrderMethod": "Automatic", "S": {"Type": "SubFolder",
      "J": {"Type": "Job:Command", "Command": "x"}}}}"""
    conversion = convert(tmp_path, text, name="jobs.json")
    assert accounts(conversion, "unknown-attribute") == []
    assert dag_of(conversion, "F").schedule.expression is not None
