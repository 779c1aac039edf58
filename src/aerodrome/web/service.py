"""Runs the web application and the gate in threads, on sockets that are bound already."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import structlog
import uvicorn
from starlette.types import ASGIApp

from aerodrome.kernel.errors import Broken
from aerodrome.web.app import create_app
from aerodrome.web.gate.app import create_gate
from aerodrome.web.platform import Platform

log = structlog.get_logger(__name__)
_START_S = 30.0


class WebService:
    """The two HTTP servers of the platform. Start once, stop once."""

    def __init__(self, platform: Platform, *, pages: socket.socket, gate: socket.socket) -> None:
        self._servers = [_Server("pages", create_app(platform), pages), _Server("gate", create_gate(platform), gate)]

    def start(self) -> None:
        """Begin to answer; returns when both servers do."""
        for server in self._servers:
            server.start()

    def stop(self, grace_s: float = 10.0) -> None:
        """Answer no more: running requests get up to `grace_s` to end, open streams are cut."""
        for server in self._servers:
            server.ask_to_stop()
        for server in self._servers:
            server.join(grace_s)


class _Server:
    def __init__(self, name: str, app: ASGIApp, door: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            lifespan="auto",
            log_config=None,
            access_log=False,  # would write query strings; guards.RequestLog writes what is fit to be kept
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=64 * 1024,
        )
        self._name = name
        self._door = door
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name=f"web-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()
        end = time.monotonic() + _START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > end:
                raise Broken(
                    f"The web server ({self._name}) did not start.",
                    code="web-not-started",
                    hint="The log above says why.",
                )
            time.sleep(0.01)

    def ask_to_stop(self) -> None:
        self._server.should_exit = True

    def join(self, grace_s: float) -> None:
        self._thread.join(grace_s)

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._door]))
        except Exception:
            log.exception("web.crashed", server=self._name)
