"""Starting and stopping the platform: what a person sees, and what stays."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from tests.rooms.cli.conftest import Person, Server


def test_the_login_link_is_printed_until_somebody_has_signed_in(
    serve: Callable[..., Server], person: Person, tmp_path: Path
) -> None:
    first = serve(tmp_path / "home")
    assert first.link is not None
    assert first.stop() == 0
    second = serve(tmp_path / "home")
    assert second.link is not None
    assert second.link.rpartition("=")[2] != first.link.rpartition("=")[2]
    assert person.run("login", second.link).code == 0
    assert second.stop() == 0
    third = serve(tmp_path / "home")
    assert third.link is None
    recovery = person.run("login-link", "-o", "json", AERODROME_HOME=str(tmp_path / "home"))
    assert recovery.code == 0, recovery.err
    code = recovery.data["url"].rpartition("?")[2]
    assert person.run("login", f"{third.url}/login?{code}").code == 0
    assert third.stop() == 0
    assert "worker.stopped" in third.logged
    assert "Traceback" not in first.logged + second.logged + third.logged


def test_interrupting_stops_it_as_well(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(tmp_path / "home", "--role", "web")
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(30) == 0


def test_a_port_in_use_is_named_before_anything_is_written(person: Person, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = person.run("serve", "--port", str(port), AERODROME_HOME=str(tmp_path / "home"))
    assert done.code == 5
    assert f"error: Port {port} on 127.0.0.1 is in use by another program." in done.err
    assert "next: " in done.err
    assert not (tmp_path / "home").exists()


def test_a_wrong_setting_is_named(person: Person, tmp_path: Path) -> None:
    done = person.run("serve", AERODROME_HOME=str(tmp_path), AERODROME_PORT="none")
    assert done.code == 2
    assert "AERODROME_PORT" in done.err


def test_a_database_that_does_not_answer_is_named_without_its_password(
    person: Person, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    url = f"postgresql+psycopg://u:canary-9@127.0.0.1:{free_port()}/x"
    ports = ("--port", str(free_port()), "--gate-port", str(free_port()))
    done = person.run("serve", *ports, AERODROME_HOME=str(tmp_path / "home"), AERODROME_DATABASE_URL=url)
    assert done.code == 6
    assert "canary-9" not in done.out + done.err
    assert "next: " in done.err


def test_a_settings_error_is_json_when_asked_for(person: Person, tmp_path: Path) -> None:
    done = person.run("login-link", "--output", "json", AERODROME_HOME=str(tmp_path), AERODROME_PORT="none")
    assert json.loads(done.err)["error"]["code"] == "setting-invalid"
