"""The benchmark's own reader of schedules: it sees what the converter would read wrong, and agrees where it reads right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from bench.controlm_json_cases import JsonCase
from bench.controlm_when import when_changes

from aerodrome.migration.convert.controlm.dates.ordering import FolderOrder, Ordered
from aerodrome.migration.convert.controlm.definitions.gathering import gather
from aerodrome.migration.convert.controlm.site import read_site
from aerodrome.migration.convert.controlm.world import World, plan_world

JOB = {"Type": "Job:Command", "Command": "x", "Host": "h"}
MONDAYS = {"WeekDays": ["MON"]}


def world_of(folder: Path, tree: Mapping[str, object]) -> World:
    (folder / "f.json").write_text(json.dumps(tree))
    return plan_world(gather(folder), read_site({}))


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ({**MONDAYS, "RuleBasedCalendars": {"Excluded": ["HOLIDAYS"]}}, {}),
        (MONDAYS, {"WeekDays": ["NONE"], "MonthDays": ["NONE"]}),
        (MONDAYS, {"Schedule": "Never"}),
        (MONDAYS, {"MonthDays": ["1", "L1"], "DaysRelation": "AND", "WeekDays": ["MON"], "Months": ["MAR"]}),
    ],
)
def test_a_job_that_runs_on_the_dates_of_its_folder_is_seen(
    tmp_path: Path, outer: dict[str, object], inner: dict[str, object]
) -> None:
    job = {**JOB, "When": inner} if inner else JOB
    world = world_of(tmp_path, {"F": {"Type": "Folder", "When": outer, "J": job}})
    assert list(when_changes(tmp_path, world)) == []
    other = tmp_path / "other"
    other.mkdir()
    mondays = world_of(other, {"F": {"Type": "Folder", "When": MONDAYS, "J": JOB}}).plans[0].order.jobs["F", "J"]
    wrong = FolderOrder({("F", "J"): Ordered(mondays.dates)}, mondays.dates)
    changed = replace(world, plans=(replace(world.plans[0], order=wrong),))
    (other / "f.json").unlink()
    assert len(list(when_changes(tmp_path, changed))) == 1


@pytest.mark.parametrize("seed", range(60))
def test_random_schedules_are_read_alike(tmp_path: Path, seed: int) -> None:
    (tmp_path / "f.json").write_text(JsonCase(Random(seed)).export(3))
    world = plan_world(gather(tmp_path), read_site({}))
    assert list(when_changes(tmp_path, world)) == []
