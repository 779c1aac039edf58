"""Answers of the REST API for the reader, given one after the other, without a server."""

from __future__ import annotations

import httpx2
from tests.rooms.migration.service.conftest import NAME, Desk, desk  # noqa: F401 - a fixture
from tests.rooms.web.conftest import platform, url  # noqa: F401 - fixtures

from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_rest.client import RestReader


def served(*answers: httpx2.Response) -> tuple[RestReader, list[float], list[httpx2.Request]]:
    """A reader whose server gives these answers in turn: what a gateway does cannot be asked of a real Airflow."""
    waits: list[float] = []
    asked: list[httpx2.Request] = []
    left = list(answers)

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return left.pop(0)

    transport = httpx2.MockTransport(answer)
    return (
        RestReader("http://x/air", "", Secret(""), Secret("t"), transport=transport, sleep=waits.append),
        waits,
        asked,
    )
