from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from starlette.exceptions import HTTPException

from aerodrome.kernel.errors import (
    AerodromeError,
    Broken,
    Conflict,
    Denied,
    Invalid,
    NotFound,
    Stale,
    Unavailable,
)
from aerodrome.kernel.secret import Secret
from aerodrome.web.problems import TooLarge, Unauthenticated, problem_of, status_of


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (Invalid, 422),
        (NotFound, 404),
        (Denied, 403),
        (Conflict, 409),
        (Stale, 409),
        (Unavailable, 503),
        (Broken, 500),
        (Unauthenticated, 401),
        (TooLarge, 413),
    ],
)
def test_every_kind_of_error_has_its_status(kind: type[AerodromeError], status: int) -> None:
    assert status_of(kind("A sentence.", code="a-code")) == status


def test_a_problem_says_what_to_do_and_never_shows_a_secret() -> None:
    error = Conflict(
        "Taken.",
        code="taken",
        hint="Choose another.",
        details={"at": datetime(2026, 1, 1, tzinfo=UTC), "pw": Secret("x9")},
    )
    answer = problem_of(error, "req_1").response()
    assert answer.media_type == "application/problem+json"
    assert json.loads(bytes(answer.body)) == {
        "type": "urn:aerodrome:problem:taken",
        "title": "Conflict with the present state",
        "status": 409,
        "detail": "Taken.",
        "kind": "conflict",
        "code": "taken",
        "hint": "Choose another.",
        "details": {"at": "2026-01-01 00:00:00+00:00", "pw": "•••"},
        "request_id": "req_1",
    }


def test_an_unforeseen_exception_is_told_without_its_text() -> None:
    problem = problem_of(RuntimeError("postgresql://user:hunter2@host"))
    assert (problem.status, problem.code) == (500, "internal-error")
    assert problem.incident_id is not None
    assert problem.incident_id in problem.hint
    assert "hunter2" not in json.dumps(problem.as_data())


def test_what_should_be_tried_again_says_when() -> None:
    error = Unavailable("Not now.", code="busy", retry_after_s=0.2)
    assert problem_of(error).headers["Retry-After"] == "1"


def test_an_error_of_ours_inside_a_framework_exception_is_told_as_ours() -> None:
    outer = HTTPException(400, "There was an error parsing the body")
    outer.__cause__ = TooLarge("Too large.", code="body-too-large")
    assert problem_of(outer).status == 413
