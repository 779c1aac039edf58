"""Deploys: project folders put on deployments."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path

from aerodrome.client.models import Deploy, read
from aerodrome.client.packing import MEDIA_TYPE, pack
from aerodrome.client.transport import Transport, segment
from aerodrome.client.waiting import wait
from aerodrome.kernel.errors import Broken


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
        progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> Deploy:
        """Upload a project folder as a stream; gives the deploy as soon as the server keeps it, before it is live."""
        params: dict[str, str | int | None] = {"description": description, "origin": origin}
        return read(Deploy, self._http.upload(_path(deployment), params, pack(folder, progress), MEDIA_TYPE))

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
