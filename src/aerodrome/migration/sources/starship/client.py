"""Speaks to the Starship plugin of an Airflow (tried with 2.10.1), signed in as its web pages ask for it.

The plugin's routes are views of the web server: in Airflow 2 a session of its login form opens them, not basic
authentication; in Airflow 3 a token does. The same session serves the stable REST API, where that allows sessions.
`/env_vars` is not asked: it gives the whole environment of the web server, Fernet key and database password included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from aerodrome.kernel.errors import AerodromeError, Broken, Conflict, Denied, Invalid, NotFound, Unavailable
from aerodrome.migration.sources.airflow_rest.client import RestReader

API = "/api/starship"
READ_ROUTES = (
    "health", "info", "variables", "pools", "connections", "dags", "dag_runs", "task_instances", "task_instance_history",
    "xcom", "task_log",
)  # fmt: skip
"""What is asked. Not asked: `env_vars` (see above) and `telescope` (runs code from the network)."""
ITEMS_AT_ONCE = 3
"""How many questions for single items are open at the same time: a web server of Airflow 2 has four workers as delivered."""
_NOBODY = "aerodrome-asks-whether-this-route-is-there"


class TaskKey(NamedTuple):
    """A task instance, as the routes for single items name it."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    @property
    def label(self) -> str:
        return f"{self.dag_id}/{self.run_id}/{self.task_id}[{self.map_index}]"


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

    def xcoms(self, key: TaskKey) -> list[dict[str, Any]]:
        """Give `key` and `value` (Base64) of each XCom of a task instance. Broken `starship-item-failed` where it cannot."""
        try:
            found: list[dict[str, Any]] = self.starship("xcom", **key._asdict())
        except Unavailable as error:
            raise self._item_failed(key, error) from error
        return found

    def copy_log(self, key: TaskKey, number: int, target: Path) -> bool:
        """Write the log of a try to a file as it comes; False: there is none, and no file. Broken `starship-item-failed`."""
        parameters = {**key._asdict(), "try_number": number}
        try:
            with target.open("w+b") as into:
                answer = self._answer("GET", f"{API}/task_log", parameters, None, is_signed=True, into=into)
            if answer.is_success:
                return True
            raise self._explained("GET", f"{API}/task_log", answer)
        except AerodromeError as error:
            target.unlink(missing_ok=True)
            if isinstance(error, NotFound):
                return False
            raise (self._item_failed(key, error) if isinstance(error, Unavailable) else error) from error

    def _item_failed(self, key: TaskKey, error: Unavailable) -> AerodromeError:
        """Tell an item that Starship cannot give from a source that has failed: that one does not answer another question."""
        if error.code != "source-failed":
            return error
        self.starship("dag_runs", dag_id=key.dag_id, limit=1)
        return Broken(f"Starship answers with an error when it is asked for {key.label}.", code="starship-item-failed")

    @cached_property
    def no_xcoms(self) -> str:
        """Tell why XComs cannot be asked for; empty: they can."""
        if self.is_v2:
            return "its route for XComs does not work in Airflow 3"
        try:
            self.starship("xcom", **TaskKey(_NOBODY, _NOBODY, _NOBODY, -1)._asdict())
        except (NotFound, Conflict):
            return "its route for XComs needs Airflow 2.8 or newer"
        return ""

    @cached_property
    def no_logs(self) -> str:
        """Tell why task logs cannot be asked for; empty: they can, and nobody's has been found missing."""
        if self.is_v2:
            return "its route for them does not work in Airflow 3"
        answer = self._answer(
            "GET",
            f"{API}/task_log",
            {**TaskKey(_NOBODY, _NOBODY, _NOBODY, -1)._asdict(), "try_number": 1},
            None,
            is_signed=True,
        )
        if answer.status_code == 409:
            return "its route for them needs Airflow 2.8 or newer in an environment of Astronomer"
        is_ours = answer.is_success or (answer.status_code == 404 and _NOBODY in answer.text)
        return "" if is_ours else f"its route for them answers with {answer.status_code}"

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
