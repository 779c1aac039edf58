"""HashiCorp Vault (and OpenBao), KV version 2; signs in by token, AppRole or a Kubernetes service account."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.contract import missing
from aerodrome.secretstores.vendor import (
    ATTEMPTS,
    CONNECT_S,
    READ_S,
    Plain,
    check_name,
    check_size,
    denied,
    failing,
    missing_library,
    not_signed_in,
    quiet,
    refused,
    throttled,
    unreachable,
)

SERVICE: Final = "Vault"
SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_NAME: Final = re.compile(r"[^\s/%?#\\]+(/[^\s/%?#\\]+)*")
_FIELD: Final = "value"
_TOKEN: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_MOST_TOKEN: Final = 16_384
T = TypeVar("T")


class Vault:
    """A Vendor on hvac. A name is a path below the mount; a value stands in the field `value`, or as fields."""

    max_value_bytes = 500_000  # the integrated storage takes 512 KiB an entry

    def __init__(self, plain: Plain) -> None:
        try:
            import hvac
            import requests
            from requests.adapters import HTTPAdapter
            from urllib3.util import Retry
        except ImportError as error:
            raise missing_library("vault", "HashiCorp Vault (hvac)") from error
        quiet("urllib3", "hvac", "requests")
        self._plain = plain
        self._mount = plain.get("mount") or "secret"
        session = requests.Session()
        session.verify = plain.get("ca_file") or True
        retry = Retry(
            total=ATTEMPTS - 1,
            backoff_factor=0.2,
            status_forcelist=(412, 429, 500, 502, 503, 504),  # 412: a standby has not caught up yet
            allowed_methods=None,
            raise_on_status=False,
        )
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        self._client = hvac.Client(
            url=plain.get("url"),
            token="",
            timeout=(CONNECT_S, READ_S),
            session=session,
            namespace=plain.get("namespace") or None,
        )
        self._kv = self._client.secrets.kv.v2
        self._lock = threading.Lock()
        self._is_signed_in = False

    def get(self, name: str, *, as_fields: bool = False) -> Secret:
        self._check(name)

        def act() -> Any:
            return self._kv.read_secret_version(name, mount_point=self._mount, raise_on_deleted_version=True)

        data = self._call(act, name, "data", "read")["data"]["data"]
        if as_fields:
            return Secret(json.dumps(data))
        text = data.get(_FIELD)
        return Secret(text if isinstance(text, str) else json.dumps(data))

    def get_many(self, names: Sequence[str], *, as_fields: bool = False) -> dict[str, Secret]:
        found: dict[str, Secret] = {}
        for name in names:
            try:
                found[name] = self.get(name, as_fields=as_fields)
            except NotFound:
                continue
        return found

    def put(self, name: str, value: Secret, *, as_fields: bool = False) -> None:
        self._check(name)
        if value:  # Vault holds empty values too
            check_size(SERVICE, name, value, self.max_value_bytes)
        fields = json.loads(value.reveal()) if as_fields else {_FIELD: value.reveal()}

        def write(cas: int | None = None) -> Any:
            return self._kv.create_or_update_secret(name, fields, cas=cas, mount_point=self._mount)

        for _ in range(ATTEMPTS):
            try:
                self._call(write, name, "data", "create, update")
            except Invalid as error:
                if "check-and-set" not in error.message:
                    raise
            else:
                return
            seen = self._version(name)  # the mount asks for check-and-set on every write
            try:
                self._call(lambda seen=seen: write(seen), name, "data", "create, update")  # type: ignore[misc]
            except Invalid as error:
                if "check-and-set" not in error.message:
                    raise
            else:
                return
        raise refused(SERVICE, name, "somebody else writes it at the same time (check-and-set).")

    def delete(self, name: str) -> None:
        """Remove all versions and the metadata."""
        self._check(name)

        def act() -> Any:
            return self._kv.delete_metadata_and_all_versions(name, mount_point=self._mount)

        self._call(act, name, "metadata", "delete")

    def names(self, prefix: str) -> list[str]:
        folder, _, _ = prefix.rpartition("/")
        found: list[str] = []
        waiting = [folder]
        while waiting:
            place = waiting.pop()

            def act(place: str = place) -> Any:
                return self._kv.list_secrets(place, mount_point=self._mount)

            try:
                keys = self._call(act, place, "metadata", "list")["data"]["keys"]
            except NotFound:
                continue
            for key in keys:
                path = f"{place}/{key}" if place else str(key)
                if path.endswith("/"):
                    if path.startswith(prefix) or prefix.startswith(path):
                        waiting.append(path.rstrip("/"))
                elif path.startswith(prefix):
                    found.append(path)
        return sorted(found)

    def __repr__(self) -> str:
        return f"Vault({self._plain.get('url')}, {self._mount})"

    def _version(self, name: str) -> int:
        try:
            answer = self._call(
                lambda: self._kv.read_secret_metadata(name, mount_point=self._mount), name, "metadata", "read"
            )
        except NotFound:
            return 0
        return int(answer["data"]["current_version"])

    def _call(self, act: Callable[[], T], name: str, area: str, capability: str) -> T:
        """Run one request; sign in before it, and once again when the token has run out."""
        import requests
        from hvac import exceptions as raised

        path = f"{self._mount}/{area}/{name}".rstrip("/")
        is_fresh = self._sign_in()
        try:
            try:
                return act()
            except (raised.Forbidden, raised.Unauthorized):
                if is_fresh or self._auth == "token":
                    raise
                self._sign_in(again=True)
                return act()
        except raised.InvalidPath as error:
            if "no handler for route" in str(error) or "route entry not found" in str(error):
                raise Invalid(
                    f"Vault has no secrets engine mounted at {self._mount}.",
                    code="backend-mount-unknown",
                    hint="`vault secrets list` shows the mounts; set mount to one of type kv, version 2.",
                ) from None
            raise missing(name) from None
        except (raised.Forbidden, raised.Unauthorized) as error:
            hint = f'Add to the policy: path "{path}" {{ capabilities = [{_quoted(capability)}] }}'
            if self._auth == "token" and not self._token_is_valid():
                raise not_signed_in(
                    SERVICE, "the token is unknown or has run out.", "Make a new token and update the backend with it."
                ) from None
            raise denied(SERVICE, f'the capability "{capability}"', path, hint, _words(error)) from None
        except (raised.VaultError, requests.RequestException) as error:
            raise self._translated(error, name) from None

    def _translated(self, error: Exception, name: str) -> Exception:
        import requests
        from hvac import exceptions as raised

        if isinstance(error, raised.RateLimitExceeded):
            return throttled(SERVICE)
        if isinstance(error, raised.VaultDown):
            return failing(SERVICE, "503: it is sealed, or a standby without a leader")
        if isinstance(error, raised.InternalServerError | raised.BadGateway | raised.VaultNotInitialized):
            return failing(SERVICE, type(error).__name__)
        if isinstance(error, raised.VaultError):
            return refused(SERVICE, name, _words(error))
        if isinstance(error, requests.RequestException):
            return unreachable(SERVICE, self._plain.get("url"), type(error).__name__)
        return error

    @property
    def _auth(self) -> str:
        return self._plain.get("auth") or "token"

    def _sign_in(self, *, again: bool = False) -> bool:
        """Sign in unless done; tell whether it was done just now."""
        from hvac import exceptions as raised

        with self._lock:
            if self._is_signed_in and not again:
                return False
            hint = "Check the credentials, and that the auth method is enabled at this mount."
            try:
                self._log_in()
            except (raised.InvalidRequest, raised.Forbidden, raised.Unauthorized, raised.InvalidPath) as error:
                raise not_signed_in(SERVICE, f"{self._auth}: {_words(error)}.", hint) from None
            except OSError as error:
                if "requests" in type(error).__module__:
                    raise self._translated(error, "") from None
                raise not_signed_in(SERVICE, f"{error.filename} cannot be read.", hint) from None
            except raised.VaultError as error:
                raise self._translated(error, "") from None
            self._is_signed_in = True
            return True

    def _log_in(self) -> None:
        plain = self._plain
        if self._auth == "token":
            self._client.token = plain.reveal("token")
        elif self._auth == "approle":
            self._client.auth.approle.login(
                role_id=plain.get("role_id"),
                secret_id=plain.reveal("secret_id"),
                mount_point=plain.get("auth_mount") or "approle",
            )
        else:
            self._client.auth.kubernetes.login(
                role=plain.get("kubernetes_role"),
                jwt=_token_in(Path(plain.get("kubernetes_jwt_path") or SERVICE_ACCOUNT)),
                mount_point=plain.get("auth_mount") or "kubernetes",
            )

    def _token_is_valid(self) -> bool:
        from hvac import exceptions as raised

        try:
            self._client.auth.token.lookup_self()
        except raised.VaultError:
            return False
        return True

    def _check(self, name: str) -> str:
        return check_name(
            SERVICE, name, lambda text: len(text) <= 500 and _NAME.fullmatch(text), "paths without spaces or % ? # \\"
        )


def _token_in(path: Path) -> str:
    """Read a service account's token. Anything else is not sent: who names the file must not learn other files by it."""
    with path.open(encoding="ascii", errors="replace") as stream:
        text = stream.read(_MOST_TOKEN + 1).strip()
    if len(text) > _MOST_TOKEN or not _TOKEN.fullmatch(text):
        hint = "Name the file into which Kubernetes puts the token, or leave the field empty."
        raise not_signed_in(SERVICE, f"{path} holds no service account's token.", hint)
    return text


def _quoted(capability: str) -> str:
    return ", ".join(f'"{part.strip()}"' for part in capability.split(","))


def _words(error: Any) -> str:
    """Give Vault's own words; never the URL or the method, which hvac adds to its text."""
    found = getattr(error, "errors", None) or []
    return "; ".join(str(item) for item in found) or type(error).__name__
