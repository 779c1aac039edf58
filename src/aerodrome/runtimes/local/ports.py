"""Gives every deployment its own loopback port, without races between processes.

One book per root, `ports.json`, changed under a file lock; a port is given only when it can be bound at that moment.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aerodrome.kernel.errors import Unavailable
from aerodrome.runtimes.local.layout import read_json, write_json

DEFAULT_RANGE = range(8810, 9800)


class PortBook:
    """Remembers which deployment has which port."""

    def __init__(self, root: Path, ports: range = DEFAULT_RANGE) -> None:
        self._root = root
        self._ports = ports

    def reserve(self, deployment_id: str, *, keep: bool) -> int:
        """Give the deployment's port, a new one at first or when its port is taken by a stranger.

        `keep`: its own processes may hold the port now, so do not ask whether it is free.
        """
        with self._opened() as book:
            port = book.get(deployment_id)
            if port is not None and (keep or is_free(port)):
                return port
            taken = set(book.values())
            for candidate in random.sample(self._ports, len(self._ports)):  # other roots on this machine choose too
                if candidate not in taken and is_free(candidate):
                    book[deployment_id] = candidate
                    return candidate
        raise Unavailable(
            f"No port between {self._ports.start} and {self._ports.stop - 1} is free.",
            code="no-free-port",
            hint="Stop a program that holds ports there, or delete a deployment.",
            retry_after_s=30,
        )

    def port_of(self, deployment_id: str) -> int | None:
        """Give the reserved port, or None."""
        return (read_json(self._root / "ports.json") or {}).get(deployment_id)

    def release(self, deployment_id: str) -> None:
        """Forget the deployment's port."""
        with self._opened() as book:
            book.pop(deployment_id, None)

    @contextmanager
    def _opened(self) -> Iterator[dict[str, int]]:
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._root / "ports.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            book = read_json(self._root / "ports.json") or {}
            before = dict(book)
            yield book
            if book != before:
                write_json(self._root / "ports.json", book)
        finally:
            os.close(lock)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Give a loopback port on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
