"""A small HTTP(S) server in a thread for the services below: routes requests to one function, answers faults on demand."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Faults:
    """What goes wrong next: each status is answered once, in order."""

    statuses: list[int] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)  # every request line, for the canary

    def take(self) -> int | None:
        return self.statuses.pop(0) if self.statuses else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # a client that hangs up is no news


@contextmanager
def serving(
    handle: Callable[[Request], Answer], faults: Faults, tls: ssl.SSLContext | None = None, port: int = 0
) -> Iterator[int]:
    """Serve on a loopback port (0: a free one) until the end of the block; give the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # one packet an answer
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            return

        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            faults.seen.append(f"{self.command} {self.path}")
            status = faults.take()
            if status is not None:
                headers = {"Retry-After": "0"} if status == 429 else {}
                self._answer(Answer(status, {"errors": ["on demand"]}, headers))
                return
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            is_json = "json" in (self.headers.get("Content-Type") or "") or raw[:1] in {b"{", b"["}
            body = json.loads(raw) if raw and is_json else raw.decode()
            request = Request(self.command, unquote(parts.path), query, dict(self.headers.items()), body)
            self._answer(handle(request))

        def _answer(self, answer: Answer) -> None:
            data = b"" if answer.body is None else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_LIST = _do  # noqa: N815

    server = _Server(("127.0.0.1", port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
