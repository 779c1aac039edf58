"""Upgrades and proves the example DAGs that Airflow and its providers ship; one JSON line.

python -m bench.upgrade --corpus 2.11=VENV_OR_FOLDER --source 2.11=VENV --target VENV [--corpus …] [--source …]

Without arguments the corpora are those of Airflow 1.10.15, 2.2.5 (where there is a Python 3.8) and 2.11.2, in virtualenvs that are made (AERODROME_BENCH_CACHE). A corpus with a source is
proved, too: `parses_before` is the share of files that the target reads as they are, `parses_after` upgraded, `structurally_equal` the share that
is equal or equal but for explained differences, both of the files that the source reads. `raising` counts files among these in which a task raises because its
class is gone and a stand-in took its place; the shares without them are `parses_after_not_raising` and `structurally_equal_not_raising`. The target has what the upgraded project's requirements.txt asks for. `CORPUS=DIR` adds a folder: files that import as 1.10 did are
read by 1.10.15, the others by 2.11.2 with the providers that they import, and where that cannot, by 2.4.3 with those of 2022-12. Rewriting is timed on one
core without ruff's pass, the proof three times, each `…_files_per_s` by the clock, with whatever else the machine does, and `…_cpu_s_per_file` in processor time of both
readings of a file, so that two cores prove at most 2 / cpu_s_per_file files a second when nothing else runs:
`proof_cold_…`: no interpreter is there. Starting two and importing Airflow in them is in the clock's figure, not in that of processor time.
`proof_…`: both interpreters are there with Airflow imported (untouched files were proved before), not the libraries that only the upgraded files need: their import is in both figures.
`proof_again_…`: the same proof once more, with these libraries still there, as when somebody mends a file and proves again.
`--files 4072` times an estate of that many DAG files, instead: the same corpora copied into folders of their own, each copy with a dag_id and a schedule
of its own where the text says them; upgraded once (ruff's pass included) and proved once, with interpreters that start cold. Nothing is remembered between files.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from bench.upgrade_venvs import (
    AS_OF,
    PYTHON,
    as_project,
    note,
    old_venv,
    old_venv_with_providers,
    source_venv,
    target_venv,
    venv,
)

from aerodrome.migration.codemod import GONE, CodeUpgrade, Interpreter, Options, Proof, prove, source_version, upgrade
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES

_OPTIONS = Options(is_pinning_intervals=True)
_RESOLVED = replace(_OPTIONS, requirements_as_of=AS_OF, python=PYTHON)
_TARGET = "3.3.2"
_OLD = {"1.10.15": "2021-06-30", "2.2": "2022-06-30"}
_FORMER, _FORMER_DAY = "2.4.3", "2022-12-20"
"""Reads files of a `CORPUS` that 2.11.2 with the providers of today does not: what providers dropped in between."""
_OWN = re.compile(rb"\bairflow\.((?:contrib\.|providers\.[\w.]+\.)?example_dags\b)")
"""What the examples import from each other: in a DAG folder the package is called otherwise."""
_DAG_ID = re.compile(rb"""(\bdag_id\s*=\s*|\bDAG\(\s*)(["'])([\w.-]+)\2""")
_SCHEDULE = re.compile(rb"""(\bschedule(?:_interval)?\s*=\s*["'])\d+ \d+ ([\d*/, -]+["'])""")
_DAILY = re.compile(rb"""(\bschedule(?:_interval)?\s*=\s*["'])@daily(["'])""")
_VERSIONS = {"1.10.15": "1.10.15", "extra-1.10": "1.10.15", "2.2": "2.2.5", "2.11": "2.11.2"}


def gather(place: Path, out: Path) -> int:
    """Copy the example DAGs of a virtualenv, or every Python file of a folder, into a DAG folder."""
    roots = list(place.glob("lib/python*/site-packages/airflow")) or [place]
    files = [file for root in roots for file in root.rglob("*.py") if roots == [place] or "example_dags" in file.parts]
    for file in files:
        root = next(root for root in roots if file.is_relative_to(root))
        (target := out / "dags" / file.relative_to(root)).parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_OWN.sub(rb"\1", file.read_bytes()))
    return len(files)


def keep_of(folder: Path, *, is_old: bool) -> int:
    """Leave the DAG files that are written for 1.10, or all others; modules that they import stay. Give how many DAG files there are."""
    kept = 0
    for file in sorted((folder / "dags").rglob("*.py")):
        if _is_dag_file(file.read_bytes()):
            if source_version(file)[0].startswith("1.") == is_old:
                kept += 1
            else:
                file.unlink()
    return kept


def reader_of(name: str, folder: Path) -> str | None:
    """Give a virtualenv for the source of an extra corpus: of 1.10.15, or of 2.11.2 with the providers that the files import."""
    if name == "extra-1.10":
        made = old_venv("1.10.15", _OLD["1.10.15"])
        return str(made) if made else None
    return str(source_venv("2.11.2", folder))


def speed(folder: Path) -> tuple[int, float]:
    """Give files and seconds of this process for rewriting all of them."""
    texts = [file.read_bytes() for file in sorted(folder.rglob("*.py"))]
    rewrite(b"from airflow import DAG\n", RULES, _OPTIONS)  # reads the table of moves
    started = time.process_time()
    for text in texts:
        rewrite(text, RULES, _OPTIONS)
    return len(texts), time.process_time() - started


def share(proof: Proof, comparable: set[str], *verdicts: str, without: Collection[str] = ()) -> float:
    """Give the share of files with such a verdict; `without` are files that count as having none of them."""
    found = [file for file in proof.files if file.file in comparable - set(without) and file.verdict in verdicts]
    return round(len(found) / max(1, len(comparable)), 4)


def upgraded(folder: Path) -> tuple[Path, CodeUpgrade]:
    """Upgrade a corpus beside itself, with versions for its requirements."""
    after = folder.with_name(f"{folder.name}-after")
    return after, upgrade(folder, after, _TARGET, _RESOLVED)


def with_former(proof: Proof, former: Proof) -> Proof:
    """Take of a second source what the first one could not read."""
    others = {file.file: file for file in former.files if file.verdict != "not-comparable"}
    files = [others.get(file.file, file) if file.verdict == "not-comparable" else file for file in proof.files]
    return replace(proof, files=tuple(files))


def measure(
    name: str, folder: Path, source: Interpreter, given: Path | None, warm: Path
) -> tuple[dict[str, object], dict[str, Proof]]:
    """Prove untouched (which starts the interpreters), then upgraded, in the target that the upgrade asks for; that once more, and from cold.

    Give figures, and each proof that is timed by the name of its speed.
    """
    after, done = upgraded(folder)
    target = Interpreter(_TARGET, given or target_venv(_TARGET, after, done))
    plain = prove(folder, folder, source, target, is_pinned=True, home=warm, progress=note)
    proof = prove(folder, after, source, target, is_pinned=True, home=warm, progress=note)
    again = prove(folder, after, source, target, is_pinned=True, home=warm, progress=note)
    cold = prove(
        folder, after, source, target, is_pinned=True, progress=note
    )  # files are in memory by now, interpreters are not
    timed = {"proof_cold": cold, "proof": proof, "proof_again": again}
    for kind, other in timed.items():
        if other.files != proof.files:
            note(f"{name}: {kind} says something else than the first proof")
    former = old_venv_with_providers(_FORMER, _FORMER_DAY, folder) if name == "extra" else None
    if former is not None:
        older = Interpreter(_FORMER, former)
        both = (prove(folder, code, older, target, is_pinned=True, progress=note) for code in (folder, after))
        plain, proof = (with_former(first, second) for first, second in zip((plain, proof), both, strict=True))
    comparable = {file.file for file in proof.files if file.verdict != "not-comparable"}
    standing = {item.file for item in done.findings if item.rule == GONE}
    raising = {file.file for file in proof.files if file.raising or file.file in standing} & comparable
    for file in proof.files:
        if file.verdict in ("broken", "different"):
            hard = [item.path for item in file.differences if item.severity != "info"]
            note(f"{name} {file.file}: {file.verdict} {file.reason or hard[:4]}")
    read = ("equal", "equal-but-for", "different")
    figures = {
        "files": len(proof.files),
        "comparable": len(comparable),
        "parses_before": share(plain, comparable, *read),
        "parses_after": share(proof, comparable, *read),
        "structurally_equal": share(proof, comparable, "equal", "equal-but-for"),
        "verdicts": proof.verdicts,
        "raising": len(raising),
        "parses_after_not_raising": share(proof, comparable, *read, without=raising),
        "structurally_equal_not_raising": share(proof, comparable, "equal", "equal-but-for", without=raising),
    }
    return figures, timed


def multiply(folder: Path, out: Path, wanted: int) -> int:
    """Copy a corpus until it has so many DAG files: first as it is, then folder after folder; give how many it has."""
    shutil.copytree(folder, out)
    files = [path for path in sorted((folder / "dags").rglob("*.py")) if _is_dag_file(path.read_bytes())]
    for count in range(len(files), wanted):
        number, file = count // len(files), files[count % len(files)]
        minute, hour = number * 7 % 60, number * 5 % 24
        text = _DAG_ID.sub(rb"\g<1>\g<2>\g<3>_%04d\g<2>" % number, file.read_bytes())
        text = _SCHEDULE.sub(rb"\g<1>%d %d \g<2>" % (minute, hour), _DAILY.sub(rb"\g<1>0 0 * * *\g<2>", text))
        place = out / "dags" / f"copy_{number:04d}" / file.relative_to(folder / "dags")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text)
    return max(wanted, len(files))


