"""Reads a foreign Airflow's REST API: signs in, pages, waits when it is told to, and turns refusals into our errors.

Errors: Unavailable (source-unreachable, source-failed), Denied (source-login-refused, source-right-missing), NotFound
(source-not-found), Conflict (source-conflict), Invalid (source-refused). None of them shows a credential.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from html import unescape
from typing import Any, BinaryIO
from urllib.parse import quote

import httpx2

from aerodrome.kernel.errors import AerodromeError, Broken, Conflict, Denied, Invalid, NotFound, Unavailable
from aerodrome.kernel.secret import Secret

PAGE, BATCH = 100, 1000
"""Entries a page: of GET (Airflow's own limit, [api] maximum_page_limit) and of the POST …/list routes (no limit)."""
TIMEOUT_S = 60.0
ATTEMPTS = 5
LONGEST_WAIT_S = 60.0
_AGAIN = frozenset({429, 502, 503, 504})
_TOKEN = re.compile(r"""<input[^>]*name=["']csrf_token["'][^>]*value=["']([^"']+)["']""")


class RestReader:
    """One Airflow. Nothing connects before the first call."""

    def __init__(
        self,
        base_url: str,
        user: str,
        password: Secret,
        token: Secret,
        *,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Take a user with a password (2.x: basic, or a session of the login page; 3.x: exchanged for a token), or a bearer token."""
        self._user, self._password, self._token = user, password, token
        self._sleep = sleep
        self.url = base_url.rstrip("/")
        self.longest_path: int | None = None  # of what stands behind /api/vN, where something on the way limits it
        self._client = httpx2.Client(base_url=self.url, transport=transport, timeout=timeout_s, trust_env=False)

    def close(self) -> None:
        self._client.close()

    @cached_property
    def version(self) -> str:
        """Give the Airflow version."""
        for api in ("/api/v2", "/api/v1"):
            try:
                return str(self._send("GET", f"{api}/version", is_signed=False)["version"])
            except (NotFound, Invalid, KeyError):
                continue
        raise Invalid(
            f"{self.url} shows no REST API of an Airflow 2 or 3.",
            code="not-an-airflow",
            hint="Give the address of its web server, with the path before /api if there is one.",
        )

    def fits(self, path: str) -> bool:
        """Tell whether a path can be asked for."""
        return self.longest_path is None or len(path) <= self.longest_path

    @property
    def is_v2(self) -> bool:
        return int(self.version.partition(".")[0]) >= 3

    @property
    def _api(self) -> str:
        return "/api/v2" if self.is_v2 else "/api/v1"

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        return self._send("GET", self._api + path, parameters=parameters)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._send("POST", self._api + path, body=body)

    def patch(self, path: str, body: Mapping[str, Any], **parameters: Any) -> dict[str, Any]:
        return self._send("PATCH", self._api + path, body=body, parameters=parameters)

    def pages(self, path: str, key: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Give the entries of a list, page by page."""
        offset = 0
        while True:
            answer = self.get(path, **parameters, limit=PAGE, offset=offset)
            yield from answer[key]
            offset += len(answer[key])
            if not answer[key] or offset >= answer["total_entries"]:
                return

    def batch(self, path: str, key: str, **wish: Any) -> Iterator[dict[str, Any]]:
        """Give the entries of a POST …/list route, page by page."""
        for entries, _total in self.batches(path, key, **wish):
            yield from entries

    def batches(self, path: str, key: str, **wish: Any) -> Iterator[tuple[list[dict[str, Any]], int]]:
        """Give the pages of a POST …/list route, each with how many entries there are in all."""
        offset = 0
        while True:
            answer = self.post(path, {**wish, "page_limit": BATCH, "page_offset": offset})
            yield answer[key], int(answer["total_entries"])
            offset += len(answer[key])
            if not answer[key] or offset >= answer["total_entries"]:
                return

    def total(self, path: str, **wish: Any) -> int:
        """Tell how many entries a POST …/list route has."""
        return int(self.post(path, {**wish, "page_limit": 1, "page_offset": 0})["total_entries"])

    def clock(self) -> str:
        """Give the source's own time, as its Date header says it (whole seconds, rounded down)."""
        return str(self._answer("GET", f"{self._api}/version", None, None, is_signed=True).headers["date"])

    def _send(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        is_signed: bool = True,
    ) -> dict[str, Any]:
        answer = self._answer(method, path, parameters, body, is_signed=is_signed)
        if answer.is_error or answer.is_redirect:
            raise self._explained(method, path, answer)
        try:
            found: dict[str, Any] = answer.json() if answer.content else {}
        except ValueError:
            raise Invalid(
                f"{self.url} answers {path} with something else than JSON.",
                code="not-an-airflow",
                hint="Give the address of the Airflow itself, not of a sign-in page before it.",
            ) from None
        return found

    def _answer(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
        *,
        is_signed: bool,
        headers: Mapping[str, str] | None = None,
        into: BinaryIO | None = None,
    ) -> httpx2.Response:
        """Send; wait and repeat when Airflow, or what stands before it, says so. Every call of ours may be repeated.

        `into` takes the content of a success as it comes, from its beginning again at each attempt.
        """
        renewed = False
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self._once(
                    self._client.build_request(
                        method,
                        path,
                        params=dict(parameters or {}),
                        json=body,
                        headers=headers or self._headers(is_signed=is_signed),
                    ),
                    into,
                )
            except httpx2.TransportError as error:
                if attempt == ATTEMPTS:
                    raise self._unreachable() from error
                self._sleep(0.5 * 2**attempt)
                continue
            if is_signed and not renewed and self._is_signed_out(answer):
                renewed = True
                self.__dict__.pop("_bearer", None)  # a token of 3.x lives for a day at most
                self.__dict__.pop("_by_session", None)  # a session, as long as the source's options say
                continue
            if answer.status_code not in _AGAIN or attempt == ATTEMPTS:
                return answer
            self._sleep(_wait_s(answer, attempt))
        raise Broken("The last attempt gave neither an answer nor an error.", code="source-failed")

    def _once(self, request: httpx2.Request, into: BinaryIO | None) -> httpx2.Response:
        if into is None:
            return self._client.send(request)
        answer = self._client.send(request, stream=True)
        try:
            if answer.is_success:
                into.seek(0)
                into.truncate()
                for part in answer.iter_bytes():
                    into.write(part)
            else:
                answer.read()
        finally:
            answer.close()
        return answer

    def _headers(self, *, is_signed: bool) -> dict[str, str]:
        if not is_signed:
            return {}
        if not self._token and not self.__dict__.get("version", "3").startswith("3"):
            _ = self._by_session
            return self._basic
        return {"Authorization": f"Bearer {(self._token or self._bearer).reveal()}"}

    @property
    def _basic(self) -> dict[str, str]:
        pair = f"{self._user}:{self._password.reveal()}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    @cached_property
    def _by_session(self) -> bool:
        """Sign in by the login page of Airflow 2 where basic authentication is refused; the client keeps the cookie.

        So an Airflow as delivered answers, too: `auth_backends` is `session` since 2.3 (airflow/config_templates/config.yml).
        """
        wish: Mapping[str, Any] = {"limit": 1}
        asked = self._answer("GET", "/api/v1/dags", wish, None, is_signed=False, headers=self._basic)
        if asked.status_code not in {401, 403}:
            return False
        shown = self._answer("GET", "/login/", None, None, is_signed=False)
        if shown.is_error or not _TOKEN.search(shown.text):
            return False  # the call itself is answered with the reason
        self._sign_in(shown.text)
        return True

    def _sign_in(self, page: str | None = None) -> None:
        """Fill in the login form (Flask-AppBuilder). Denied `source-login-refused`."""
        token = _TOKEN.search(page or self._answer("GET", "/login/", None, None, is_signed=False).text)
        if token is None:
            raise Denied(
                f"{self.url} has no login form for a user and a password.",
                code="source-login-refused",
                hint="Give a token that its web server accepts instead.",
            )
        form = {"csrf_token": unescape(token[1]), "username": self._user, "password": self._password.reveal()}
        try:
            answer = self._client.post("/login/", data=form)
        except httpx2.TransportError as error:
            raise self._unreachable() from error
        if not answer.is_redirect or "/login" in answer.headers.get("location", ""):
            raise self._login_refused()

    def _is_signed_out(self, answer: httpx2.Response) -> bool:
        """Tell whether a login of ours has ended that can be made again."""
        if self._token:
            return False
        is_sent_away = answer.is_redirect and "/login" in answer.headers.get("location", "")
        return (answer.status_code == 401 and "_bearer" in self.__dict__) or (
            is_sent_away and bool(self.__dict__.get("_by_session"))
        )

    @cached_property
    def _bearer(self) -> Secret:
        """Exchange user and password for a token (Airflow >= 3.0: POST /auth/token, simple and FAB auth manager)."""
        wish = {"username": self._user, "password": self._password.reveal()}
        try:
            answer = self._send("POST", "/auth/token", body=wish, is_signed=False)
            return Secret(str(answer["access_token"]))
        except (Invalid, NotFound, KeyError):
            raise self._login_refused() from None

    def _unreachable(self) -> Unavailable:
        return Unavailable(
            f"{self.url} does not answer.",
            code="source-unreachable",
            hint="Check address, port and network path, then try again.",
        )

    def _login_refused(self) -> Denied:
        return Denied(
            f"{self.url} refuses the user, the password or the token.",
            code="source-login-refused",
            hint="Check them; in Airflow 2 also that [api] auth_backends holds basic_auth or session.",
        )

    def _explained(self, method: str, path: str, answer: httpx2.Response) -> AerodromeError:
        status = answer.status_code
        what = f"{method} {path.split('?', maxsplit=1)[0]}"
        if status == 401 or answer.is_redirect:
            return self._login_refused()
        if status == 403:
            return Denied(
                f"The user may not {what}.",
                code="source-right-missing",
                hint="Give it a role that may (Op); Airflow 2 answers so to a wrong password or token, too.",
            )
        if status == 414:
            return Invalid(
                f"{what} is longer than what leads to the source lets pass.",
                code="source-path-too-long",
                hint="Connect its metadata database or an archive (`aerodrome export`) for DAGs with such long names.",
            )
        if status in (404, 405):
            return NotFound(f"The source does not know {what}.", code="source-not-found")
        if status == 409:
            return Conflict(f"The source answers {what} with a conflict.", code="source-conflict")
        if status >= 500 or status in _AGAIN:
            return Unavailable(
                f"The source answers {what} with {status}.",
                code="source-failed",
                hint="See the log of its web server, then try again.",
            )
        return Invalid(f"The source refuses {what} with {status}.", code="source-refused")


def quoted(name: str) -> str:
    """Write a name as one segment of a path."""
    return quote(name, safe="~")


def _wait_s(answer: httpx2.Response, attempt: int) -> float:
    """Wait as long as Retry-After says (seconds), else longer each time; a minute at most."""
    said = answer.headers.get("retry-after", "")
    wait = float(said) if said.isdigit() else 0.5 * 2**attempt
    return min(wait, LONGEST_WAIT_S)
