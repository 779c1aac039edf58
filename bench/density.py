"""Memory that the control plane adds to idle deployments: PSS of all processes, from /proc.

python -m bench.density [--deployments 6] [--settle-s 60]

Half of the deployments run Airflow 2.11.2, half 3.3.2, on SQLite, each with a deployed project. Control plane: the server with its
worker, the supervising process (shim) of each deployment, and whatever warm interpreter the checks of deploys still keep (they end
after three idle minutes: the bench waits for that, and counts one that does not). `overhead_share` is all of it divided by
the memory of all deployments. `growth_share` is the worst deployment's without the server's fixed part: its own shim and an equal part of
what the server grew by when the deployments came, divided by its memory.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from bench.deploy import dag
from bench.rig import WORKSPACE, Rig, load, note, rig, until, write_project

from aerodrome.runtimes.local.layout import Layout, read_json
from aerodrome.runtimes.local.usage import pss_bytes

_VERSIONS = ("2.11.2", "3.3.2")
_MB = 1 << 20
_WARM_S = 240.0  # interpreters end after 180 idle seconds


@dataclass(frozen=True)
class Share:
    """What one deployment's processes use."""

    name: str
    shim_bytes: int
    airflow_bytes: int
    processes: int


def run(count: int, settle_s: float) -> dict[str, object]:
    with rig() as the, tempfile.TemporaryDirectory() as folder:
        time.sleep(3)
        empty = _server_bytes(the)
        ids = [_ask(the, f"idle-{index}", _VERSIONS[index % 2]) for index in range(count)]
        for deployment_id, version in ids:
            project = write_project(Path(folder) / version, {"dags/flow.py": dag(0, "v0", version[0])})
            the.client.deployments.wait_healthy(deployment_id, 900)
            the.client.deploys.wait_live(deployment_id, the.client.deploys.create(deployment_id, project).id)
            note(f"{version} has its project")
        note(f"settling for {settle_s:.0f} s, then until no interpreter is warm")
        time.sleep(settle_s)
        with suppress(TimeoutError):
            until(lambda: not _warm_bytes(the), _WARM_S, every_s=5)
        for incident in the.client.incidents.list(state="all"):
            note(f"incident of {incident.deployment_name}: {incident.code} {incident.subject} {incident.reason}")
        server, warm = _server_bytes(the), _warm_bytes(the)
        shares = [_share(the, deployment_id, version) for deployment_id, version in ids]
    grown = max(0, server - empty)
    for share in shares:
        note(
            f"{share.name}: Airflow {share.airflow_bytes / _MB:.0f} MB in {share.processes} processes, shim {share.shim_bytes / _MB:.1f} MB"
        )
    note(f"server {server / _MB:.0f} MB, of it {grown / _MB:.1f} MB since the first deployment")
    airflow = sum(share.airflow_bytes for share in shares)
    control = server + warm + sum(share.shim_bytes for share in shares)
    return {
        "deployments": len(shares),
        "overhead_share": round(control / airflow, 4),
        "overhead_mb_each": round(control / len(shares) / _MB, 1),
        "growth_share": round(max((s.shim_bytes + grown / len(shares)) / s.airflow_bytes for s in shares), 4),
        "pss_mb": round((control + airflow) / _MB),
        "server_mb": round(server / _MB),
        "server_growth_mb": round(grown / _MB, 1),
        "warm_interpreters_mb": round(warm / _MB),
        "shim_mb": round(max(s.shim_bytes for s in shares) / _MB, 1),
        "load": load(),
    }


def _ask(the: Rig, name: str, version: str) -> tuple[str, str]:
    """Ask for a deployment; they all start at once."""
    return the.client.deployments.create(name, WORKSPACE, airflow_version=version).id, version


def _server_bytes(the: Rig) -> int:
    server = psutil.Process(the.server.pid)
    return sum(pss_bytes(member.pid) for member in (server, *server.children(recursive=True)))


def _warm_bytes(the: Rig) -> int:
    """Give the memory of the interpreters that a deploy's checks leave warm; they end by themselves after three idle minutes."""
    home = str(the.server.home)
    found = (one for one in psutil.process_iter(["cmdline"]) if home in " ".join(one.info["cmdline"] or ()))
    return sum(pss_bytes(one.pid) for one in found if "parsing/inside" in " ".join(one.info["cmdline"]))


def _share(the: Rig, deployment_id: str, version: str) -> Share:
    status = read_json(Layout.of(the.server.home / "deployments", deployment_id).status) or {}
    shim = psutil.Process(status["shim"]["pid"])
    members = shim.children(recursive=True)
    return Share(version, pss_bytes(shim.pid), sum(pss_bytes(member.pid) for member in members), len(members))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--deployments", type=int, default=6)
    parser.add_argument("--settle-s", type=float, default=60)
    given = parser.parse_args()
    sys.stdout.write(json.dumps(run(given.deployments, given.settle_s)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
