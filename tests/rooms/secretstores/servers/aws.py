"""moto's server in a process of its own, and a proxy in front of it that answers faults and refusals on demand.

The proxy also refuses to write a secret that is marked for deletion, and a parameter with {{ in it, as AWS does and moto 5.2
does not.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "canary-secret-access-key"


@dataclass
class AwsServer:
    url: str = ""
    statuses: list[tuple[int, str]] = field(default_factory=list)  # answered once each: status, AWS's code
    denied: set[str] = field(default_factory=set)  # "GetSecretValue"
    seen: list[str] = field(default_factory=list)


@contextmanager
def aws_server() -> Iterator[AwsServer]:
    with _moto() as port, _proxy(port) as server:
        yield server


@contextmanager
def _moto() -> Iterator[int]:
    program = (
        "from werkzeug.serving import make_server\n"
        "from moto.server import DomainDispatcherApplication, create_backend_app\n"
        "app = DomainDispatcherApplication(create_backend_app)\n"
        "server = make_server('127.0.0.1', 0, app, threaded=True)\n"
        "print(server.port, flush=True)\n"
        "server.serve_forever()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def _proxy(moto: int) -> Iterator[AwsServer]:
    state = AwsServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # one packet an answer
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            return

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            action = (self.headers.get("X-Amz-Target") or "").rpartition(".")[2]
            state.seen.append(f"{self.path} {action}")
            if state.statuses:
                self._refuse(*state.statuses.pop(0), "on demand")
            elif action in state.denied:
                who = "User: arn:aws:iam::123456789012:user/aerodrome is not authorized to perform"
                self._refuse(400, "AccessDeniedException", f"{who}: {action}")
            elif action == "PutParameter" and "{{" in (value := json.loads(body)["Value"]):
                self._refuse(400, "ValidationException", f"Parameter value can't nest another parameter: {value}")
            elif action == "PutSecretValue" and self._is_deleted(body):
                text = "You can't perform this operation on the secret because it was marked for deletion."
                self._refuse(400, "InvalidRequestException", text)
            else:
                self._pass_on(body)

        def _is_deleted(self, body: bytes) -> bool:
            wanted = json.dumps({"SecretId": json.loads(body)["SecretId"]}).encode()
            headers = {
                **self.headers,
                "X-Amz-Target": "secretsmanager.DescribeSecret",
                "Content-Length": str(len(wanted)),
            }
            _status, _headers, data = self._ask(wanted, headers)
            return bool(json.loads(data).get("DeletedDate"))

        def _refuse(self, status: int, code: str, text: str) -> None:
            self._send(
                status,
                {"Content-Type": "application/x-amz-json-1.1"},
                json.dumps({"__type": code, "message": text}).encode(),
            )

        def _pass_on(self, body: bytes) -> None:
            self._send(*self._ask(body, dict(self.headers.items())))

        def _ask(self, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
            upstream = http.client.HTTPConnection("127.0.0.1", moto, timeout=30)
            upstream.request("POST", self.path, body, {n: v for n, v in headers.items() if n.lower() != "connection"})
            answer = upstream.getresponse()
            data = answer.read()
            kept = {n: v for n, v in answer.getheaders() if n.lower() in {"content-type", "x-amzn-errortype"}}
            upstream.close()
            return answer.status, kept, data

        def _send(self, status: int, headers: dict[str, str], data: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reset(server: AwsServer) -> None:
    """Empty it."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    for _ in range(3):
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        connection.request("POST", "/moto-api/reset", b"")
        status = connection.getresponse().status
        connection.close()
        if status == 200:
            return
        time.sleep(0.2)
    raise AssertionError("moto did not reset")
