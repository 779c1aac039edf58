"""Signs in to Google and calls its REST APIs: a service account's key, or what the machine has.

The libraries of Google sign the assertion and know the machine's own accounts; everything else is plain HTTP here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx2

from aerodrome.kernel.errors import AerodromeError, Denied, Invalid, NotFound, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.cloud.contract import CloudLogin
from aerodrome.secretstores.vendor import missing_library, not_signed_in, quiet, throttled, unreachable

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
TIMEOUT_S = 60.0
ATTEMPTS = 5
_AGAIN = frozenset({429, 500, 502, 503, 504})
_SIGN_IN = "Give a service account's key, or run the platform where default credentials of Google exist."


class GoogleApi:
    """One of Google's REST services. Nothing connects before the first call."""

    def __init__(self, name: str, root: str, login: CloudLogin, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Take a service's name for people and its root; an `endpoint_url` of the login stands in for the root."""
        self.name = name
        self._login = login
        self._sleep = sleep
        self._credentials: Any = None
        self._client = httpx2.Client(base_url=login.get("endpoint_url") or root, timeout=TIMEOUT_S)

    def token(self) -> Secret:
        """Give an access token that is still good."""
        with self._signing_in():
            if self._credentials is None:
                self._credentials = self._signed_in()
            if not self._credentials.valid:
                import requests
                from google.auth.transport.requests import Request

                with requests.Session() as session:
                    self._credentials.refresh(Request(session))
        return Secret(str(self._credentials.token))

    def get(self, path: str, permission: str, place: str, **parameters: str) -> Any:
        """Give the JSON of an answer. Denied names the permission; NotFound `object-missing` the place."""
        with self.stream(path, permission, place, **parameters) as answer:
            answer.read()
            return answer.json()

    @contextmanager
    def stream(self, path: str, permission: str, place: str, **parameters: str) -> Iterator[httpx2.Response]:
        """Give an answer whose body is not read yet."""
        for attempt in range(1, ATTEMPTS + 1):
            request = self._client.build_request(
                "GET", path, params=parameters, headers={"Authorization": f"Bearer {self.token().reveal()}"}
            )
            try:
                answer = self._client.send(request, stream=True)
            except httpx2.TransportError as error:
                if attempt == ATTEMPTS:
                    raise unreachable(self.name, str(self._client.base_url), type(error).__name__) from error
                self._sleep(0.5 * 2**attempt)
                continue
            if answer.status_code in _AGAIN and attempt < ATTEMPTS:
                answer.close()
                self._sleep(0.5 * 2**attempt)
                continue
            break
        try:
            if answer.is_error:
                answer.read()
                raise self._explained(answer, permission, place)
            yield answer
        finally:
            answer.close()

    def close(self) -> None:
        self._client.close()

    def _signed_in(self) -> Any:
        try:
            import google.auth
            from google.oauth2 import service_account
        except ImportError as error:
            raise missing_library("gcp", "Google Cloud (google-auth)") from error
        quiet("google", "urllib3")
        key = self._login.credentials.get("service_account_key")
        if key:
            return service_account.Credentials.from_service_account_info(_key(key), scopes=[SCOPE])
        credentials, _project = google.auth.default(scopes=[SCOPE])
        return credentials

    @contextmanager
    def _signing_in(self) -> Iterator[None]:
        try:
            from google.auth import exceptions as auth
        except ImportError as error:
            raise missing_library("gcp", "Google Cloud (google-auth)") from error
        try:
            yield
        except auth.DefaultCredentialsError:
            raise not_signed_in(self.name, "there are no default credentials on this machine.", _SIGN_IN) from None
        except (auth.RefreshError, auth.MalformedError) as error:
            raise not_signed_in(self.name, f"{type(error).__name__}.", _SIGN_IN) from None
        except auth.TransportError as error:
            raise unreachable(self.name, "Google's token service", type(error).__name__) from None

    def _explained(self, answer: httpx2.Response, permission: str, place: str) -> AerodromeError:
        status = answer.status_code
        if status == 401:
            return not_signed_in(self.name, "the token is not accepted.", _SIGN_IN)
        if status == 403:
            return Denied(
                f"{self.name} refuses {permission} on {place}.",
                code="backend-permission-missing",
                hint=f"Give the account a role with {permission}; where the API is off, enable it.",
                details={"permission": permission, "resource": place},
            )
        if status == 404:
            return NotFound(
                f"There is no {place}.", code="object-missing", hint="Check the address.", details={"place": place}
            )
        if status == 429:
            return throttled(self.name)
        if status >= 500:
            return Unavailable(f"{self.name} fails ({status}).", code="backend-failing", hint="Try again in a moment.")
        return Invalid(f"{self.name} refuses to read {place} ({status}).", code="source-refused")


def _key(text: Secret) -> Mapping[str, Any]:
    try:
        found = json.loads(text.reveal())
    except ValueError:
        found = None
    if not isinstance(found, dict) or "private_key" not in found:
        raise Invalid(
            "service_account_key: this is no key file of a service account.",
            code="field-malformed",
            hint="Give the JSON text of the key file.",
            details={"field": "service_account_key"},
        )
    return found
