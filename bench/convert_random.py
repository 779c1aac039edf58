"""Converts random Oozie definitions in volume and proves the result; one JSON line.

python -m bench.convert_random [--seeds 0:200] [--venv-2-11 VENV --venv-3-3 VENV] [--verbose]

Every definition is one that Oozie accepts, so every one of them has to convert, be read by both Airflows, and do the same as in Oozie: runs on
paper, arguments, run times as in `bench.convert_oozie`; `uri_differences` are data-ins whose instances are others than those of an oracle that reads no XML.
Without virtualenvs the DAGs are only compiled.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import types
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from bench.convert_oozie import is_exact, note, read_under, real_actions, silent
from bench.oozie_random import DataIn, Maker, Sample

from aerodrome.migration.convert.contract import Dag, Target
from aerodrome.migration.convert.emission import compose, emit
from aerodrome.migration.convert.oozie import inside, oracle
from aerodrome.migration.convert.oozie.frequency import read_time, read_zone
from aerodrome.migration.convert.oozie.reading import read
from aerodrome.parsing.contract import ParsedDag

_UNITS = {
    "MINUTE": ("minutes", 1),
    "HOUR": ("hours", 1),
    "DAY": ("days", 1),
    "MONTH": ("months", 1),
    "YEAR": ("months", 12),
}


def write_sample(sample: Sample, folder: Path) -> None:
    """Write the files of an estate."""
    for name, text in sample.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def plugin() -> types.ModuleType:
    """Load the plugin that stands beside converted DAGs, as they import it."""
    module = types.ModuleType("oozie_instances")
    path = Path(inside.__path__[0]) / "oozie_instances.py"
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
    return module


def wrong_uris(dag: Dag, wanted: list[DataIn], module: types.ModuleType) -> list[str]:
    """Name the data-ins whose instances are not Oozie's, for the first run times."""
    names: dict[str, Any] = {**vars(module), "datetime": datetime, "timedelta": timedelta}
    sources = {function.name: function.source for function in dag.functions}
    times = oracle.nominal_times(dag.schedule.oracle, 12) if dag.schedule.oracle else []
    wrong = []
    for item in wanted:
        name = f"{item.name.replace('-', '_')}_uris"
        if name not in sources:
            continue
        exec(sources[name], names)
        wrong += [
            item.name
            for moment in times
            if names[name](moment, {}) != [uri(item, one) for one in instances(item, moment)]
        ][:1]
    return wrong


def uri(item: DataIn, moment: datetime) -> str:
    text = item.template
    moment = moment.astimezone(datetime.strptime(item.initial[16:], "%z").tzinfo)  # the clock of the server
    for word, value in (
        ("YEAR", moment.year),
        ("MONTH", moment.month),
        ("DAY", moment.day),
        ("HOUR", moment.hour),
        ("MINUTE", moment.minute),
    ):
        text = text.replace(f"${{{word}}}", f"{value:02}")
    return text


def instances(item: DataIn, nominal: datetime) -> list[datetime]:
    """Give the instances, the newest first: a walk from the initial instance on (Oozie 5.2, CoordELFunctions)."""
    known, zone = _known(item, nominal.year), oracle.named_zone(read_zone(item.zone) or "UTC")
    current = bisect_right(known, nominal) - 1
    if current < 0:
        return []
    (kind, low, unit), (_, high, _) = item.first, item.last
    if kind == "current":
        begin = current + low
        moment = known[begin] if begin >= 0 else oracle.plus(known[0], item.unit, begin * item.amount, zone)
        found = []
        for _ in range(low, high + 1):
            found.append(moment)
            moment = oracle.plus(moment, item.unit, item.amount, zone)
        return [moment for moment in reversed(found) if moment >= known[0]]
    word, times = _UNITS[unit]
    bounds = [oracle.plus(known[current], word, amount * times, zone) for amount in (low, high)]
    if kind == "offset":
        return [moment for moment in known if moment <= bounds[0]][-1:]
    return [moment for moment in reversed(known) if bounds[0] <= moment <= bounds[1]]


