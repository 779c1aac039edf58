"""Azure Key Vault (secrets, API 7.x) and the token service of Entra ID, over TLS: challenge, paging, soft delete, recovery."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
from tests.rooms.secretstores.servers.web import Answer, Faults, Request, serving

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "66666666-7777-8888-9999-000000000000"
CLIENT_SECRET = "canary-client-secret"
_PAGE = 7


@dataclass
class AzureServer:
    url: str = ""
    sign_in_url: str = ""
    resource: str = ""  # what a challenge names; the client compares it with the vault's host
    ca_file: Path = Path()
    faults: Faults = field(default_factory=Faults)
    versions: dict[str, list[str]] = field(default_factory=dict)  # by lower-case name
    deleted: dict[str, list[str]] = field(default_factory=dict)
    recovering: dict[str, int] = field(default_factory=dict)  # name -> looks until it is back
    names: dict[str, str] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)  # secret permissions
    lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, request: Request) -> Answer:
        with self.lock:
            if request.path == "/common/discovery/instance":
                return self._discovery()
            if request.path.startswith(f"/{TENANT}/"):
                return self._token(request)
            if request.headers.get("Authorization") != "Bearer canary-access-token":
                challenge = f'Bearer authorization="{self.sign_in_url}/{TENANT}", resource="{self.resource}"'
                return Answer(401, _error("Unauthorized", "no token"), {"WWW-Authenticate": challenge})
            return self._vault(request)

    def _discovery(self) -> Answer:
        host = self.sign_in_url.removeprefix("https://")
        return Answer(
            200,
            {
                "tenant_discovery_endpoint": f"{self.sign_in_url}/{TENANT}/v2.0/.well-known/openid-configuration",
                "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
            },
        )

    def _token(self, request: Request) -> Answer:
        root = f"{self.sign_in_url}/{TENANT}"
        if request.path.endswith("/openid-configuration"):
            return Answer(
                200,
                {
                    "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{root}/oauth2/v2.0/token",
                    "issuer": f"{root}/v2.0",
                    "jwks_uri": f"{root}/keys",
                },
            )
        if f"client_secret={CLIENT_SECRET}" not in str(request.body) or f"client_id={CLIENT}" not in str(request.body):
            text = "AADSTS7000215: Invalid client secret provided."
            return Answer(401, {"error": "invalid_client", "error_description": text})
        return Answer(200, {"access_token": "canary-access-token", "expires_in": 3600, "token_type": "Bearer"})

    def _vault(self, request: Request) -> Answer:
        parts = [part for part in request.path.split("/") if part]
        area, name = parts[0], parts[1].lower() if len(parts) > 1 else ""
        if not name:
            return self._page(request) if self._may("list") else self._refuse("list")
        verb = {"GET": "get", "PUT": "set", "DELETE": "delete", "POST": "recover"}[request.method]
        if not self._may(verb):
            return self._refuse(verb)
        if area == "deletedsecrets":
            return self._deleted(request, name)
        self._settle(name)
        if verb == "get":
            if name not in self.versions:
                return Answer(404, _error("SecretNotFound", f"A secret with (name/id) {name} was not found"))
            return Answer(200, self._bundle(name))
        if verb == "set":
            if name in self.recovering:
                return Answer(409, _error("Conflict", "It is being recovered", "ObjectIsBeingRecovered"))
            if name in self.deleted:
                text = f"Secret {name} is currently in a deleted but recoverable state"
                return Answer(409, _error("Conflict", f"{text} (ObjectIsDeletedButRecoverable)"))
            self.names.setdefault(name, parts[1])
            value = request.body["value"] if isinstance(request.body, dict) else json.loads(request.body)["value"]
            self.versions.setdefault(name, []).append(value)
            return Answer(200, self._bundle(name))
        if name not in self.versions:
            return Answer(404, _error("SecretNotFound", "not found"))
        self.deleted[name] = self.versions.pop(name)
        return Answer(200, {**self._bundle(name, self.deleted), "recoveryId": f"{self.url}/deletedsecrets/{name}"})

    def _deleted(self, request: Request, name: str) -> Answer:
        if name not in self.deleted:
            return Answer(404, _error("SecretNotFound", "not found"))
        if request.method == "POST":
            self.recovering[name] = 1
            return Answer(200, self._bundle(name, self.deleted))
        return Answer(200, {**self._bundle(name, self.deleted), "recoveryId": f"{self.url}/deletedsecrets/{name}"})

    def _settle(self, name: str) -> None:
        """Let a recovery come to its end after one more look, as the service takes a while."""
        if name in self.recovering:
            self.recovering[name] -= 1
            if self.recovering[name] < 0:
                del self.recovering[name]
                self.versions[name] = self.deleted.pop(name)

    def _page(self, request: Request) -> Answer:
        skip = int(request.query.get("$skiptoken", 0))
        names = sorted(self.versions)
        items = [self._properties(name) for name in names[skip : skip + _PAGE]]
        more = f"{self.url}/secrets?api-version=7.6&$skiptoken={skip + _PAGE}" if len(names) > skip + _PAGE else None
        return Answer(200, {"value": items, "nextLink": more})

    def _may(self, verb: str) -> bool:
        return verb not in self.denied

    def _refuse(self, verb: str) -> Answer:
        text = f"Caller is not authorized to perform action Microsoft.KeyVault/vaults/secrets/{verb}/action"
        return Answer(403, _error("Forbidden", text, "ForbiddenByRbac"))

    def _properties(self, name: str) -> dict[str, Any]:
        attributes = {"enabled": True, "created": 1700000000, "updated": 1700000000, "recoveryLevel": "Recoverable"}
        return {"id": f"{self.url}/secrets/{self.names[name]}", "attributes": attributes, "contentType": "text/plain"}

    def _bundle(self, name: str, held: dict[str, list[str]] | None = None) -> dict[str, Any]:
        values = (self.versions if held is None else held)[name]
        properties = self._properties(name)
        return {**properties, "id": f"{properties['id']}/{len(values):032x}", "value": values[-1]}


def _error(code: str, text: str, inner: str | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": text}
    if inner:
        error["innererror"] = {"code": inner}
    return {"error": error}


@contextmanager
def azure_server(folder: Path, names: tuple[str, ...] = ("127.0.0.1",), port: int = 0) -> Iterator[AzureServer]:
    """`names`: of the vault and of the token service, where they are real host names that lead here."""
    authority = trustme.CA()
    server = AzureServer(ca_file=folder / "azure-ca.pem")
    authority.cert_pem.write_to_path(str(server.ca_file))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(tls)
    with serving(server.handle, server.faults, tls, port) as found:
        server.url = f"https://127.0.0.1:{found}"
        server.sign_in_url, server.resource = server.url, f"https://0.0.1:{found}"
        if port:
            server.url, server.sign_in_url = f"https://{names[0]}", f"https://{names[1]}"
            server.resource = "https://vault.azure.net"
        yield server
