"""Versions of a deployment: what there is, rehearsals on a copy, upgrades and rollbacks."""

from __future__ import annotations

import builtins
from collections.abc import Callable

from aerodrome.client.models import Deploy, Rehearsal, VersionChoice, read
from aerodrome.client.transport import Transport, segment
from aerodrome.client.waiting import wait
from aerodrome.kernel.errors import Broken

_ENDED = {"passed", "refused", "failed"}


class Versions:
    """`client.versions`. A deployment is named by id or name, a deploy by number or id."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(self, deployment: str) -> builtins.list[VersionChoice]:
        """Give every Airflow version, newest first."""
        return [read(VersionChoice, item) for item in self._http.get(f"{_path(deployment)}/versions")]

    def rehearsals(self, deployment: str) -> builtins.list[Rehearsal]:
        """Give the rehearsals of a deployment, newest first."""
        return [read(Rehearsal, item) for item in self._http.pages(f"{_path(deployment)}/rehearsals")]

    def rehearsal(self, deployment: str, rehearsal_id: str) -> Rehearsal:
        return read(Rehearsal, self._http.get(f"{_path(deployment)}/rehearsals/{segment(rehearsal_id)}"))

    def rehearse(
        self,
        deployment: str,
        *,
        to: str | None = None,
        python: str | None = None,
        deploy: int | str | None = None,
    ) -> Rehearsal:
        """Ask for a try on a copy: an upgrade `to` a version, or the way back to a `deploy`. Gives it before it has begun."""
        body = {"to": to, "python": python, "deploy": None if deploy is None else str(deploy)}
        return read(Rehearsal, self._http.post(f"{_path(deployment)}/rehearsals", body))

    def wait_rehearsed(
        self,
        deployment: str,
        rehearsal_id: str,
        timeout_s: float = 1800.0,
        progress: Callable[[Rehearsal], None] = lambda _seen: None,
    ) -> Rehearsal:
        """Wait until a rehearsal has passed or found problems; Broken when it could not be done."""
        return wait(
            lambda: self.rehearsal(deployment, rehearsal_id),
            _is_over,
            timeout_s=timeout_s,
            what=f"The rehearsal {rehearsal_id}",
            progress=progress,
        )

    def upgrade(
        self,
        deployment: str,
        *,
        to: str | None = None,
        python: str | None = None,
        rehearsal_id: str | None = None,
        description: str = "",
        origin: str = "api",
        force: bool = False,
    ) -> Deploy:
        """Queue an upgrade; `deploys.wait_live` watches it."""
        body = {
            "to": to,
            "python": python,
            "rehearsal_id": rehearsal_id,
            "description": description,
            "origin": origin,
            "force": force,
        }
        return read(Deploy, self._http.post(f"{_path(deployment)}/upgrade", body))

    def roll_back(
        self,
        deployment: str,
        deploy: int | str,
        *,
        with_configuration: bool = False,
        rehearsal_id: str | None = None,
        description: str = "",
        origin: str = "api",
        force: bool = False,
    ) -> Deploy:
        """Queue an earlier deploy again; `deploys.wait_live` watches it."""
        body = {
            "with_configuration": with_configuration,
            "rehearsal_id": rehearsal_id,
            "description": description,
            "origin": origin,
            "force": force,
        }
        return read(Deploy, self._http.post(f"{_path(deployment)}/deploys/{segment(str(deploy))}/rollback", body))


def _is_over(seen: Rehearsal) -> bool:
    if seen.status == "failed":
        error = seen.error or {}
        raise Broken(
            f"The rehearsal could not be done: {error.get('message', 'no reason was given.')}",
            code=str(error.get("code", "rehearsal-failed")),
            hint=str(error.get("hint", "")),
        )
    return seen.status in _ENDED


def _path(deployment: str) -> str:
    return f"/deployments/{segment(deployment)}"
