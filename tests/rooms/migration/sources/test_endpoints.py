"""Hosts in code are found without what surrounds them: no login, password, path or query leaves the file."""

from __future__ import annotations

import pytest

from aerodrome.airflowkit import code
from aerodrome.migration.sources.endpoints import Endpoint, endpoints


def found(text: str) -> list[Endpoint]:
    tree = code.parse(text)
    assert tree is not None
    return list(endpoints(code.nodes_of(tree)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 'https://api.acme.com:8443/v2?token=abc'", [Endpoint(1, "https", "api.acme.com", 8443)]),
        ("x = 'postgresql://etl:pw@db7.internal:5432/main'", [Endpoint(1, "postgresql", "db7.internal", 5432)]),
        ("x = 's3://lake/raw/'", [Endpoint(1, "s3", "lake", None)]),
        ("x = f'https://{host}/x'", []),
        ("x = f'http://api.acme.com/{day}'", [Endpoint(1, "http", "api.acme.com", None)]),
        ("x = 'http://[fd00::1]:80/x'", [Endpoint(1, "http", "fd00::1", 80)]),
        ("'''See https://docs.acme.com and https://x.acme.com.'''", []),
        ("x = 'curl https://a.acme.com/x https://b.acme.com/y'", [
            Endpoint(1, "https", "a.acme.com", None), Endpoint(1, "https", "b.acme.com", None),
        ]),
        ("x = 'https://airflow.apache.org/docs'", []),
        ("x = 'https://{{ var.value.host }}/x'", []),
    ],
)  # fmt: skip
def test_hosts(text: str, expected: list[Endpoint]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize("password", ["p/ss", "12345", "12345/x", "p@ss", "p:ss", "pass.word"])
def test_no_login_is_taken_for_a_host(password: str) -> None:
    hosts = {item.host for item in found(f"x = 'postgresql://canary:{password}@db.acme.com/main'")}
    assert hosts <= {"db.acme.com"}


def test_private_addresses_in_commands_are_hosts() -> None:
    text = """
x = 'psql -h 10.2.3.4 -p 5432; scp /data etl@192.168.4.17:/in'
y = ['172.16.0.9:8080', '172.32.0.9', '10.0.0.0/8', '1.10.2.3.4', 'v10.2.3.4', '10.300.1.1', '8.8.8.8']
z = 'postgresql://u:10.9.9.9@db.example.com/x'
"""
    assert [(each.line, each.scheme, each.host, each.port) for each in found(text)] == [
        (2, "address", "10.2.3.4", None),
        (2, "address", "192.168.4.17", None),
        (3, "address", "172.16.0.9", 8080),
        (4, "postgresql", "db.example.com", None),
    ]
