"""How long `aerodrome assess` takes for a large estate, and the most memory that it and its children held together.

    python -m bench.assess [--db postgresql] [--dags 14000] [--runs 72] [--tasks 10]      last line: one JSON object

The command is the real one, started as people start it: it reads the metadata database and the folder of DAGs, freezes the
estate, assesses it, and writes the HTML page and the JSON. `seconds` is from its start to its end, `cpu_seconds` what it and its
children computed (the database's work is not in it); `peak_mb` the largest sum of
proportional memory (PSS) of its process and its children, sampled every 100 ms. PostgreSQL's own memory is not in it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.estate import made, parse, teller
from bench.estate_dags import Size

SAMPLE_S = 0.1


def assess(url: str, fernet_key: str, dags: Path, out: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """Run the command; gives its JSON and what it took."""
    environment = {**os.environ, "BENCH_URL": url, "BENCH_KEY": fernet_key}
    command = [
        sys.executable, "-m", "aerodrome.cli", "assess", "--database-url-env", "BENCH_URL", "--fernet-key-env", "BENCH_KEY",
        "--dags", str(dags), "--html", str(out / "report.html"), "--output", "json",
    ]  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began, peak = time.monotonic(), 0.0
    with (out / "report.json").open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, env=environment)
        while process.poll() is None:
            peak = max(peak, sum(_pss_mb(pid) for pid in _family(process.pid)))
            time.sleep(SAMPLE_S)
    if process.returncode:
        raise SystemExit(f"aerodrome assess ended with {process.returncode}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = {
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime, 1),
        "peak_mb": round(peak),
    }
    return json.loads((out / "report.json").read_text()), took


def _family(pid: int) -> list[int]:
    """Give a process and everything below it."""
    found = [pid]
    for member in found:
        try:
            tasks = list(Path(f"/proc/{member}/task").iterdir())
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _pss_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def outcome(report: Mapping[str, Any], took: Mapping[str, float], page: Path) -> dict[str, Any]:
    """Give the line."""
    totals = report["totals"]
    return {
        "dags": totals["dags"],
        "task_instances": totals["task_instances"],
        **took,
        "findings": len(report["findings"]),
        "codes": len({finding["code"] for finding in report["findings"]}),
        "report_mb": round(page.stat().st_size / 2**20, 1),
    }


def main() -> None:
    wanted = parse()
    note = teller()
    with tempfile.TemporaryDirectory() as folder:
        here = wanted.keep or Path(folder)
        here.mkdir(parents=True, exist_ok=True)
        with made(wanted.db, Size(wanted.dags, wanted.runs, wanted.tasks), here.resolve(), note) as (url, key, seconds):
            note("assessing")
            report, took = assess(url, key, here / "dags", here)
            note("assessed")
            print(json.dumps({**outcome(report, took, here / "report.html"), "generated_s": round(seconds, 1)}))


if __name__ == "__main__":
    main()
