"""Deployments."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from datetime import datetime

from aerodrome.client.models import Deployment, read
from aerodrome.client.transport import Transport, segment
from aerodrome.client.waiting import wait
from aerodrome.kernel.errors import Broken, NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.kernel.secret import Secret


class Deployments:
    """`client.deployments`. A `ref` is an id or a name."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(self, workspace: str | None = None, status: str | None = None) -> builtins.list[Deployment]:
        pages = self._http.pages("/deployments", {"workspace": workspace, "status": status})
        return [read(Deployment, item) for item in pages]

    def create(
        self,
        name: str,
        workspace: str,
        *,
        airflow_version: str | None = None,
        python_version: str | None = None,
        cluster: str = "local",
        parallelism: int = 4,
        env: Mapping[str, str | Secret] | None = None,
        config: Mapping[str, str] | None = None,
        description: str = "",
        database: str = "sqlite",
        database_url: Secret | None = None,
        key: str | None = None,
    ) -> Deployment:
        """Make a deployment; values given as Secret cannot be read back."""
        plain, secret = _split(env or {})
        body = {
            "name": name,
            "workspace": workspace,
            "airflow_version": airflow_version,
            "python_version": python_version,
            "cluster": cluster,
            "parallelism": parallelism,
            "env": plain,
            "secret_env": secret,
            "config": dict(config or {}),
            "description": description,
            "database": database,
            "database_url": None if database_url is None else database_url.reveal(),
        }
        return read(Deployment, self._http.post("/deployments", body, key=key or new_id("key")))

    def get(self, ref: str) -> Deployment:
        return read(Deployment, self._http.get(_path(ref)))

    def update(
        self,
        ref: str,
        *,
        name: str | None = None,
        description: str | None = None,
        airflow_version: str | None = None,
        python_version: str | None = None,
        parallelism: int | None = None,
        config: Mapping[str, str] | None = None,
        drain_s: int | None = None,
        log_retention_days: int | None = None,
        pools: Mapping[str, int] | None = None,
        clean_days: int | None = None,
    ) -> Deployment:
        """Change what is given; None leaves it as it is. `config` replaces the whole mapping."""
        body = {
            "name": name,
            "description": description,
            "airflow_version": airflow_version,
            "python_version": python_version,
            "parallelism": parallelism,
            "config": None if config is None else dict(config),
            "drain_s": drain_s,
            "log_retention_days": log_retention_days,
            "pools": None if pools is None else dict(pools),
            "upkeep": None if clean_days is None else {"clean_days": clean_days},
        }
        return read(Deployment, self._http.patch(_path(ref), body))

    def set_env(self, ref: str, values: Mapping[str, str | Secret | None]) -> Deployment:
        """Set variables; None removes one, a Secret cannot be read back."""
        plain, secret = _split(values)
        return read(Deployment, self._http.patch(f"{_path(ref)}/env", {"values": plain, "secrets": secret}))

    def delete(self, ref: str) -> Deployment:
        return read(Deployment, self._http.delete(_path(ref)))

    def hibernate(
        self, ref: str, *, until: datetime | None = None, for_s: int | None = None, drain_s: int | None = None
    ) -> Deployment:
        """Put it to sleep; with `until` or `for_s` schedules rest till then."""
        return read(Deployment, self._http.post(f"{_path(ref)}/hibernate", _life(until, for_s, drain_s)))

    def wake(self, ref: str, *, until: datetime | None = None, for_s: int | None = None) -> Deployment:
        return read(Deployment, self._http.post(f"{_path(ref)}/wake", _life(until, for_s, None)))

    def logs(self, ref: str, component: str, tail: int = 200) -> builtins.list[str]:
        """Give the last lines of a component's log, oldest first."""
        answer = self._http.get(f"{_path(ref)}/logs", {"component": component, "tail": tail})
        return builtins.list(answer["lines"])

    def airflow_url(self, ref: str) -> str:
        """Tell where Airflow's own pages open; Unavailable while it is not up."""
        return str(self._http.get(f"{_path(ref)}/airflow")["url"])

    def wait_healthy(
        self, ref: str, timeout_s: float = 600.0, progress: Callable[[Deployment], None] = lambda _seen: None
    ) -> Deployment:
        """Wait until Airflow is healthy in the wanted generation; Broken when the deployment failed."""
        return wait(
            lambda: self.get(ref), _is_healthy, timeout_s=timeout_s, what=f"Deployment {ref}", progress=progress
        )

    def wait_hibernated(
        self, ref: str, timeout_s: float = 120.0, progress: Callable[[Deployment], None] = lambda _seen: None
    ) -> Deployment:
        """Wait until none of its processes runs any more."""
        return wait(
            lambda: self.get(ref),
            lambda seen: seen.status == "hibernated",
            timeout_s=timeout_s,
            what=f"Hibernating {ref}",
            progress=progress,
        )

    def wait_deleted(self, ref: str, timeout_s: float = 120.0) -> None:
        """Wait until there is nothing left of a deployment."""
        wait(lambda: self._is_gone(ref), bool, timeout_s=timeout_s, what=f"The removal of deployment {ref}")

    def _is_gone(self, ref: str) -> bool:
        try:
            self.get(ref)
        except NotFound:
            return True
        return False


def _is_healthy(seen: Deployment) -> bool:
    if seen.status == "failed":
        raise Broken(
            f"Deployment {seen.name} failed: {' '.join(seen.reasons) or 'no reason was given.'}",
            code="deployment-failed",
            hint=f"`aerodrome deployment show {seen.name}` and its logs tell more.",
        )
    return seen.status == "healthy" and seen.observed_generation == seen.generation


def _life(until: datetime | None, for_s: int | None, drain_s: int | None) -> dict[str, object]:
    return {"until": None if until is None else until.isoformat(), "for_s": for_s, "drain_s": drain_s}


def _path(ref: str) -> str:
    return f"/deployments/{segment(ref)}"


def _split(values: Mapping[str, str | Secret | None]) -> tuple[dict[str, str | None], dict[str, str]]:
    plain = {name: value for name, value in values.items() if not isinstance(value, Secret)}
    secret = {name: value.reveal() for name, value in values.items() if isinstance(value, Secret)}
    return plain, secret
