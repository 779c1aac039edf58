"""A reader who leaves a stream is no failure. If this breaks, every closed page leaves a traceback in the server's log."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import anyio
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from aerodrome.web.problems import Edge

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}


def answer(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("told")


def through(error: Exception, *, is_started: bool) -> list[Message]:
    """Give what is sent when an application raises; in a thread, for a browser of other tests has an event loop in this one."""
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(anyio.run, partial(_through, error, is_started=is_started)).result()


async def _through(error: Exception, *, is_started: bool) -> list[Message]:
    """Let an application raise, before or after it began to answer; give what was sent."""
    sent: list[Message] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        if is_started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await Edge(app, answer)(dict(SCOPE), receive, send)
    return sent


GONE = ExceptionGroup("tasks", [ExceptionGroup("inner", [anyio.BrokenResourceError()]), anyio.ClosedResourceError()])


def test_a_reader_who_left_raises_nothing() -> None:
    assert [item["type"] for item in through(GONE, is_started=True)] == ["http.response.start"]


def test_any_other_error_in_a_stream_is_raised() -> None:
    mixed = ExceptionGroup("tasks", [anyio.BrokenResourceError(), ValueError("a defect")])
    with pytest.raises(ExceptionGroup):
        through(mixed, is_started=True)


def test_before_the_answer_began_it_is_answered() -> None:
    assert through(GONE, is_started=False)[0]["type"] == "http.response.start"
