"""Google Cloud Secret Manager. Each `put` adds a version; the newest is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from aerodrome.kernel.errors import AerodromeError, Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.contract import missing
from aerodrome.secretstores.vendor import (
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

SERVICE: Final = "GCP Secret Manager"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_ROLES: Final = {
    "secretmanager.versions.access": "roles/secretmanager.secretAccessor",
    "secretmanager.secrets.list": "roles/secretmanager.viewer",
    "secretmanager.versions.add": "roles/secretmanager.secretVersionManager",
    "secretmanager.secrets.create": "roles/secretmanager.admin",
    "secretmanager.secrets.delete": "roles/secretmanager.admin",
}


class GcpSecretManager:
    """A Vendor on google-cloud-secret-manager, over gRPC."""

    max_value_bytes = 65_536

    def __init__(self, plain: Plain) -> None:
        try:
            import google.auth
            import grpc
            from google.api_core import exceptions, retry
            from google.cloud import secretmanager_v1
            from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
                SecretManagerServiceGrpcTransport,
            )
            from google.oauth2 import service_account
        except ImportError as error:
            raise missing_library("gcp", "GCP Secret Manager (google-cloud-secret-manager)") from error
        quiet("google", "urllib3")
        self._plain = plain
        self._project = plain.get("project")
        with self._translated("secretmanager.versions.access", "the project"):
            if key := plain.reveal("service_account_key"):
                credentials = service_account.Credentials.from_service_account_info(_key(key), scopes=[_SCOPE])
            else:
                credentials, _ = google.auth.default(scopes=[_SCOPE])
        more: dict[str, Any] = {}
        if plain.get("ca_file"):
            more["ssl_channel_credentials"] = grpc.ssl_channel_credentials(Path(plain.get("ca_file")).read_bytes())
        transport = SecretManagerServiceGrpcTransport(
            host=plain.get("endpoint") or "secretmanager.googleapis.com", credentials=credentials, **more
        )
        self._client = secretmanager_v1.SecretManagerServiceClient(transport=transport)
        self._how: dict[str, Any] = {
            "timeout": READ_S,
            "retry": retry.Retry(
                predicate=retry.if_exception_type(
                    exceptions.ResourceExhausted, exceptions.ServiceUnavailable, exceptions.InternalServerError
                ),
                initial=0.2,
                multiplier=2,
                maximum=2,
                timeout=READ_S / 2,
            ),
        }

    def get(self, name: str, *, as_fields: bool = False) -> Secret:  # noqa: ARG002
        path = f"{self._path(name)}/versions/latest"
        try:
            with self._translated("secretmanager.versions.access", name):
                answer = self._client.access_secret_version(request={"name": path}, **self._how)
        except Invalid as error:
            if error.code == "backend-version-disabled":
                raise missing(name) from None
            raise
        return Secret(answer.payload.data.decode(errors="replace"))

    def get_many(self, names: Sequence[str], *, as_fields: bool = False) -> dict[str, Secret]:  # noqa: ARG002
        found: dict[str, Secret] = {}
        for name in names:
            try:
                found[name] = self.get(name)
            except NotFound:
                continue
        return found

    def put(self, name: str, value: Secret, *, as_fields: bool = False) -> None:  # noqa: ARG002
        path = self._path(name)
        check_size(SERVICE, name, value, self.max_value_bytes)
        version = {"parent": path, "payload": {"data": value.reveal().encode()}}
        try:
            self._add(name, version)
        except NotFound:
            self._create(name)
            self._add(name, version)

    def delete(self, name: str) -> None:
        path = self._path(name)
        try:
            with self._translated("secretmanager.secrets.delete", name):
                self._client.delete_secret(request={"name": path}, **self._how)
        except NotFound:
            return

    def names(self, prefix: str) -> list[str]:
        request = {"parent": f"projects/{self._project}", "page_size": 250}
        if prefix:
            request["filter"] = f"name:{prefix}"
        with self._translated("secretmanager.secrets.list", f"the project {self._project}"):
            pages = self._client.list_secrets(request=request, **self._how)
            found = [item.name.rpartition("/")[2] for item in pages]
        return sorted(name for name in found if name.startswith(prefix))

    def __repr__(self) -> str:
        return f"GcpSecretManager({self._project})"

    def _add(self, name: str, version: dict[str, Any]) -> None:
        with self._translated("secretmanager.versions.add", name):
            self._client.add_secret_version(request=version, **self._how)

    def _create(self, name: str) -> None:
        regions = [part.strip() for part in self._plain.get("locations").split(",") if part.strip()]
        replication: dict[str, Any] = {"automatic": {}}
        if regions:
            replication = {"user_managed": {"replicas": [{"location": region} for region in regions]}}
        request = {
            "parent": f"projects/{self._project}",
            "secret_id": name,
            "secret": {"replication": replication, "labels": {"managed-by": "aerodrome"}},
        }
        from google.api_core import exceptions

        with self._translated("secretmanager.secrets.create", name):
            try:
                self._client.create_secret(request=request, **self._how)
            except exceptions.AlreadyExists:
                return  # somebody made it meanwhile

    def _path(self, name: str) -> str:
        check_name(SERVICE, name, _NAME.fullmatch, "1 to 255 of letters, digits, _ and -")
        return f"projects/{self._project}/secrets/{name}"

    @contextmanager
    def _translated(self, permission: str, name: str) -> Iterator[None]:
        from google.api_core import exceptions
        from google.auth import exceptions as auth

        sign_in = "Give a service account's key, or run the platform where default credentials of Google exist."
        try:
            yield
        except exceptions.NotFound as error:
            raise missing(name) from (None if "not found" in str(error).lower() else error)
        except exceptions.PermissionDenied as error:
            raise self._denied(permission, name, error.message or "") from None
        except exceptions.Unauthenticated:
            raise not_signed_in(SERVICE, "the token is not accepted.", sign_in) from None
        except auth.DefaultCredentialsError:
            raise not_signed_in(SERVICE, "there are no default credentials on this machine.", sign_in) from None
        except (auth.RefreshError, auth.MalformedError) as error:
            raise not_signed_in(SERVICE, f"{type(error).__name__}.", sign_in) from None
        except auth.TransportError as error:
            raise unreachable(SERVICE, "Google's token service", type(error).__name__) from None
        except exceptions.FailedPrecondition:
            raise Invalid(f"The newest version of {name} is disabled.", code="backend-version-disabled") from None
        except (exceptions.RetryError, exceptions.GoogleAPICallError) as error:
            raise self._failed(error, name) from None

    def _denied(self, permission: str, name: str, said: str) -> AerodromeError:
        if "has not been used" in said or "SERVICE_DISABLED" in said:
            hint = f"Enable it: gcloud services enable secretmanager.googleapis.com --project {self._project}"
            return denied(SERVICE, "the API itself", f"the project {self._project}", hint, said)
        hint = (
            f"Grant {_ROLES[permission]} on it: gcloud projects add-iam-policy-binding {self._project} "
            f"--member serviceAccount:ACCOUNT --role {_ROLES[permission]}"
        )
        return denied(SERVICE, permission, name, hint, said)

    def _failed(self, error: Any, name: str) -> AerodromeError:
        from google.api_core import exceptions

        cause = getattr(error, "cause", None) or error
        where = self._plain.get("endpoint") or "secretmanager.googleapis.com"
        if isinstance(cause, exceptions.ResourceExhausted):
            return throttled(SERVICE)
        if isinstance(cause, exceptions.ServiceUnavailable | exceptions.DeadlineExceeded):
            return unreachable(SERVICE, where, type(cause).__name__)
        if isinstance(cause, exceptions.ServerError):
            return failing(SERVICE, type(cause).__name__)
        return refused(SERVICE, name, str(getattr(cause, "message", "") or type(cause).__name__))


def _key(text: str) -> dict[str, Any]:
    wrong = Invalid(
        "The service account's key is not the JSON that Google gives.",
        code="backend-key-invalid",
        hint="Give the whole content of the key file.",
    )
    try:
        info = json.loads(text)
    except ValueError:
        raise wrong from None
    if not isinstance(info, dict) or not info.get("private_key") or not info.get("client_email"):
        raise wrong
    return {"token_uri": "https://oauth2.googleapis.com/token", **info}
