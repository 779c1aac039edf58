"""Converts every Control-M definition of a folder and compares a day of Control-M with the DAGs; one JSON line.

python -m bench.convert_controlm --corpus DIR [--profile FILE] [--verbose]

`definitions`: folders and refused files. `converted_share`: those that gave a DAG. `real_job_share`: tasks of jobs that do not raise. `scheduled_or_asked`: folders
that have a schedule, or whose report says why not. `silent_changes`: folders for which some date and some outcome runs other jobs than in Control-M, in
another order, or ends otherwise.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import yaml

from aerodrome.migration.convert.controlm.comparison import compare
from aerodrome.migration.convert.controlm.gathering import gather
from aerodrome.migration.convert.controlm.reading import read
from aerodrome.migration.convert.controlm.site import read_site
from aerodrome.migration.convert.controlm.world import plan_world
from aerodrome.migration.convert.emission import compose


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--profile", type=Path, help="a profile, such as one that maps types of jobs")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    profile = yaml.safe_load(options.profile.read_text()) if options.profile else {}
    begun = time.monotonic()
    conversion = read(options.corpus, profile)
    compose(conversion, "3.3")
    seconds = time.monotonic() - begun
    world = plan_world(gather(options.corpus), read_site(profile))
    dags = {dag.dag_id: dag for dag in conversion.dags}
    silent = 0
    for plan in world.plans:
        if plan.dag_id in dags and (found := next(compare(world, plan, dags[plan.dag_id]), None)):
            silent += 1
            if options.verbose:
                sys.stderr.write(f"bench: {found}\n")
    tasks = [task for dag in conversion.dags for task in dag.tasks if task.role in ("real", "raises")]
    answered = sum(plan.is_scheduled or plan.why_not is not None for plan in world.plans)
    result = {
        "definitions": conversion.definitions,
        "converted_share": round(len(world.plans) / max(conversion.definitions, 1), 4),
        "dags": len(conversion.dags),
        "real_job_share": round(sum(task.role == "real" for task in tasks) / max(len(tasks), 1), 4),
        "scheduled_or_asked": round(answered / max(len(world.plans), 1), 4),
        "questions": len(conversion.questions),
        "silent_changes": silent,
        "seconds": round(seconds, 2),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
