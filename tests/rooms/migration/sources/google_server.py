"""Google Cloud as Composer's source needs it: the token service, Composer's API, the JSON API of Cloud Storage, an Airflow.

Made after the published REST references (composer v1, storage v1, OAuth 2.0 for service accounts). Assertions are verified.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from tests.rooms.migration.sources.aws_server import Rest, nothing_there

from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.cloud.contract import CloudLogin

PLACE = "projects/shop-prod/locations/europe-west1"
ENVIRONMENT, BUCKET = f"{PLACE}/environments/etl", "europe-west1-etl-bucket"
TOKEN = "canary-google-token"
UPDATED = "2026-11-01T04:05:06.789Z"
_PAGE = 3


@dataclass
class GoogleServer:
    url: str = ""
    key: str = ""  # of the service account
    public_key: Any = None
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)  # permissions
    failures: list[int] = field(default_factory=list)  # statuses, answered once each
    rest: Rest = nothing_there
    tokens: int = 0
    lifetime_s: int = 3600
    is_open: bool = False  # storage takes calls without a token, as an emulator does
    uploads: dict[str, bytes] = field(default_factory=dict)  # begun ones, by key
    asked: list[str] = field(default_factory=list)

    @property
    def login(self) -> CloudLogin:
        return CloudLogin({"endpoint_url": self.url}, {"service_account_key": Secret(self.key)})

    def is_signed(self, assertion: str) -> bool:
        """Verify what a service account sends for a token."""
        head, _, signature = assertion.rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        try:
            self.public_key.verify(raw, head.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        body = head.partition(".")[2]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return bool(claims["exp"] > time.time() and claims["scope"].endswith("/auth/cloud-platform"))


def an_environment(server: GoogleServer, **software: Any) -> dict[str, Any]:
    return {
        "name": ENVIRONMENT,
        "state": "RUNNING",
        "config": {
            "dagGcsPrefix": f"gs://{BUCKET}/dags",
            "airflowUri": f"{server.url}/airflow",
            "environmentSize": "ENVIRONMENT_SIZE_SMALL",
            "softwareConfig": {"imageVersion": "composer-2.13.4-airflow-2.11.2", **software},
            "recoveryConfig": {
                "scheduledSnapshotsConfig": {
                    "enabled": True,
                    "snapshotLocation": f"gs://{BUCKET}/snapshots",
                    "snapshotCreationSchedule": "0 4 * * *",
                }
            },
        },
    }


_TABLE: list[int] = []


def crc32c(data: bytes) -> int:
    """Work out the checksum (Castagnoli) that Google's library holds an upload against."""
    if not _TABLE:
        for number in range(256):
            value = number
            for _ in range(8):
                value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
            _TABLE.append(value)
    value = 0xFFFFFFFF
    for byte in data:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@contextmanager
