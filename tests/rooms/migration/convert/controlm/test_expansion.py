"""The oracle of command lines writes %% variables out as Control-M does; a command of a DAG that differs from it is seen."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from bench.controlm_commands import command_changes
from tests.rooms.migration.convert.controlm.sample import dag_of

from aerodrome.migration.convert.controlm.definitions.gathering import gather
from aerodrome.migration.convert.controlm.proof.expansion import Expander, Moment, Unclear
from aerodrome.migration.convert.controlm.reading import read
from aerodrome.migration.convert.controlm.site import read_site
from aerodrome.migration.convert.controlm.world import plan_world

MOMENT = Moment(date(2026, 3, 1), datetime(2026, 3, 2, 14, 5, 9, tzinfo=UTC), "r1", 2)
VARIABLES = {
    "DIR": "/data/%%$ODATE",
    "DAY": "%%CALCDATE %%ODATE -1",
    "PART": "%%SUBSTR %%$ODATE 1 6",
    "NEXT": "%%N %%PLUS 1",
    "N": "5",
    "JOB-ID": "9",
}


def expand(text: str) -> str:
    return Expander(
        {"JOBNAME": "LOAD", "APPLIC": "RETAIL"}, VARIABLES, MOMENT, {"REGION": "north", "POOL.KEY": "7"}
    ).expand(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cp %%DIR./x %%PART", "cp /data/20260301/x 202603"),
        ("%%DAY and %%NEXT", "260228 and 6"),
        ("f_%%ODATE..csv", "f_260301.csv"),
        ("%%APPLIC.%%JOBNAME", "RETAILLOAD"),
        ("%%JOBNAME%%.X", "LOADX"),
        ("%%JOB-ID-x %%ODATE-x", "9-x 260301-x"),
        ("%%REGION %%\\\\POOL\\KEY", "north 7"),
        ("%%TIME %%RUNCOUNT %%ORDERID a%%BLANK2.b", "140509 2 r1 a  b"),
        ("%%OJULDAY %%OWDAY 100%% sure", "060 0 100%% sure"),
    ],
)
def test_a_text_is_written_out_for_a_day(text: str, expected: str) -> None:
    assert expand(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%%TAPE_%%ODAY", "first"),
        ("x%%TAPE_%%ODAY...%%N", "xfirst.5"),
        ("%%#N is %%N", "%%N is 5"),
        ("%%N.%%N%%.7", "557"),
    ],
)
def test_two_variables_without_a_period_name_a_third_one_from_right_to_left(text: str, expected: str) -> None:
    expander = Expander({}, {"TAPE_01": "first", "TAPE_02": "second", "N": "5"}, MOMENT, {})
    assert expander.expand(text) == expected


def test_a_sum_of_what_is_no_number_has_no_reading() -> None:
    with pytest.raises(Unclear):
        Expander({}, {"SUM": "x %%PLUS 1"}, MOMENT, {}).expand("%%SUM")


def test_a_changed_command_is_seen(tmp_path: Path) -> None:
    job = {
        "Type": "Job:Command",
        "Command": "load %%MONTH_OF %%$ODATE..csv %%DAY_BEFORE %%REGION",
        "Variables": [{"MONTH_OF": "%%SUBSTR %%$ODATE 1 6"}, {"DAY_BEFORE": "%%CALCDATE %%ODATE -1"}],
    }
    (tmp_path / "jobs.json").write_text(json.dumps({"F": {"Type": "Folder", "J": job}}))
    world = plan_world(gather(tmp_path), read_site({}))
    dag = dag_of(read(tmp_path, {}), "F")
    assert list(command_changes(world, world.plans[0], dag)) == [None] * 4
    for old, new in (("[0:6]", "[0:5]"), (", -1)", ", 1)"), (".csv", "csv"), ("controlm.REGION", "controlm.region")):
        tasks = tuple(
            replace(
                task,
                arguments=tuple(
                    (key, value.replace(old, new) if isinstance(value, str) else value) for key, value in task.arguments
                ),
            )
            for task in dag.tasks
        )
        found = list(command_changes(world, world.plans[0], replace(dag, tasks=tasks)))
        assert all(found), (old, found)


def test_the_oracle_numbers_weekdays_from_the_start_of_the_week() -> None:
    moment = replace(MOMENT, is_week_from_sunday=True)
    assert Expander({}, {}, moment, {}).expand("%%OWDAY %%WDAY") == "1 2"