@cache
def _known(item: DataIn, year: int) -> list[datetime]:
    zone, initial = read_zone(item.zone) or "UTC", read_time(item.initial)
    assert initial is not None
    series = {
        "unit": item.unit,
        "amount": str(item.amount),
        "end_of": item.end_of,
        "zone": zone,
        "start": initial.isoformat(),
    }
    return oracle.times_until(series, datetime(year + 1, 3, 1, tzinfo=UTC))


def measure(seeds: range, places: Mapping[Target, Path], scratch: Path, *, is_verbose: bool) -> dict[str, Any]:
    root = scratch / "source"
    samples = {f"e{seed}": Maker(seed).estate() for seed in seeds}
    wanted: dict[str, list[DataIn]] = {}
    crashes = 0
    for name, sample in samples.items():
        write_sample(sample, scratch / "single" / name)
        try:
            conversion = read(scratch / "single" / name, {})
            compose(conversion, "3.3")
            compose(conversion, "2.11")
        except Exception as error:  # noqa: BLE001  (what this looks for)
            crashes += 1
            note(f"{name}: {type(error).__name__} {error}")
            continue
        write_sample(sample, root / name)
        wanted |= {f"{name}/{folder}/coordinator.xml": inputs for folder, inputs in sample.inputs.items()}
    started = time.perf_counter()
    conversion = read(root, {})
    seconds = time.perf_counter() - started
    read_dags: dict[Target, dict[str, ParsedDag]] = {}
    shares: dict[str, float | None] = {}
    for target in ("2.11", "3.3"):
        project = scratch / f"project-{target}"
        emit(compose(conversion, target), project)
        if target not in places:
            continue
        read_dags[target], failed = read_under(project, target, places[target], scratch / f"home-{target}")
        shares[target] = round(len(read_dags[target]) / max(1, len(conversion.dags)), 4)
        note(f"{target}: {len(read_dags[target])} of {len(conversion.dags)} DAGs, {len(failed)} failures")
    changes, off = silent(conversion, root, read_dags, is_verbose=is_verbose)
    module = plugin()
    timed = [dag for dag in conversion.dags if any(item.element.startswith("coordinator/") for item in dag.accounts)]
    uris = {}
    for dag in timed:
        file = next((item.origin.file for item in dag.accounts if item.element.startswith("coordinator/")), "")
        if wrong := wrong_uris(dag, wanted.get(file, []), module):
            uris[dag.dag_id] = wrong
    if is_verbose:
        note(f"uris: {uris}")
        raising = Counter(
            (item.element, item.code, item.reason[:100])
            for dag in conversion.dags
            for item in dag.accounts
            if item.outcome == "raises"
        )
        for (element, code, reason), count in raising.most_common(40):
            note(f"{count} raise: {element} {code} {reason}")
    real, actions = real_actions(conversion)
    return {
        "definitions": conversion.definitions,
        "crashes": crashes,
        "converted_share": round(1 - len(conversion.rejected) / max(1, conversion.definitions), 4),
        "import_share_2_11": shares.get("2.11"),
        "import_share_3_3": shares.get("3.3"),
        "real_action_share": round(real / max(1, actions), 4),
        "exact_share": round(sum(is_exact(dag, off) for dag in timed) / max(1, len(timed)), 4),
        "silent_changes": changes,
        "uri_differences": len(uris),
        "groups": sum(len(dag.groups) for dag in conversion.dags),
        "actions": actions,
        "coordinator_dags": len(timed),
        "seconds": round(seconds, 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0:200", help="first:last, the last one left out")
    parser.add_argument("--venv-2-11", type=Path, help="a virtualenv with Airflow 2.11 and the smtp provider")
    parser.add_argument("--venv-3-3", type=Path, help="a virtualenv with Airflow 3.3 and the smtp provider")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    first, _, last = given.seeds.partition(":")
    places: dict[Target, Path] = {}
    if given.venv_2_11:
        places["2.11"] = given.venv_2_11
    if given.venv_3_3:
        places["3.3"] = given.venv_3_3
    with tempfile.TemporaryDirectory(prefix="aerodrome-random-") as scratch:
        line = measure(range(int(first), int(last)), places, Path(scratch), is_verbose=given.verbose)
    sys.stdout.write(json.dumps(line) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
