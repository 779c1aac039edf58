"""Converts every Oozie and Control-M definition of a folder and proves the results; one JSON line.

python -m bench.convert --corpus DIR [--profile FILE] [--verbose]

The figures of both kinds together, and of each: `bench.convert_oozie` and `bench.convert_controlm` say what they count. `real_action_share` is of actions
and jobs, the `import_share_*` of DAGs, `exact_share` of coordinators and bundles; `times_off` are folders whose first 50 run times, as both real Airflows
compute them, are not the dates of Control-M. A kind of which the folder has nothing is null.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from bench import convert_controlm, convert_oozie

from aerodrome.migration.convert.contract import Target

Figures = dict[str, Any]


def together(oozie: Figures | None, controlm: Figures | None) -> Figures:
    """Add both kinds up; shares by what they are shares of."""
    both = [figures for figures in (oozie, controlm) if figures]
    return {
        "definitions": sum(figures["definitions"] for figures in both),
        "malformed": sum(figures.get("malformed", 0) for figures in both),
        "converted_share": _share(both, "converted_share", "definitions"),
        "import_share_2_11": _share(both, "import_share_2_11", "dags"),
        "import_share_3_3": _share(both, "import_share_3_3", "dags"),
        "real_action_share": _share(both, "real_action_share", "actions"),
        "exact_share": oozie["exact_share"] if oozie else None,
        "times_off": controlm["times_off"] if controlm else None,
        "silent_changes": sum(figures["silent_changes"] for figures in both),
        "seconds": round(sum(figures["seconds"] for figures in both), 2),
        "oozie": oozie,
        "controlm": controlm,
    }


def _share(both: Sequence[Figures], share: str, of: str) -> float | None:
    parts = [(figures[share], figures[of]) for figures in both]
    total = sum(count for _, count in parts)
    return round(sum(value * count for value, count in parts) / total, 4) if total else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--corpus", type=Path, default=Path(os.environ.get("CORPUS") or "."), help="folder with definitions"
    )
    parser.add_argument("--profile", type=Path, help="a profile, such as one that maps types of Control-M jobs")
    parser.add_argument(
        "--venv-2-11", type=Path, help="a virtualenv with Airflow 2.11 and the smtp provider, for Oozie"
    )
    parser.add_argument("--venv-3-3", type=Path, help="a virtualenv with Airflow 3.3 and the smtp provider, for Oozie")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    corpus = given.corpus.resolve()
    profile = yaml.safe_load(given.profile.read_text()) if given.profile else {}
    known: dict[Target, Path | None] = {"2.11": given.venv_2_11, "3.3": given.venv_3_3}
    places = {target: place for target, place in known.items() if place is not None}
    with tempfile.TemporaryDirectory(prefix="aerodrome-bench-") as scratch:
        oozie = convert_oozie.measure(corpus, places, Path(scratch), is_verbose=given.verbose)
    controlm = convert_controlm.measure(corpus, profile, with_airflow=True, is_verbose=given.verbose)
    line = together(*(figures if figures["dags"] else None for figures in (oozie, controlm)))
    sys.stdout.write(json.dumps(line) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