def google_server() -> Iterator[GoogleServer]:
    state = GoogleServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            return

        def do_GET(self) -> None:
            self._act()

        def do_POST(self) -> None:
            self._act()

        def do_PATCH(self) -> None:
            self._act()

        def do_PUT(self) -> None:
            self._act()

        def do_DELETE(self) -> None:
            self._act()

        def _act(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            state.asked.append(f"{self.command} {parts.path}")
            if parts.path == "/token":
                self._token(parse_qs(body.decode()))
            elif state.is_open and parts.path.startswith("/upload/"):
                self._upload(query, body)
            elif state.is_open and parts.path.startswith("/storage/v1/b/"):
                self._storage(parts.path.split("/")[4:], query)
            elif self.headers.get("Authorization") not in {f"Bearer {TOKEN}-{n + 1}" for n in range(state.tokens)}:
                self._json(401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}})
            elif state.failures:
                self._json(state.failures.pop(0), {"error": {"status": "UNAVAILABLE"}})
            elif parts.path.startswith("/airflow/api/v1"):
                path = parts.path.removeprefix("/airflow/api/v1")
                self._json(*state.rest(self.command, path, parse_qs(parts.query), json.loads(body) if body else None))
            elif parts.path.startswith("/storage/v1/b/"):
                self._storage(parts.path.split("/")[4:], query)
            elif parts.path.startswith("/v1/"):
                self._composer(parts.path.removeprefix("/v1/"), query)
            else:
                self._json(404, {"error": {"code": 404}})

        def _token(self, form: dict[str, list[str]]) -> None:
            if not state.is_signed(form["assertion"][0]):
                self._json(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
                return
            state.tokens += 1
            token = f"{TOKEN}-{state.tokens}"
            self._json(200, {"access_token": token, "expires_in": state.lifetime_s, "token_type": "Bearer"})

        def _composer(self, name: str, query: dict[str, str]) -> None:
            permission = "composer.environments.list" if name.endswith("/environments") else "composer.environments.get"
            if self._is_denied(permission):
                return
            if not name.endswith("/environments"):
                found = state.environments.get(name)
                self._json(200 if found else 404, found or {"error": {"code": 404, "status": "NOT_FOUND"}})
                return
            found_here = [each for key, each in sorted(state.environments.items()) if key.startswith(name)]
            start = int(query.get("pageToken", 0))
            more = {"nextPageToken": str(start + _PAGE)} if len(found_here) > start + _PAGE else {}
            self._json(200, {"environments": found_here[start : start + _PAGE], **more})

        def _storage(self, parts: list[str], query: dict[str, str]) -> None:
            bucket, key = parts[0], unquote(parts[2]) if len(parts) > 2 else ""
            if self._is_denied("storage.objects.get" if key else "storage.objects.list"):
                return
            if bucket != BUCKET or (key and key not in state.objects):
                self._json(404, {"error": {"code": 404}})
            elif key and self.command == "DELETE":
                del state.objects[key]
                self._send(204, "application/json", b"")
            elif key and query.get("alt") == "media":
                self._send(200, "application/octet-stream", state.objects[key])
            elif key:
                self._json(200, self._object(key))
            else:
                names = sorted(name for name in state.objects if name.startswith(query.get("prefix", "")))
                start = int(query.get("pageToken", 0))
                more = {"nextPageToken": str(start + _PAGE)} if len(names) > start + _PAGE else {}
                items = [self._object(name) for name in names[start : start + _PAGE]]
                self._json(200, {"kind": "storage#objects", **({"items": items} if items else {}), **more})

        def _upload(self, query: dict[str, str], body: bytes) -> None:
            """Take a resumable upload: begin with a POST, then chunks with their range, the last one with the total."""
            if self._is_denied("storage.objects.create"):
                return
            if self.command == "POST":
                key = query.get("name") or json.loads(body)["name"]
                state.uploads[key] = b""
                place = (
                    f"{state.url}/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&upload_id={quote(key, safe='')}"
                )
                self._send(200, "application/json", b"{}", {"Location": place})
                return
            if self.command == "DELETE":
                state.uploads.pop(query["upload_id"], None)
                self._send(499, "text/plain", b"")
                return
            key, given = query["upload_id"], self.headers["Content-Range"]
            state.uploads[key] += body
            if given.endswith("/*"):
                self._send(308, "text/plain", b"", {"Range": f"bytes=0-{len(state.uploads[key]) - 1}"})
                return
            assert int(given.rpartition("/")[2]) == len(state.uploads[key])
            state.objects[key] = state.uploads.pop(key)
            self._json(200, self._object(key))

        def _object(self, key: str) -> dict[str, str]:
            data = state.objects[key]
            sums = {"md5Hash": _base64(hashlib.md5(data).digest()), "crc32c": _base64(crc32c(data).to_bytes(4, "big"))}
            place = {"name": key, "bucket": BUCKET, "size": str(len(data)), "updated": UPDATED}
            return {**place, **sums, "generation": str(1764000000000000 + len(data))}

        def _is_denied(self, permission: str) -> bool:
            if permission in state.denied:
                self._json(403, {"error": {"code": 403, "message": f"Permission '{permission}' denied"}})
            return permission in state.denied

        def _json(self, status: int, data: Any) -> None:
            self._send(status, "application/json", json.dumps(data).encode())

        def _send(self, status: int, kind: str, data: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    state.public_key = private.public_key()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    state.key = json.dumps(
        {
            "type": "service_account", "project_id": "shop-prod", "private_key_id": "1", "private_key": pem.decode(),
            "client_email": "reader@shop-prod.example", "client_id": "1", "token_uri": f"{state.url}/token",
        }
    )  # fmt: skip
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
