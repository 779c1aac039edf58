"""The shared edge of the API routes: the actor, the platform, pages of a list, and the documented problems."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from aerodrome.access.actor import Actor
from aerodrome.kernel.errors import Invalid
from aerodrome.web.credentials import authenticate
from aerodrome.web.platform import Platform, platform_of
from aerodrome.web.problems import MEDIA_TYPE, TITLES

Caller = Annotated[Actor, Depends(authenticate)]
The = Annotated[Platform, Depends(platform_of)]
Limit = Annotated[int, Query(ge=1, le=500, description="How many items a page holds at most.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before; none: start.")]

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class View(BaseModel):
    """Base of answers: read from our frozen views."""

    model_config = ConfigDict(from_attributes=True, json_schema_serialization_defaults_required=True)


class Body(BaseModel):
    """Base of requests: unknown fields are refused, so that a typing error does not pass silently."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nul(cls, data: Any) -> Any:
        if _holds_nul(data):
            raise ValueError("a text holds a NUL character")
        return data


def _holds_nul(data: Any) -> bool:
    if isinstance(data, str):
        return "\0" in data
    if isinstance(data, dict):
        return any(_holds_nul(part) for part in (*data, *data.values()))
    return isinstance(data, list) and any(_holds_nul(part) for part in data)


class Page(View, Generic[M]):
    """One page of a list."""

    items: list[M]
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page; null: this is the last.")


class ProblemDocument(BaseModel):
    """An error (RFC 9457), served as `application/problem+json`."""

    type: str = Field(examples=["urn:aerodrome:problem:deployment-not-found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no deployment named sales."])
    kind: str = Field(examples=["not-found"])
    code: str = Field(examples=["deployment-not-found"])
    hint: str | None = Field(None, examples=["`aerodrome deployment list` shows all of them."])
    details: dict[str, Any] | None = None
    request_id: str | None = None
    incident_id: str | None = Field(None, description="Only for 500: look for it in the server's log.")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Give the `responses` of a route: the statuses it may answer with besides success, as problem documents."""
    return {
        status: {
            "description": TITLES[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
        for status in statuses
    }


GUARDED = problems(401, 403, 422, 500)
NAMED = problems(401, 403, 404, 422, 500)


def page_of(
    views: Sequence[T],
    model: type[M],
    limit: int,
    cursor: str | None,
    key: Callable[[T], str],
    *,
    newest: bool = False,
    convert: Callable[[T], M] | None = None,
) -> Page[M]:
    """Cut one page out of a whole list, ordered by a unique key; stable while items come and go."""
    ordered = sorted(views, key=key, reverse=newest)
    if cursor is not None:
        last = read_cursor(cursor)
        ordered = [view for view in ordered if (key(view) < last if newest else key(view) > last)]
    chunk = ordered[:limit]
    following = write_cursor(key(chunk[-1])) if len(ordered) > limit else None
    items = [convert(view) if convert else model.model_validate(view) for view in chunk]
    return Page[model](items=items, next_cursor=following)  # type: ignore[valid-type]


def write_cursor(key: str) -> str:
    """Make an opaque cursor of a key."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> str:
    """Read a cursor that we made; Invalid otherwise."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise malformed_cursor() from None


def malformed_cursor() -> Invalid:
    return Invalid(
        "The cursor was not made by this server.", code="cursor-invalid", hint="Start again without a cursor."
    )
