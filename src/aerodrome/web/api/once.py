"""Idempotency-Key: a request that is sent again with its key gets the first answer instead of being done twice.

Never used for answers that hold a secret: those are not kept. Keys belong to a person and live for a day.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar

from fastapi import Header
from pydantic import BaseModel
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from aerodrome.access.actor import Actor
from aerodrome.kernel.digest import digest_of
from aerodrome.kernel.errors import Conflict, Unavailable
from aerodrome.store import now
from aerodrome.store.tables.idempotency import IdempotentRequest
from aerodrome.store.turns import take_turns
from aerodrome.web.platform import Platform

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=100,
        pattern=r"^[A-Za-z0-9_.:-]+$",
        description="Any text that is new for each wish; sending a request again with it does nothing twice.",
    ),
]
KEPT: Final = timedelta(days=1)
ABANDONED: Final = timedelta(seconds=60)  # a request that took longer belonged to a server that is gone
M = TypeVar("M", bound=BaseModel)


def once(
    the: Platform,
    actor: Actor,
    key: str | None,
    model: type[M],
    request: tuple[str, BaseModel],
    make: Callable[[], Any],
) -> M:
    """Do it and keep the answer under the key; give the kept answer when it was done before.

    `request` is the route's name and its body: Conflict when the key was used for something else. Unavailable while
    the first request still runs. A request that failed may be sent again with the same key.
    """
    if key is None:
        return model.model_validate(make())
    route, body = request
    digest = digest_of([route, without_secrets(body)])
    with the.store.writing() as session:
        kept = _begin(session, actor, key, digest)
    if kept is not None:
        return model.model_validate(kept)
    try:
        made = model.model_validate(make())
    except BaseException:
        with the.store.writing() as session:
            _forget(session, actor, key)
        raise
    with the.store.writing() as session:
        row = session.get(IdempotentRequest, (actor.id, key))
        if row is not None:
            row.answer = made.model_dump(mode="json")
    return made


def without_secrets(body: BaseModel) -> dict[str, Any]:
    # A plain hash of a short secret could be guessed from; its name is enough to tell two requests apart.
    data = body.model_dump(mode="json")
    hidden: dict[str, Any] = {
        name: sorted(data[name]) for name in ("secret_env", "credentials") if isinstance(data.get(name), dict)
    }
    return data | hidden | {name: True for name in ("database_url",) if data.get(name)}


def _begin(session: Session, actor: Actor, key: str, digest: str) -> dict[str, Any] | None:
    """Give the kept answer, or write down that the request begins."""
    take_turns(session, f"idempotency:{actor.id}:{key}")
    moment = now(session)
    session.execute(delete(IdempotentRequest).where(IdempotentRequest.started_at < moment - KEPT))
    mine = IdempotentRequest.actor_id == actor.id, IdempotentRequest.key == key
    row = session.scalar(select(IdempotentRequest).where(*mine))
    if row is None:
        session.add(IdempotentRequest(actor_id=actor.id, key=key, request_digest=digest, started_at=moment))
        return None
    if row.request_digest != digest:
        raise Conflict(
            "This Idempotency-Key was used for another request.",
            code="idempotency-key-reused",
            hint="Take a new key for every new wish.",
        )
    if row.answer is not None:
        return row.answer
    if row.started_at > moment - ABANDONED:
        raise Unavailable(
            "The first request with this Idempotency-Key is still running.",
            code="request-running",
            hint="Send it again in a moment.",
            retry_after_s=1,
        )
    row.started_at = moment
    return None


def _forget(session: Session, actor: Actor, key: str) -> None:
    mine = IdempotentRequest.actor_id == actor.id, IdempotentRequest.key == key
    session.execute(delete(IdempotentRequest).where(*mine, IdempotentRequest.answer.is_(None)))