def _is_dag_file(text: bytes) -> bool:
    """Tell what Airflow's safe mode does."""
    return b"dag" in text.lower() and b"airflow" in text.lower()


def measure_estate(folder: Path, source: Interpreter, target: Interpreter) -> tuple[float, Proof]:
    """Upgrade and prove once, from cold; give the seconds of the upgrade and the proof."""
    after = folder.with_name(f"{folder.name}-after")
    started = time.monotonic()
    upgrade(folder, after, _TARGET, _OPTIONS, jobs=len(os.sched_getaffinity(0)), progress=note)
    took = time.monotonic() - started
    return took, prove(folder, after, source, target, is_pinned=True, progress=note)


def report_estate(wanted: int, folders: dict[str, Path], sources: dict[str, Interpreter], given: Path | None) -> None:
    """Write the line of `--files`: the corpora by their share, one after the other."""
    counts = {
        name: len([path for path in folder.rglob("*.py") if _is_dag_file(path.read_bytes())])
        for name, folder in folders.items()
        if name in sources
    }
    upgrading, left = 0.0, wanted
    proofs: list[Proof] = []
    for place, (name, count) in enumerate(sorted(counts.items())):
        share_of = left if place == len(counts) - 1 else round(wanted * count / sum(counts.values()))
        estate = folders[name].with_name(f"{name}-estate")
        left -= multiply(folders[name], estate, share_of)
        target = Interpreter(_TARGET, given or target_venv(_TARGET, *upgraded(folders[name])))
        took, proof = measure_estate(estate, sources[name], target)
        upgrading, proofs = upgrading + took, [*proofs, proof]
    proving = sum(proof.seconds for proof in proofs)
    proved = sum(len(proof.files) for proof in proofs)
    verdicts: Counter[str] = Counter()
    for proof in proofs:
        verdicts.update(proof.verdicts)
    line = {
        "estate_files": wanted,
        "seconds": round(upgrading + proving, 1),
        "upgrade_s": round(upgrading, 1),
        "proof_s": round(proving, 1),
        "proof_files_per_s": round(wanted / proving, 1),
        "proof_cpu_s_per_file": round(sum(proof.cpu_s for proof in proofs) / wanted, 4),
        "files_with_dags": proved,
        "verdicts": dict(sorted(verdicts.items())),
        "copies_of": counts,
    }
    sys.stdout.write(json.dumps(line) + "\n")


