"""`aerodrome serve`: the platform on this machine."""

from __future__ import annotations

import errno
import signal
import socket
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from aerodrome.bootstrap import App, build
from aerodrome.bootstrap.memory import give_back_until, share_heaps
from aerodrome.bootstrap.safekeeping.lock import serving
from aerodrome.cli.options import say
from aerodrome.kernel.errors import AerodromeError, Conflict, Invalid
from aerodrome.settings import Settings, load_settings
from aerodrome.web.service import WebService

GRACE_S: Final = 10.0


def serve(
    *,
    role: Annotated[
        Literal["all", "web", "worker"], Parameter(help="all: one process does everything. Several need PostgreSQL.")
    ] = "all",
    host: Annotated[str | None, Parameter(help="Address to bind; by default this machine only.")] = None,
    port: Annotated[int | None, Parameter(help="Port of the API and the pages.")] = None,
    gate_port: Annotated[int | None, Parameter(help="Port behind which Airflow's own pages open.")] = None,
    home: Annotated[Path | None, Parameter(help="Folder that holds everything.")] = None,
) -> None:
    """Run the platform: API, pages, worker. Ctrl-C stops it; deployments keep running."""
    share_heaps()
    settings = load_settings(host=host, port=port, gate_port=gate_port, home=home)
    has_web, has_worker = role in {"all", "web"}, role in {"all", "worker"}
    with ExitStack() as stack:
        doors = _open_doors(settings, stack) if has_web else {}  # before anything is started or written
        stack.enter_context(serving(settings.home, settings.url if has_web else None))
        app = build(settings)
        stack.callback(app.stop, GRACE_S)
        stop = _stop_on_signals()
        if has_worker:
            app.start_worker()
        if has_web:
            service = WebService(app, pages=doors["pages"], gate=doors["gate"])
            stack.callback(service.stop, GRACE_S)
            service.start()
        _greet(app, has_web=has_web)
        give_back_until(stop)
        say("Stopping. Deployments keep running.")


def _open_doors(settings: Settings, stack: ExitStack) -> dict[str, socket.socket]:
    if settings.port == settings.gate_port:
        raise Invalid(
            f"The pages and the gate cannot share port {settings.port}.",
            code="ports-equal",
            hint="Choose another one: aerodrome serve --gate-port <number>.",
        )
    doors = {}
    for name, port, option in (("pages", settings.port, "--port"), ("gate", settings.gate_port, "--gate-port")):
        doors[name] = stack.enter_context(_listen(settings.host, port, option))
    return doors


def _listen(host: str, port: int, option: str) -> socket.socket:
    """Bind a port; Conflict when somebody has it, Invalid when the address is not of this machine."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        door = socket.socket(family, kind)
    except socket.gaierror as error:
        raise Invalid(f"{host} is no address.", code="host-invalid", hint="Choose another --host.") from error
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(address)
        door.listen(2048)
    except OSError as error:
        door.close()
        raise _not_bound(host, port, option, error) from error
    return door


def _not_bound(host: str, port: int, option: str, error: OSError) -> AerodromeError:
    if error.errno == errno.EADDRINUSE:
        return Conflict(
            f"Port {port} on {host} is in use by another program.",
            code="port-in-use",
            hint=f"Is aerodrome running already? Otherwise choose another one: aerodrome serve {option} <number>.",
            details={"port": port},
        )
    return Invalid(
        f"Port {port} on {host} cannot be opened: {error.strerror}.",
        code="port-refused",
        hint=f"Choose another address or port: --host, {option}.",
        details={"port": port},
    )


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    return stop


def _greet(app: App, *, has_web: bool) -> None:
    say(f"Aerodrome keeps everything in {app.settings.home}.")
    if not has_web:
        say("The worker runs.")
        return
    sys.stdout.write(f"Aerodrome is at {app.settings.url}\n")
    if app.first_login is not None:
        sys.stdout.write(f"Sign in once as admin: {app.settings.url}/login?code={app.first_login.reveal()}\n")
        say("The same link signs the command line in: aerodrome login LINK (each link works once).")
    sys.stdout.flush()
