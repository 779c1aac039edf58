"""Converts every Control-M definition of a folder and compares a day of Control-M with the DAGs; one JSON line.

python -m bench.convert_controlm --corpus DIR [--profile FILE] [--airflow] [--verbose]

`definitions`: folders and refused files. `converted_share`: those that gave a DAG. `real_action_share`: tasks of jobs that do not raise. `scheduled_or_asked`: folders
that have a schedule, or whose report says why not. `silent_changes`: folders for which some date and some outcome runs other jobs than in Control-M, in
another order, or ends otherwise, jobs that are ordered on other dates than their JSON says, conditions that are kept or awaited with another date, and command lines (of `command_lines`: jobs times days) that do not say what Control-M runs. With --airflow both real Airflows read every DAG (`import_share_*`), and the first 50 run times that they compute for folders are
compared with the dates of Control-M (`times_off`).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from bench.controlm_commands import command_changes
from bench.controlm_dates import date_changes
from bench.controlm_when import when_changes
from bench.convert_oozie import RUNS, read_under, venv

from aerodrome.migration.convert.contract import TARGETS, Conversion, Dag, Target
from aerodrome.migration.convert.controlm.definitions.gathering import gather
from aerodrome.migration.convert.controlm.proof.comparison import compare
from aerodrome.migration.convert.controlm.reading import read
from aerodrome.migration.convert.controlm.site import read_site
from aerodrome.migration.convert.controlm.world import World, plan_world
from aerodrome.migration.convert.emission import compose, emit
from aerodrome.parsing.contract import ParsedDag


def under_airflow(conversion: Conversion, *, is_verbose: bool) -> dict[Target, dict[str, ParsedDag]]:
    """Read the DAGs under both real Airflows, with the packages that the project says it needs."""
    found: dict[Target, dict[str, ParsedDag]] = {}
    with tempfile.TemporaryDirectory(prefix="aerodrome-bench-") as scratch:
        for target in TARGETS:
            project, files = Path(scratch) / f"project-{target}", compose(conversion, target)
            emit(files, project)
            place = Path(scratch) / f"home-{target}"
            read_dags, failed = read_under(project, target, venv(target, files), place)
            if is_verbose and failed:
                sys.stderr.write(f"bench: {target}: not read: {', '.join(failed)}\n")
            found[target] = read_dags
    return found


def times_off(world: World, dags: Mapping[str, Dag], read_dags: Mapping[str, ParsedDag]) -> list[str]:
    """Name the folders whose first run times are not the times of their dates in Control-M."""
    off = []
    clock = world.site.clock
    for plan in world.plans:
        if plan.dag_id not in dags or plan.dag_id not in read_dags or not plan.is_scheduled or not plan.dates:
            continue
        if dags[plan.dag_id].schedule.expression is None or plan.repeats:
            continue
        wanted = []
        for odate in sorted(plan.dates)[:RUNS]:
            day, minutes = clock.moment(odate, plan.tick)
            local = datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=ZoneInfo(clock.timezone))
            wanted.append(local.astimezone(UTC).isoformat())
        if [run.run_after for run in read_dags[plan.dag_id].next_runs][: len(wanted)] != wanted:
            off.append(plan.dag_id)
    return off


def measure(corpus: Path, profile: Mapping[str, Any], *, with_airflow: bool, is_verbose: bool) -> dict[str, Any]:
    """Give the figures of a folder; those of the real Airflows where they are asked."""
    begun = time.monotonic()
    conversion = read(corpus, profile)
    compose(conversion, "3.3")
    seconds = time.monotonic() - begun
    world = plan_world(gather(corpus), read_site(profile))
    dags = {dag.dag_id: dag for dag in conversion.dags}
    dated = list(when_changes(corpus, world))
    silent, commands = len(dated), 0
    if is_verbose:
        sys.stderr.writelines(f"bench: {item}\n" for item in dated)
    for plan in world.plans:
        if plan.dag_id not in dags:
            continue
        dag = dags[plan.dag_id]
        changes = list(command_changes(world, plan, dag))
        commands += len(changes)
        found = [*([first] if (first := next(compare(world, plan, dag), None)) else []), *date_changes(plan, dag)]
        told = [*found, *(change for change in changes if change)]
        silent += len(told)
        if is_verbose:
            sys.stderr.writelines(f"bench: {plan.dag_id}: {item}\n" for item in told)
    tasks = [task for dag in conversion.dags for task in dag.tasks if task.role in ("real", "raises")]
    answered = sum(plan.is_scheduled or plan.why_not is not None for plan in world.plans)
    figures: dict[str, Any] = {
        "definitions": conversion.definitions,
        "converted_share": round(len(world.plans) / max(conversion.definitions, 1), 4),
        "dags": len(conversion.dags),
        "actions": len(tasks),
        "real_action_share": round(sum(task.role == "real" for task in tasks) / max(len(tasks), 1), 4),
        "scheduled_or_asked": round(answered / max(len(world.plans), 1), 4),
        "questions": len(conversion.questions),
        "silent_changes": silent,
        "command_lines": commands,
        "seconds": round(seconds, 2),
    }
    if with_airflow:
        read_dags = under_airflow(conversion, is_verbose=is_verbose)
        off = sorted({name for dags_read in read_dags.values() for name in times_off(world, dags, dags_read)})
        if is_verbose and off:
            sys.stderr.write(f"bench: run times differ: {', '.join(off)}\n")
        for target, dags_read in read_dags.items():
            figures[f"import_share_{target.replace('.', '_')}"] = round(len(dags_read) / max(len(dags), 1), 4)
        figures["times_off"] = len(off)
    return figures


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--profile", type=Path, help="a profile, such as one that maps types of jobs")
    parser.add_argument("--airflow", action="store_true", help="read the DAGs under both real Airflows")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    profile = yaml.safe_load(options.profile.read_text()) if options.profile else {}
    figures = measure(options.corpus, profile, with_airflow=options.airflow, is_verbose=options.verbose)
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
