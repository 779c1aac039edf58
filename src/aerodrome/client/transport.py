"""One HTTP conversation with a server: credentials, retries of reads, and problem documents turned into our errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2

from aerodrome.kernel.errors import (
    AerodromeError,
    Broken,
    Conflict,
    Denied,
    Invalid,
    NotFound,
    Stale,
    Unavailable,
)
from aerodrome.kernel.secret import Secret
from aerodrome.kernel.version import version

API = "/api/v1"
RETRIES = 4
FIRST_PAUSE_S = 0.2
_RETRIED = frozenset({502, 503, 504})
_KINDS: dict[str, type[AerodromeError]] = {
    cls.kind: cls for cls in (Invalid, NotFound, Denied, Conflict, Stale, Unavailable, Broken)
}
Params = Mapping[str, str | int | list[str] | None]


class Transport:
    """Sends requests. Reads, and writes with a key, are tried again when the server does not answer; others never are."""

    def __init__(
        self,
        base_url: str,
        token: Secret | None,
        *,
        timeout_s: float = 30.0,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"User-Agent": f"aerodrome/{version()}", "Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token.reveal()}"
        self.base_url = base_url.rstrip("/")
        self._sleep = sleep
        self._http = httpx2.Client(
            base_url=self.base_url,
            headers=headers,
            timeout=timeout_s,
            transport=transport,
            follow_redirects=False,  # our server never redirects an API call; a token must not follow one elsewhere
            trust_env=not _is_loopback(
                self.base_url
            ),  # a proxy of the environment cannot reach this machine's loopback
        )

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, params: Params | None = None) -> Any:
        """Read; tries again up to 4 times when the server cannot be reached or is not ready."""
        return self._retried("GET", path, params=params)

    def get_text(self, path: str) -> str:
        """Read a document that is not JSON."""
        return str(self._retried("GET", path, is_document=True))

    def pages(self, path: str, params: Params | None = None) -> Iterator[Any]:
        """Give the items of a list, page after page."""
        cursor: str | None = None
        while True:
            page = self.get(path, {**(params or {}), "cursor": cursor})
            yield from page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def post(self, path: str, body: Any = None, *, key: str | None = None, timeout_s: float | None = None) -> Any:
        """Write; with an Idempotency-Key it is tried again like a read, because nothing is then done twice."""
        if key is None:
            more: dict[str, Any] = {} if timeout_s is None else {"timeout": timeout_s}
            return self._send("POST", path, json=body, **more)
        return self._retried("POST", path, json=body, headers={"Idempotency-Key": key})

    def put(self, path: str, body: Any) -> Any:
        return self._send("PUT", path, json=body)

    def patch(self, path: str, body: Any) -> Any:
        return self._send("PATCH", path, json=body)

    def delete(self, path: str, params: Params | None = None) -> Any:
        return self._send("DELETE", path, params=params)

    def upload(
        self, path: str, params: Params, blocks: Iterable[bytes], media_type: str, *, key: str | None = None
    ) -> Any:
        """Send a body as a stream; the answer may take long, because the server works through it first."""
        headers = {"Content-Type": media_type} | ({"Idempotency-Key": key} if key else {})
        return self._send("POST", path, params=params, content=blocks, headers=headers, timeout=300.0)

    def save(self, path: str, target: Path) -> int:
        """Write the answer of a GET to a file, block by block, and give its size; the file appears whole or not at all."""
        draft = target.with_name(f".{target.name}.part")
        try:
            with self._http.stream("GET", API + path, timeout=300.0) as answer:
                if not answer.is_success:
                    answer.read()
                    raise error_of(answer)
                with draft.open("wb") as stream:
                    size = sum(stream.write(block) for block in answer.iter_bytes())
        except httpx2.HTTPError as error:
            raise Unavailable(
                f"The server at {self.base_url} does not answer ({type(error).__name__}).",
                code="server-unreachable",
                hint="Is it running? `aerodrome serve` starts it.",
            ) from error
        except OSError as error:
            raise Invalid(
                f"{target} cannot be written: {error.strerror}.", code="file-unwritable", hint="Name another file."
            ) from error
        else:
            draft.replace(target)
            return size
        finally:
            draft.unlink(missing_ok=True)

    def _retried(self, method: str, path: str, **more: Any) -> Any:
        for attempt in range(RETRIES):
            try:
                return self._send(method, path, **more)
            except Unavailable:
                self._sleep(FIRST_PAUSE_S * 2**attempt)
        return self._send(method, path, **more)

    def _send(
        self, method: str, path: str, *, params: Params | None = None, is_document: bool = False, **more: Any
    ) -> Any:
        given = {name: value for name, value in (params or {}).items() if value is not None}
        try:
            answer = self._http.request(method, API + path, params=given, **more)
        except httpx2.HTTPError as error:
            raise Unavailable(
                f"The server at {self.base_url} does not answer ({type(error).__name__}).",
                code="server-unreachable",
                hint="Is it running? `aerodrome serve` starts it; --url or AERODROME_URL names another address.",
            ) from error
        except httpx2.InvalidURL as error:
            raise Invalid(
                "The server's address is not a URL.", code="url-invalid", hint="Write it like http://127.0.0.1:8700."
            ) from error
        if not answer.is_success:
            raise error_of(answer)
        if is_document:
            return answer.text
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise _foreign(answer) from None


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def segment(text: str) -> str:
    """Write a reference as one segment of a path."""
    if not text or text in {".", ".."}:
        raise Invalid("A name is missing.", code="name-missing", hint="Give the id or the name.")
    return quote(text, safe="")


def error_of(answer: httpx2.Response) -> AerodromeError:
    """Give the error that a problem document describes, or one that fits the status of a foreign answer."""
    try:
        problem = answer.json()
        kind = _KINDS[problem["kind"]]
        code, message, hint = str(problem["code"]), str(problem["detail"]), str(problem.get("hint", ""))
        details = dict(problem.get("details") or {})
    except (ValueError, KeyError, TypeError):
        return _foreign(answer)
    if request_id := problem.get("request_id"):
        details["request_id"] = request_id
    if incident_id := problem.get("incident_id"):
        details["incident_id"] = incident_id
    return kind(message, code=code, hint=hint, details=details)


def _foreign(answer: httpx2.Response) -> AerodromeError:
    if answer.status_code in _RETRIED:
        return Unavailable(
            f"The server is not ready ({answer.status_code}).", code="server-not-ready", hint="Try again in a moment."
        )
    return Broken(
        f"Something that is not Aerodrome answered with status {answer.status_code}.",
        code="answer-foreign",
        hint="Check the address: --url, AERODROME_URL, or what `aerodrome login` stored.",
    )