def _speed_of(proofs: list[Proof], name: str) -> dict[str, float | None]:
    proved, took = sum(len(proof.files) for proof in proofs), sum(proof.seconds for proof in proofs)
    used = sum(proof.cpu_s for proof in proofs)
    return {
        f"{name}_files_per_s": round(proved / took, 1) if took else None,
        f"{name}_cpu_s_per_file": round(used / proved, 4) if proved else None,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", action="append", default=[], help="NAME=virtualenv or folder")
    parser.add_argument("--source", action="append", default=[], help="NAME=virtualenv that reads the corpus")
    parser.add_argument("--target", type=Path, help="a virtualenv with Airflow 3.3.2")
    parser.add_argument("--files", type=int, help="time an estate of so many DAG files")
    given = parser.parse_args()
    corpora = dict(item.split("=", 1) for item in given.corpus)
    sources = dict(item.split("=", 1) for item in given.source)
    if not corpora:
        made = {name: old_venv(_VERSIONS[name], day) for name, day in _OLD.items()}
        corpora = {name: str(place) for name, place in made.items() if place} | {"2.11": str(venv("2.11.2"))}
        sources = dict(corpora)
    if extra := os.environ.get("CORPUS"):
        corpora |= dict.fromkeys(("extra-1.10", "extra"), extra)
    files, seconds = 0, 0.0
    timed: dict[str, list[Proof]] = {kind: [] for kind in ("proof_cold", "proof", "proof_again")}
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="aerodrome-bench-") as scratch:
        for name, place in corpora.items():
            folder = Path(scratch) / name
            found = gather(Path(place), folder)
            if name.startswith("extra"):
                found = keep_of(folder, is_old=name != "extra")
            note(f"{name}: {found} files")
            if not found:
                continue
            as_project(folder, _VERSIONS.get(name, "2.11.2"), Path(place) / "requirements.txt")
            if name.startswith("extra") and name not in sources and (reader := reader_of(name, folder)):
                sources[name] = reader
            if given.files:
                continue
            count, took = speed(folder)
            files, seconds = files + count, seconds + took
            figures[name] = {"files": count}
            if name in sources:
                source = Interpreter(_VERSIONS.get(name, "2.11.2"), Path(sources[name]))
                measured = measure(name, folder, source, given.target, Path(scratch) / f"warm-{name}")
                figures[name] = measured[0]
                for kind, proof in measured[1].items():
                    timed[kind].append(proof)
        if given.files:
            places = {name: Path(scratch) / name for name in corpora}
            readers = {name: Interpreter(_VERSIONS.get(name, "2.11.2"), Path(place)) for name, place in sources.items()}
            report_estate(given.files, places, readers, given.target)
            return 0
    line = {
        "files_per_s_core": round(files / seconds, 1) if seconds else None,
        **{key: value for kind, proofs in timed.items() for key, value in _speed_of(proofs, kind).items()},
        "corpora": figures,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
