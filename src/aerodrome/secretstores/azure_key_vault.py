"""Azure Key Vault. A deleted secret can be recovered for some time there; `put` recovers it and writes.

Names have letters, digits and hyphens only, and capital letters mean nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from aerodrome.kernel.errors import AerodromeError, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.contract import missing
from aerodrome.secretstores.vendor import (
    ATTEMPTS,
    BUSY_PAUSE_S,
    BUSY_TRIES,
    CONNECT_S,
    READ_S,
    Plain,
    busy,
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

SERVICE: Final = "Azure Key Vault"
_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,127}")
_OFFICER: Final = "Key Vault Secrets Officer"
_ROLES: Final = {"get": "Key Vault Secrets User"}
_RECOVERABLE: Final = "ObjectIsDeletedButRecoverable"


class AzureKeyVault:
    """A Vendor on azure-keyvault-secrets."""

    max_value_bytes = 25_000  # 25 k characters

    def __init__(self, plain: Plain) -> None:
        try:
            from azure.identity import ClientSecretCredential, DefaultAzureCredential
            from azure.keyvault.secrets import SecretClient
        except ImportError as error:
            raise missing_library("azure", "Azure Key Vault (azure-keyvault-secrets, azure-identity)") from error
        quiet("azure", "msal", "urllib3")
        self._plain = plain
        limits: dict[str, Any] = {
            "connection_timeout": CONNECT_S,
            "read_timeout": READ_S,
            "retry_total": ATTEMPTS - 1,
            "retry_backoff_factor": 0.2,
            "retry_backoff_max": 2,
        }
        if plain.get("ca_file"):
            limits["connection_verify"] = plain.get("ca_file")
        authority: dict[str, Any] = {}
        if plain.get("authority"):
            authority = {"authority": plain.get("authority"), "disable_instance_discovery": True}
        if secret := plain.reveal("client_secret"):
            credential = ClientSecretCredential(
                plain.get("tenant_id"), plain.get("client_id"), secret, **authority, **limits
            )
        else:
            credential = DefaultAzureCredential(
                managed_identity_client_id=plain.get("client_id") or None, **authority, **limits
            )
        self._client = SecretClient(plain.get("vault_url"), credential, **limits)

    def get(self, name: str, *, as_fields: bool = False) -> Secret:  # noqa: ARG002
        self._check(name)
        with self._translated("get", name):
            value = self._client.get_secret(name).value
        return Secret(value or "")

    def get_many(self, names: Sequence[str], *, as_fields: bool = False) -> dict[str, Secret]:  # noqa: ARG002
        found: dict[str, Secret] = {}
        for name in names:
            try:
                found[name] = self.get(name)
            except NotFound:
                continue
        return found

    def put(self, name: str, value: Secret, *, as_fields: bool = False) -> None:  # noqa: ARG002
        check_size(SERVICE, self._check(name), value, self.max_value_bytes)
        for _ in range(BUSY_TRIES):
            if self._try_put(name, value):
                return
            time.sleep(BUSY_PAUSE_S)
        raise busy(SERVICE, name)

    def delete(self, name: str) -> None:
        from azure.core.exceptions import ResourceExistsError

        self._check(name)
        with self._translated("delete", name):
            for _ in range(BUSY_TRIES):
                try:
                    self._client.begin_delete_secret(name).wait()
                except ResourceExistsError:  # it is being recovered just now
                    time.sleep(BUSY_PAUSE_S)
                except Exception as error:
                    if getattr(error, "status_code", 0) == 404:
                        return
                    raise
                else:
                    return
        raise busy(SERVICE, name)

    def names(self, prefix: str) -> list[str]:
        with self._translated("list", "all secrets"):
            found = [item.name for item in self._client.list_properties_of_secrets() if item.name]
        return sorted(name for name in found if name.lower().startswith(prefix.lower()))

    def __repr__(self) -> str:
        return f"AzureKeyVault({self._plain.get('vault_url')})"

    def _try_put(self, name: str, value: Secret) -> bool:
        """Write; False when a deleted secret of that name stands in the way: then once more."""
        from azure.core.exceptions import HttpResponseError, ResourceExistsError

        with self._translated("set", name):
            try:
                self._client.set_secret(name, value.reveal(), content_type="text/plain")
            except ResourceExistsError as error:
                is_recoverable = _RECOVERABLE in str(error.message)
            else:
                return True
        if is_recoverable:
            with self._translated("recover", name):
                try:
                    self._client.begin_recover_deleted_secret(name).wait()
                except HttpResponseError as error:
                    if error.status_code not in {404, 409}:
                        raise
        return False

    def _check(self, name: str) -> str:
        return check_name(SERVICE, name, _NAME.fullmatch, "1 to 127 of letters, digits and -")

    @contextmanager
    def _translated(self, permission: str, name: str) -> Iterator[None]:
        from azure.core import exceptions as raised

        sign_in = "Check tenant_id, client_id and the client secret (it may have run out), or the managed identity."
        try:
            yield
        except raised.ResourceNotFoundError:
            raise missing(name) from None
        except raised.ClientAuthenticationError as error:
            if getattr(error, "status_code", None) == 403:
                raise self._refusal(error, permission, name) from None
            raise not_signed_in(SERVICE, f"{_reason(error)}.", sign_in) from None
        except raised.HttpResponseError as error:
            raise self._refusal(error, permission, name) from None
        except (raised.ServiceRequestError, raised.ServiceResponseError) as error:
            raise unreachable(SERVICE, self._plain.get("vault_url"), type(error).__name__) from None
        except ValueError as error:  # a wrong vault_url or tenant
            raise not_signed_in(SERVICE, f"{str(error)[:200]}", sign_in) from None

    def _refusal(self, error: Any, permission: str, name: str) -> AerodromeError:
        status = error.status_code or 0
        if status == 403:
            role = _ROLES.get(permission, _OFFICER)
            hint = (
                f'Assign the role "{role}" on the vault, or the secret permission "{permission}" in its access policy.'
            )
            if "ForbiddenByFirewall" in str(error.message):
                hint = "Let this machine's address through in the vault's networking settings."
            return denied(SERVICE, f'the secret permission "{permission}"', name, hint, str(error.message))
        if status == 429:
            return throttled(SERVICE)
        if status >= 500:
            return failing(SERVICE, str(status))
        return refused(SERVICE, name, str(error.message))


def _reason(error: Any) -> str:
    text = " ".join(str(error.message or type(error).__name__).split())
    return text[:200].rstrip(".")
