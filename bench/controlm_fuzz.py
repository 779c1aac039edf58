"""Converts random Control-M exports and proves each of them; one JSON line.

python -m bench.controlm_fuzz [--cases 500] [--seed 0] [--keep DIR] [--airflow] [--mutate DIR]

Every case is a folder of one to three files: XML of every folder tag, or Automation API JSON, read together. For each one nothing may crash, the
interpreters of both sides must agree for every date and outcome (`differences`), command lines must be those of Control-M (`command_changes`), the
files must compile, and two conversions must give the same bytes. With --airflow the DAGs of all cases are read by both real Airflows.
With --mutate the cases are the files of a folder with attributes dropped, values swapped, other encodings and other case.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

from bench.controlm_cases import write_case
from bench.controlm_commands import command_changes
from bench.controlm_dates import date_changes
from bench.controlm_mutations import mutated

from aerodrome.migration.convert.contract import TARGETS, Conversion
from aerodrome.migration.convert.controlm.definitions.gathering import gather
from aerodrome.migration.convert.controlm.proof.comparison import compare
from aerodrome.migration.convert.controlm.reading import read
from aerodrome.migration.convert.controlm.site import read_site
from aerodrome.migration.convert.controlm.world import plan_world
from aerodrome.migration.convert.emission import compose

PROFILES: tuple[dict[str, object], ...] = (
    {},
    {"years": 1, "timezone": "Europe/Paris", "new_day": "07:00", "default_host": "worker"},
    {"years": 2, "week_starts_on": "sunday"},
)


def check(folder: Path, profile: dict[str, object], found: Counter[str]) -> tuple[list[str], Conversion]:
    """Convert one case; give what is wrong with it, in words, and what it became."""
    wrong: list[str] = []
    profile = {"years": 1, **profile}
    conversion = read(folder, profile)
    for target in TARGETS:
        files = compose(conversion, target)
        if files != compose(read(folder, profile), target):
            wrong.append(f"{target}: two conversions differ")
        for name, text in files.items():
            if str(name).endswith(".py"):
                try:
                    compile(text, str(name), "exec")
                except SyntaxError as error:
                    wrong.append(f"{target}: {name}: {error}")
    world = plan_world(gather(folder), read_site(profile))
    dags = {dag.dag_id: dag for dag in conversion.dags}
    for plan in world.plans:
        found["folders"] += 1
        dag = dags.get(plan.dag_id)
        jobs = list(plan.folder.jobs())
        found["jobs"] += len(jobs)
        if dag is None:
            if any(job.path not in plan.apart for job in jobs):
                wrong.append(f"{plan.dag_id}: no DAG")
            continue
        told = {item.name for made in conversion.dags for item in made.accounts}
        wrong += [f"{plan.dag_id}: {job.name} has no account" for job in jobs if job.name not in told]
        if difference := next(compare(world, plan, dag, 16), None):
            wrong.append(f"difference: {difference}")
        wrong += [f"date: {plan.dag_id}: {late}" for late in date_changes(plan, dag)]
        for change in command_changes(world, plan, dag):
            found["command_lines"] += 1
            if change:
                wrong.append(f"command: {plan.dag_id}: {change}")
    found["raises"] += sum(task.role == "raises" for dag in conversion.dags for task in dag.tasks)
    found["tasks"] += sum(task.role in ("raises", "real") for dag in conversion.dags for task in dag.tasks)
    return wrong, conversion


def main() -> None:
    """Run the cases."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="where the files of wrong cases go")
    parser.add_argument("--mutate", type=Path, help="mutate the files of this folder instead of making new ones")
    parser.add_argument("--airflow", action="store_true", help="read the DAGs under both real Airflows")
    options = parser.parse_args()
    found: Counter[str] = Counter()
    kept: list[Conversion] = []
    for number in range(options.seed, options.seed + options.cases):
        random = Random(number)
        with tempfile.TemporaryDirectory(prefix="aerodrome-fuzz-") as scratch:
            folder = Path(scratch)
            if options.mutate:
                mutated(random, options.mutate, folder)
            else:
                write_case(random, folder)
            found["cases"] += 1
            try:
                wrong, conversion = check(folder, dict(random.choice(PROFILES)), found)
                kept.append(conversion)
            except Exception:  # noqa: BLE001  (the crash is what it looks for)
                wrong = [traceback.format_exc()]
                found["crashes"] += 1
            if wrong:
                found["wrong"] += 1
                sys.stderr.write(f"fuzz: case {number}: " + "\n  ".join(wrong[:4]) + "\n")
                if options.keep:
                    for file in folder.iterdir():
                        options.keep.mkdir(parents=True, exist_ok=True)
                        (options.keep / f"{number}-{file.name}").write_bytes(file.read_bytes())
    result: dict[str, object] = {
        name: found[name]
        for name in ("cases", "folders", "jobs", "command_lines", "tasks", "raises", "crashes", "wrong")
    }
    if options.airflow:
        result |= _under_airflow(kept)
    sys.stdout.write(json.dumps(result) + "\n")


def _under_airflow(cases: list[Conversion]) -> dict[str, object]:
    """Read the DAGs of all cases at once, each under a name of its own."""
    from bench.convert_controlm import under_airflow

    dags = []
    for number, case in enumerate(cases):
        dags += [replace(dag, dag_id=f"c{number}__{dag.dag_id}"[:240]) for dag in case.dags]
    whole = Conversion(
        "controlm",
        tuple(dags),
        definitions=len(dags),
        files=next((case.files for case in cases if any("approval" in file.path for file in case.files)), ()),
        packages=tuple(sorted({name for case in cases for name in case.packages})),
    )
    read_dags = under_airflow(whole, is_verbose=True)
    result: dict[str, object] = {"dags": len(dags)}
    for target, found in read_dags.items():
        result[f"imported_{target.replace('.', '_')}"] = len(found)
    return result


if __name__ == "__main__":
    main()
