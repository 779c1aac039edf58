"""Deploys: project folders put on deployments."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from aerodrome.client.models import Deploy, DeployDiff, StepLog, read
from aerodrome.client.packing import MEDIA_TYPE, pack
from aerodrome.client.transport import Params, Transport, segment
from aerodrome.client.waiting import wait
from aerodrome.kernel.errors import Broken, Unavailable

# kind of deploy -> parts of the project that are sent
_SENT: Final[dict[str, frozenset[str] | None]] = {
    "full": None,
    "dags": frozenset({"dags"}),
    "packages": frozenset({"requirements", "settings"}),
    "bundle": frozenset({"dags"}),
}


class Deploys:
    """`client.deploys`."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(self, deployment: str) -> builtins.list[Deploy]:
        """Give the deploys of a deployment, newest first."""
        return [read(Deploy, item) for item in self._http.pages(_path(deployment))]

    def get(self, deployment: str, deploy: int | str) -> Deploy:
        """Give a deploy by number or id."""
        return read(Deploy, self._http.get(f"{_path(deployment)}/{segment(str(deploy))}"))

    def create(
        self,
        deployment: str,
        folder: Path,
        description: str = "",
        *,
        origin: str = "api",
        kind: str = "full",
        bundle: str | None = None,
        is_forced: bool = False,
        git: Mapping[str, Any] | None = None,
        progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> Deploy:
        """Upload a project folder as a stream; gives the deploy as soon as the server keeps it, before it is live.

        `kind` dags or packages sends only that part; `bundle` makes its dags/ the DAG bundle of that name (Airflow 3).
        """
        kind = "bundle" if bundle is not None else kind
        params: Params = {
            "description": description,
            "origin": origin,
            "kind": kind,
            "bundle": bundle,
            "forced": "true" if is_forced else None,
            "git": json.dumps(git) if git else None,
        }
        key = f"deploy-{uuid4().hex}"
        try:
            return self._upload(deployment, params, folder, kind, key, progress)
        except Unavailable:
            # the key makes it safe: what was queued already is answered again
            return self._upload(deployment, params, folder, kind, key, progress)

    def _upload(
        self,
        deployment: str,
        params: Params,
        folder: Path,
        kind: str,
        key: str,
        progress: Callable[[int, int], None],
    ) -> Deploy:
        blocks = pack(folder, progress, _SENT[kind])
        return read(Deploy, self._http.upload(_path(deployment), params, blocks, MEDIA_TYPE, key=key))

    def create_from_git(
        self,
        deployment: str,
        url: str,
        ref: str | None = None,
        folder: str = "",
        *,
        credentials: str | None = None,
        description: str = "",
        origin: str = "api",
        kind: str = "full",
        bundle: str | None = None,
        is_forced: bool = False,
    ) -> Deploy:
        """Deploy a project that the server fetches from a repository; `credentials` names a secret of the deployment."""
        body = {
            "url": url,
            "ref": ref,
            "folder": folder,
            "credentials": credentials,
            "kind": "bundle" if bundle is not None else kind,
            "bundle": bundle,
            "description": description,
            "origin": origin,
            "is_forced": is_forced,
        }
        path = f"/deployments/{segment(deployment)}/git-deploys"
        return read(Deploy, self._http.post(path, body, key=f"deploy-{uuid4().hex}"))

    def remove_bundle(self, deployment: str, name: str) -> Deploy:
        """Take a named DAG bundle away, by a new deploy without it."""
        return read(Deploy, self._http.delete(f"/deployments/{segment(deployment)}/dag-bundles/{segment(name)}"))

    def step_log(self, deployment: str, deploy: int | str, step: str) -> StepLog:
        """Give what a step of a deploy said."""
        return read(StepLog, self._http.get(f"{_path(deployment)}/{segment(str(deploy))}/steps/{segment(step)}/log"))

    def diff(self, deployment: str, before: int | str, after: int | str) -> DeployDiff:
        """Say what differs between two deploys."""
        path = f"{_path(deployment)}/{segment(str(before))}/diff/{segment(str(after))}"
        return read(DeployDiff, self._http.get(path))

    def wait_live(
        self,
        deployment: str,
        deploy: int | str,
        timeout_s: float = 900.0,
        progress: Callable[[Deploy], None] = lambda _seen: None,
    ) -> Deploy:
        """Wait until the deploy is live, or was and is superseded; Broken when it failed."""
        return wait(
            lambda: self.get(deployment, deploy),
            _is_live,
            timeout_s=timeout_s,
            what=f"Deploy {deploy} of {deployment}",
            progress=progress,
            every_s=0.25,
        )


def _is_live(seen: Deploy) -> bool:
    if seen.status == "failed":
        error = seen.error or {}
        raise Broken(
            f"Deploy {seen.number} failed: {error.get('message', 'no reason was given.')}",
            code=str(error.get("code", "deploy-failed")),
            hint=str(error.get("hint", "")),
        )
    return seen.status in {"live", "superseded"}


def _path(deployment: str) -> str:
    return f"/deployments/{segment(deployment)}/deploys"
