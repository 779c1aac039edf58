"""Where processes of a test listen, read while some of them end."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import psutil


def listening_addresses(processes: Iterable[psutil.Process]) -> set[str]:
    """Give the addresses that the processes listen on; one that ended meanwhile listens no more."""
    found: set[str] = set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            found |= {
                connection.laddr.ip
                for connection in process.net_connections("inet")
                if connection.status == psutil.CONN_LISTEN
            }
    return found
