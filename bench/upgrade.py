"""Upgrades and proves the example DAGs that Airflow and its providers ship; one JSON line.

python -m bench.upgrade --corpus 2.11=VENV_OR_FOLDER --source 2.11=VENV --target VENV [--corpus …] [--source …]

Without arguments the corpora are those of Airflow 1.10.15, 2.2.5 (where there is a Python 3.8) and 2.11.2, in virtualenvs that are made (AERODROME_BENCH_CACHE). A corpus with a source is
proved, too: `parses_before` is the share of files that the target reads as they are, `parses_after` upgraded, `structurally_equal` the share that
is equal or equal but for explained differences, both of the files that the source reads. `CORPUS=DIR` adds a folder (2.11.2 reads it). Rewriting is timed on one
core without ruff's pass, the proof with warm interpreters. `proof_files_per_s` is by the clock, with whatever else the machine does;
`proof_cpu_s_per_file` is processor time for both readings of a file, so that two cores prove 2 / proof_cpu_s_per_file files a second when nothing else runs.
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
from pathlib import Path

from aerodrome.builds import VenvSpec, VenvStore
from aerodrome.builds.pythons import find_python
from aerodrome.builds.uv import run_uv
from aerodrome.kernel.errors import Unavailable
from aerodrome.migration.codemod import Interpreter, Options, Proof, prove, upgrade
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES

_OPTIONS = Options(is_pinning_intervals=True)
_TARGET = "3.3.2"
_OLD = {"1.10.15": "2021-06-30", "2.2": "2022-06-30"}
_OLD_PYTHON = "3.8"
_HOLD_BACK = {"1.10.15": ("sqlalchemy<1.4",)}
"""What Airflow admits and cannot be imported with: its web server's flask-admin 1.5 needs SQLAlchemy 1.3."""
_OWN = re.compile(rb"\bairflow\.((?:contrib\.|providers\.[\w.]+\.)?example_dags\b)")
"""What the examples import from each other: in a DAG folder the package is called otherwise."""
_VERSIONS = {"1.10.15": "1.10.15", "2.2": "2.2.5", "2.11": "2.11.2"}


def note(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


def gather(place: Path, out: Path) -> int:
    """Copy the example DAGs of a virtualenv, or every Python file of a folder, into a DAG folder."""
    roots = list(place.glob("lib/python*/site-packages/airflow")) or [place]
    files = [file for root in roots for file in root.rglob("*.py") if roots == [place] or "example_dags" in file.parts]
    for file in files:
        root = next(root for root in roots if file.is_relative_to(root))
        (target := out / "dags" / file.relative_to(root)).parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_OWN.sub(rb"\1", file.read_bytes()))
    return len(files)


def speed(folder: Path) -> tuple[int, float]:
    """Give files and seconds of this process for rewriting all of them."""
    texts = [file.read_bytes() for file in sorted(folder.rglob("*.py"))]
    rewrite(b"from airflow import DAG\n", RULES, _OPTIONS)  # reads the table of moves
    started = time.process_time()
    for text in texts:
        rewrite(text, RULES, _OPTIONS)
    return len(texts), time.process_time() - started


def share(proof: Proof, comparable: set[str], *verdicts: str) -> float:
    found = [file for file in proof.files if file.file in comparable and file.verdict in verdicts]
    return round(len(found) / max(1, len(comparable)), 4)


def measure(
    name: str, folder: Path, source: Interpreter, target: Interpreter, warm: Path
) -> tuple[dict[str, object], Proof]:
    """Prove twice: first untouched (which warms the interpreters), then upgraded."""
    after = folder.with_name(f"{folder.name}-after")
    upgrade(folder, after, target.version, _OPTIONS)
    plain = prove(folder, folder, source, target, is_pinned=True, home=warm, progress=note)
    proof = prove(folder, after, source, target, is_pinned=True, home=warm, progress=note)
    comparable = {file.file for file in proof.files if file.verdict != "not-comparable"}
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
    }
    return figures, proof


def venv(version: str) -> Path:
    store = VenvStore(Path(os.environ.get("AERODROME_BENCH_CACHE", ".cache/bench")).absolute() / "venvs")
    return store.ensure(VenvSpec(version, "3.11", ()), note).path


def old_venv(version: str, day: str) -> Path | None:
    """Make a virtualenv with what the index had on that day; None without a Python that this Airflow runs on."""
    place = Path(os.environ.get("AERODROME_BENCH_CACHE", ".cache/bench")).absolute() / "old" / version
    if not (place / "ready").exists():
        try:
            python = find_python(_OLD_PYTHON)
        except Unavailable as error:
            note(f"{version} is left out: {error.message}")
            return None
        shutil.rmtree(place, ignore_errors=True)
        run_uv(["venv", "--no-project", "--no-config", "--python", str(python), str(place)])
        wanted = [f"apache-airflow=={version}", "setuptools<66", *_HOLD_BACK.get(version, ())]
        run_uv(["pip", "install", "--python", str(place / "bin/python"), "--exclude-newer", day, *wanted])
        (place / "ready").touch()
    return place


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", action="append", default=[], help="NAME=virtualenv or folder")
    parser.add_argument("--source", action="append", default=[], help="NAME=virtualenv that reads the corpus")
    parser.add_argument("--target", type=Path, help="a virtualenv with Airflow 3.3.2")
    given = parser.parse_args()
    corpora = dict(item.split("=", 1) for item in given.corpus)
    sources = dict(item.split("=", 1) for item in given.source)
    if not corpora:
        made = {name: old_venv(_VERSIONS[name], day) for name, day in _OLD.items()}
        corpora = {name: str(place) for name, place in made.items() if place} | {"2.11": str(venv("2.11.2"))}
        sources = dict(corpora)
    if extra := os.environ.get("CORPUS"):
        corpora["extra"] = extra
        sources.setdefault("extra", sources.get("2.11") or str(venv("2.11.2")))
    target = Interpreter(_TARGET, given.target or venv(_TARGET))
    files, seconds = 0, 0.0
    proofs: list[Proof] = []
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="aerodrome-bench-") as scratch:
        for name, place in corpora.items():
            folder = Path(scratch) / name
            note(f"{name}: {gather(Path(place), folder)} files")
            count, took = speed(folder)
            files, seconds = files + count, seconds + took
            figures[name] = {"files": count}
            if name in sources:
                source = Interpreter(_VERSIONS.get(name, "2.11.2"), Path(sources[name]))
                figures[name], proof = measure(name, folder, source, target, Path(scratch) / f"warm-{name}")
                proofs.append(proof)
    proved, took, used = (
        sum(len(proof.files) for proof in proofs),
        sum(proof.seconds for proof in proofs),
        sum(proof.cpu_s for proof in proofs),
    )
    line = {
        "files_per_s_core": round(files / seconds, 1) if seconds else None,
        "proof_files_per_s": round(proved / took, 1) if took else None,
        "proof_cpu_s_per_file": round(used / proved, 4) if proved else None,
        "corpora": figures,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
