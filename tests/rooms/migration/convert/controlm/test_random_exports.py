"""Random and damaged exports: nothing crashes, nothing changes in silence, two conversions give the same files.

`python -m bench.controlm_fuzz` does the same in volume.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from bench.controlm_cases import write_case
from bench.controlm_fuzz import PROFILES, check
from bench.controlm_mutations import mutated
from tests.rooms.migration.convert.controlm.sample import EXPORTS


@pytest.mark.parametrize("seed", range(12))
def test_a_random_estate_is_converted_as_it_runs(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    write_case(random, tmp_path)
    found: Counter[str] = Counter()
    wrong, _ = check(tmp_path, dict(random.choice(PROFILES)), found)
    assert wrong == []
    assert found["jobs"] > 0


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_export_is_converted_or_refused_but_never_crashes(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    mutated(random, EXPORTS, tmp_path)
    wrong, _ = check(tmp_path, {}, Counter())
    assert wrong == []
