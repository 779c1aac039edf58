"""Vault's HTTP interface as far as KV version 2 and three auth methods use it: policies, versions, soft delete, check-and-set."""

from __future__ import annotations

import fnmatch
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.rooms.secretstores.servers.web import Answer, Faults, Request, serving

ALL = ("create", "read", "update", "delete", "list")
ROOT = "hvs.canary-root-token"
_AT = "2026-01-01T00:00:00.000000000Z"


@dataclass
class VaultServer:
    """What it holds and whom it lets in."""

    url: str = ""
    faults: Faults = field(default_factory=Faults)
    policies: dict[str, dict[str, tuple[str, ...]]] = field(
        default_factory=lambda: {ROOT: {"*": ALL}}
    )  # token -> path pattern -> capabilities
    app_roles: dict[str, str] = field(default_factory=lambda: {"role-1": "canary-secret-id"})
    service_accounts: dict[str, str] = field(default_factory=lambda: {"aerodrome": "canary.jwt.token"})  # role -> jwt
    login_policy: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"*": ALL})
    mounts: tuple[str, ...] = ("secret", "team/kv")
    versions: dict[tuple[str, str], list[dict[str, Any] | None]] = field(default_factory=dict)  # None: soft-deleted
    needs_cas: bool = False
    is_sealed: bool = False
    logins: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, request: Request) -> Answer:
        with self.lock:
            return self._handle(request)

    def _handle(self, request: Request) -> Answer:
        path = request.path.removeprefix("/v1/")
        if self.is_sealed:
            return _errors(503, "Vault is sealed")
        if path.startswith("auth/") and path.endswith("/login"):
            return self._login(path.split("/")[1], request.body)
        token = request.headers.get("X-Vault-Token", "")
        if token not in self.policies:
            return _errors(403, "permission denied", "invalid token")
        if path == "auth/token/lookup-self":
            return Answer(200, {"data": {"id": "hidden", "ttl": 3600, "policies": ["p"]}})
        mount = next((name for name in self.mounts if path.startswith(f"{name}/")), None)
        if mount is None:
            return _errors(404, f'no handler for route "{path}". route entry not found.')
        area, _, name = path[len(mount) + 1 :].partition("/")
        is_list = request.method == "LIST" or request.query.get("list") == "true"
        wanted = self._capability(request.method, area, (mount, name), is_list=is_list)
        if wanted not in self._allowed(token, path):
            return _errors(403, f"1 error occurred:\n\t* permission denied on {path}\n\n")
        if is_list:
            return self._list(mount, name)
        key = (mount, name)
        if area == "data":
            return self._data(request, key)
        if area == "metadata" and request.method == "DELETE":
            self.versions.pop(key, None)
            return Answer(204)
        if area == "metadata" and request.method == "GET" and key in self.versions:
            return Answer(200, {"data": {"current_version": len(self.versions[key]), "versions": {}}})
        return _errors(404)

    def _login(self, method: str, body: Any) -> Answer:
        if method == "approle":
            is_right = self.app_roles.get(body.get("role_id")) == body.get("secret_id")
            wrong = _errors(400, "invalid role or secret ID")
        else:
            is_right = self.service_accounts.get(body.get("role")) == body.get("jwt")
            wrong = _errors(403, "permission denied")
        if not is_right:
            return wrong
        self.logins += 1
        token = f"hvs.{secrets.token_hex(12)}"
        self.policies[token] = self.login_policy
        auth = {"client_token": token, "policies": ["default"], "lease_duration": 3600, "renewable": True}
        return Answer(200, {"auth": auth})

    def forget_logins(self) -> None:
        """Let every token of a login run out."""
        self.policies = {token: rules for token, rules in self.policies.items() if token == ROOT}

    def _capability(self, method: str, area: str, key: tuple[str, str], *, is_list: bool) -> str:
        if is_list:
            return "list"
        if method == "GET":
            return "read"
        if method == "DELETE":
            return "delete"
        return "update" if area == "data" and key in self.versions else "create"

    def _allowed(self, token: str, path: str) -> tuple[str, ...]:
        rules = self.policies[token]
        return next((allowed for pattern, allowed in rules.items() if fnmatch.fnmatchcase(path, pattern)), ())

    def _data(self, request: Request, key: tuple[str, str]) -> Answer:
        versions = self.versions.get(key, [])
        if request.method in {"POST", "PUT"}:
            cas = (request.body.get("options") or {}).get("cas")
            if cas is None and self.needs_cas:
                return _errors(400, "check-and-set parameter required for this call")
            if cas is not None and cas != len(versions):
                return _errors(400, "check-and-set parameter did not match the current version")
            self.versions.setdefault(key, []).append(dict(request.body["data"]))
            return Answer(200, {"data": _metadata(len(self.versions[key]))})
        if not versions:
            return _errors(404)
        number = int(request.query.get("version") or 0) or len(versions)
        data = versions[number - 1]
        metadata = _metadata(number, deleted=data is None)
        return Answer(404 if data is None else 200, {"data": {"data": data, "metadata": metadata}})

    def _list(self, mount: str, folder: str) -> Answer:
        start = f"{folder.rstrip('/')}/" if folder.strip("/") else ""
        rest = [name[len(start) :] for found, name in self.versions if found == mount and name.startswith(start)]
        keys = sorted({part if not slash else f"{part}/" for part, slash, _ in (name.partition("/") for name in rest)})
        return Answer(200, {"data": {"keys": keys}}) if keys else _errors(404)


def _metadata(number: int, *, deleted: bool = False) -> dict[str, Any]:
    return {"version": number, "created_time": _AT, "deletion_time": _AT if deleted else "", "destroyed": False}


def _errors(status: int, *texts: str) -> Answer:
    return Answer(status, {"errors": list(texts)})


@contextmanager
def vault_server() -> Iterator[VaultServer]:
    server = VaultServer()
    with serving(server.handle, server.faults) as port:
        server.url = f"http://127.0.0.1:{port}"
        yield server
