"""Tells which hosts can be reached from where tasks run: `python -m aerodrome_airflow.reach`, hosts as JSON on standard input.

{"hosts": [{"host": "db.internal", "port": 5432}, …], "timeout_s": 5} -> a list, in the same order, of {"is_reached", "message"}.
A TCP connection is opened and closed; nothing is sent. A host without a port is only looked up.
"""

from __future__ import annotations

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

MARK = "AERODROME-PROBE "


def reach(host: str, port: int | None, timeout_s: float) -> dict[str, Any]:
    """Try one host."""
    try:
        if port is None:
            socket.getaddrinfo(host, None)
            return {"is_reached": True, "message": "Its name resolves; no port is known."}
        with socket.create_connection((host, port), timeout=timeout_s):
            return {"is_reached": True, "message": f"A connection to port {port} opens."}
    except socket.gaierror:
        return {"is_reached": False, "message": "Its name does not resolve here."}
    except TimeoutError:
        return {"is_reached": False, "message": f"No answer within {timeout_s:g} s: a firewall, or no route."}
    except OSError as error:
        return {"is_reached": False, "message": f"{error.strerror or type(error).__name__}."}


def main() -> None:
    """Answer on standard output."""
    asked = json.loads(sys.stdin.read())
    timeout_s = float(asked.get("timeout_s", 5))
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda item: reach(item["host"], item.get("port"), timeout_s), asked["hosts"]))
    sys.stdout.write(f"\n{MARK}{json.dumps(found)}\n")


if __name__ == "__main__":
    main()
