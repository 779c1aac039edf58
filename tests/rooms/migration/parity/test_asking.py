"""What is asked where tasks run: hosts over TCP, and the one form in which rows of any driver are summed up."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from aerodrome_airflow.datachecks import _cell


def test_hosts_are_reached_or_the_reason_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_server(("127.0.0.1", 0)) as other:
        closed = other.getsockname()[1]
        other.close()
        hosts = [
            {"host": "127.0.0.1", "port": listening.getsockname()[1]},
            {"host": "127.0.0.1", "port": closed},
            {"host": "nowhere.invalid", "port": 5432},
            {"host": "localhost", "port": None},
        ]
        done = subprocess.run(
            [sys.executable, "-m", "aerodrome_airflow.reach"],
            input=json.dumps({"hosts": hosts, "timeout_s": 20}),
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout.partition("AERODROME-PROBE ")[2])
    assert [item["is_reached"] for item in found] == [True, False, False, True]
    assert "refused" in found[1]["message"]
    assert "does not resolve" in found[2]["message"]


def test_equal_rows_are_equal_whatever_the_driver_gives() -> None:
    berlin = timezone(timedelta(hours=1))
    same = (
        (3, Decimal("3.00"), 3.0),
        (2.5, Decimal("2.50")),
        (datetime(2026, 3, 1, 2, tzinfo=UTC), datetime(2026, 3, 1, 3, tzinfo=berlin), datetime(2026, 3, 1, 2)),  # noqa: DTZ001
        (b"ab", bytearray(b"ab"), memoryview(b"ab")),
        (None,),
        (True,),
    )
    for group in same:
        assert len({repr(_cell(value)) for value in group}) == 1, group
    assert _cell(date(2026, 3, 1)) == "2026-03-01"
    assert _cell({"b": 1, "a": [2]}) == '{"a": [2], "b": 1}'
    assert _cell(1) != _cell("1")
    assert repr(_cell(float("nan"))) == "nan"
