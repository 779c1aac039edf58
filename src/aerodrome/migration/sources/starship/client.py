"""Speaks to the Starship plugin of an Airflow (tried with 2.10.1), signed in as its web pages ask for it.

The plugin's routes are views of the web server: in Airflow 2 a session of its login form opens them, not basic
authentication; in Airflow 3 a token does. The same session serves the stable REST API, where that allows sessions.
`/env_vars` is not asked: it gives the whole environment of the web server, Fernet key and database password included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from aerodrome.kernel.errors import Denied, Invalid, NotFound
from aerodrome.migration.sources.airflow_rest.client import RestReader

API = "/api/starship"
READ_ROUTES = (
    "health", "info", "variables", "pools", "connections", "dags", "dag_runs", "task_instances", "task_instance_history",
)  # fmt: skip
"""What is asked. Not asked: `env_vars` (see above), `telescope` (runs code from the network), `task_log` and `xcom`
(one by one, experimental, and refused outside of Astro or broken in Airflow 3)."""


class StarshipReader(RestReader):
    """One Airflow with the plugin. Nothing connects before the first call."""

    @cached_property
    def info(self) -> Mapping[str, str]:
        """Give `airflow_version` and `starship_version`. Invalid `starship-missing` when the plugin is not there."""
        try:
            found: Mapping[str, str] = self._asked("info")
        except NotFound:
            raise Invalid(
                f"{self.url} runs no Starship plugin.",
                code="starship-missing",
                hint="Connect it by its REST API (`--rest-url`), its database or an archive instead.",
            ) from None
        return found

    def starship(self, route: str, **parameters: Any) -> Any:
        """Give what a read route answers: a list, or for histories an object. One of READ_ROUTES."""
        if route not in READ_ROUTES:
            raise Invalid(
                f"The route {route} of Starship is not asked.",
                code="starship-route-refused",
                hint="It would give more than a migration needs; give an --env-file for environment variables.",
            )
        return self._asked(route, **parameters)

    def write(self, method: str, route: str, body: Mapping[str, Any]) -> Any:
        """Do one of the three writes of a cutover: PATCH dags, POST variables, DELETE variables."""
        return self._send(method, f"{API}/{route}", body=body)

    def _asked(self, route: str, **parameters: Any) -> Any:
        return self._send("GET", f"{API}/{route}", parameters=parameters)

    @cached_property
    def has_rest(self) -> bool:
        """Tell whether the stable REST API answers this user, too ([api] auth_backends may forbid it in Airflow 2)."""
        try:
            self.get("/dags", limit=1)
        except (Denied, NotFound, Invalid):
            return False
        return True

    def _headers(self, *, is_signed: bool) -> dict[str, str]:
        if is_signed and not self._token:
            _ = self.version  # tells which way there is to sign in
        return super()._headers(is_signed=is_signed)

    @cached_property
    def _by_session(self) -> bool:
        self._sign_in()  # basic authentication opens no view of the web server
        return True

    def everything(self, route: str, dag_id: str, key: str, limit: int, overlap: int) -> Iterator[dict[str, Any]]:
        """Give the entries of a paged route, page by page; pages count runs, newest start first, and overlap.

        Runs that start meanwhile, or have started at the same moment, shift the pages: what overlaps is given twice.
        """
        offset = 0
        while True:
            answer = self.starship(route, dag_id=dag_id, limit=limit, offset=offset)
            yield from answer[key]
            if offset + limit >= answer["dag_run_count"]:
                return
            offset += limit - overlap
