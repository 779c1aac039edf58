"""GCP Secret Manager over gRPC with TLS, made of the client library's own message types; a token service beside it."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import trustme
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.cloud.secretmanager_v1.types import resources, service
from google.protobuf import empty_pb2
from tests.rooms.secretstores.servers.web import Answer, Faults, Request, serving

PROJECT = "proj-1"
_TOKEN = "canary-gcp-token"
_SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"
_PAGE = 5


@dataclass
class GcpServer:
    endpoint: str = ""
    ca_file: Path = Path()
    key: str = ""  # the service account's key file
    public_key: Any = None
    versions: dict[str, list[bytes]] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)  # methods
    failures: list[grpc.StatusCode] = field(default_factory=list)  # answered once each
    lock: threading.Lock = field(default_factory=threading.Lock)

    def access(self, request: Any, context: Any) -> Any:
        name = self._name(request.name, context)
        if name in self.disabled:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"Secret version [{request.name}] is in DISABLED state.")
        if not self.versions[name]:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Secret [{request.name}] not found or has no versions.")
        return service.AccessSecretVersionResponse(name=request.name, payload={"data": self.versions[name][-1]})

    def add(self, request: Any, context: Any) -> Any:
        name = self._name(request.parent, context)
        if not request.payload.data:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Secret Payload cannot be empty.")
        self.versions[name].append(request.payload.data)
        return resources.SecretVersion(name=f"{request.parent}/versions/{len(self.versions[name])}")

    def create(self, request: Any, context: Any) -> Any:
        if request.secret_id in self.versions:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"Secret [{request.secret_id}] already exists.")
        self.versions[request.secret_id] = []
        return resources.Secret(name=f"{request.parent}/secrets/{request.secret_id}")

    def delete(self, request: Any, context: Any) -> Any:
        del self.versions[self._name(request.name, context)]
        return empty_pb2.Empty()

    def list(self, request: Any, context: Any) -> Any:
        if request.parent != f"projects/{PROJECT}":
            context.abort(grpc.StatusCode.PERMISSION_DENIED, f"Permission denied on resource project {request.parent}.")
        wanted = request.filter.removeprefix("name:")
        names = sorted(name for name in self.versions if wanted in name)
        start = int(request.page_token or 0)
        more = str(start + _PAGE) if len(names) > start + _PAGE else ""
        secrets = [{"name": f"projects/123/secrets/{name}"} for name in names[start : start + _PAGE]]
        return service.ListSecretsResponse(secrets=secrets, next_page_token=more, total_size=len(names))

    def _name(self, path: str, context: Any) -> str:
        name = path.split("/")[3]
        if name not in self.versions:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Secret [{path}] not found or has no versions.")
        return name

    def handlers(self) -> Any:
        verbs = {
            "AccessSecretVersion": (self.access, service.AccessSecretVersionRequest, "secretmanager.versions.access"),
            "AddSecretVersion": (self.add, service.AddSecretVersionRequest, "secretmanager.versions.add"),
            "CreateSecret": (self.create, service.CreateSecretRequest, "secretmanager.secrets.create"),
            "DeleteSecret": (self.delete, service.DeleteSecretRequest, "secretmanager.secrets.delete"),
            "ListSecrets": (self.list, service.ListSecretsRequest, "secretmanager.secrets.list"),
        }
        return grpc.method_handlers_generic_handler(
            _SERVICE,
            {
                method: grpc.unary_unary_rpc_method_handler(
                    self._guarded(act, permission),
                    request_deserializer=kind.deserialize,
                    response_serializer=_serialize,
                )
                for method, (act, kind, permission) in verbs.items()
            },
        )

    def _is_own_jwt(self, sent: str) -> bool:
        """Tell whether it is a JWT that the service account signed itself, which Google takes instead of a token."""
        signed, _, signature = sent.removeprefix("Bearer ").rpartition(".")
        try:
            self.public_key.verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
            claims = json.loads(_decoded(signed.split(".")[1]))
        except (InvalidSignature, ValueError, IndexError):
            return False
        return bool(claims["iss"] == json.loads(self.key)["client_email"] and claims["exp"] > time.time())

    def _guarded(self, act: Callable[[Any, Any], Any], permission: str) -> Callable[[Any, Any], Any]:
        def handle(request: Any, context: Any) -> Any:
            with self.lock:
                if self.failures:
                    context.abort(self.failures.pop(0), "on demand")
                sent = dict(context.invocation_metadata()).get("authorization")
                if sent != f"Bearer {_TOKEN}" and not self._is_own_jwt(str(sent)):
                    context.abort(grpc.StatusCode.UNAUTHENTICATED, "Request had invalid authentication credentials.")
                if permission in self.denied:
                    context.abort(grpc.StatusCode.PERMISSION_DENIED, f"Permission '{permission}' denied on resource")
                return act(request, context)

        return handle


def _serialize(message: Any) -> bytes:
    return bytes(
        message.SerializeToString() if isinstance(message, empty_pb2.Empty) else type(message).serialize(message)
    )


@contextmanager
def gcp_server(folder: Path, host: str = "127.0.0.1", port: int = 0) -> Iterator[GcpServer]:
    authority = trustme.CA()
    certificate = authority.issue_cert(host)
    server = GcpServer(ca_file=folder / "gcp-ca.pem")
    authority.cert_pem.write_to_path(str(server.ca_file))

    def give_token(_request: Request) -> Answer:
        return Answer(200, {"access_token": _TOKEN, "expires_in": 3600, "token_type": "Bearer"})

    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    keys = grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain)])
    listener = grpc.server(futures.ThreadPoolExecutor(8))
    listener.add_generic_rpc_handlers((server.handlers(),))
    port = listener.add_secure_port(f"127.0.0.1:{port}", keys)
    listener.start()
    with serving(give_token, Faults()) as token_port:
        server.endpoint = f"{host}:{port}"
        server.key = json.dumps(_key_file(f"http://127.0.0.1:{token_port}/token"))
        private = json.loads(server.key)["private_key"].encode()
        server.public_key = serialization.load_pem_private_key(private, None).public_key()
        try:
            yield server
        finally:
            listener.stop(None).wait()


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _key_file(token_uri: str) -> dict[str, str]:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "1",
        "private_key": private.decode(),
        "client_email": f"aerodrome@{PROJECT}.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": token_uri,
    }
