"""Random definitions of every kind convert, and do the same as in Oozie; `bench.convert_random` runs them in volume under real Airflows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bench.convert_oozie import real_actions, samples_for, silent
from bench.convert_random import plugin, write_sample, wrong_uris
from bench.oozie_random import Maker

from aerodrome.migration.convert.contract import TARGETS
from aerodrome.migration.convert.emission import compose
from aerodrome.migration.convert.oozie.frequency import read_time
from aerodrome.migration.convert.oozie.reading import read


@pytest.mark.parametrize("seed", range(12))
def test_random_estates_keep_their_meaning(seed: int, tmp_path: Path) -> None:
    sample = Maker(seed).estate()
    write_sample(sample, tmp_path)
    conversion = read(tmp_path, {})
    assert not conversion.rejected
    for target in TARGETS:
        for name, text in compose(conversion, target).items():
            if name.endswith(".py"):
                compile(text, name, "exec")
    assert silent(conversion, tmp_path, {}, is_verbose=True) == (0, set())
    real, actions = real_actions(conversion)
    recursions = sum(item.code == "sub-workflow-recursion" for dag in conversion.dags for item in dag.accounts)
    assert real >= actions - recursions
    module = plugin()
    for dag in conversion.dags:
        file = next((item.origin.file for item in dag.accounts if item.element.startswith("coordinator/")), "")
        assert wrong_uris(dag, sample.inputs.get(file.partition("/")[0], []), module) == []


@pytest.mark.parametrize(
    ("text", "ending", "found"),
    [
        ("${from}", "Z", {"from": "2015-03-01T00:00Z"}),
        ("${day}T00:00+0900", "+0900", {"day": "2015-03-01"}),
        ("${day}T0${hour}:30Z", "Z", {"day": "2015-03-01"}),
        ("${day}Z", "Z", {"day": "2015-03-01T00:00"}),
        ("${year}-${month}-01T00:00Z", "Z", {"year": "2015", "month": "03"}),
    ],
)
def test_samples_make_the_time_that_they_stand_in(text: str, ending: str, found: dict[str, str]) -> None:
    given = samples_for("start", text, ending)
    assert given.items() >= found.items()
    assert read_time(re.sub(r"\$\{(\w+)\}", lambda match: given[match[1]], text), ending) is not None
