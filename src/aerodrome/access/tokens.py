"""API tokens, inside a transaction of the caller. A token acts as its person, with the roles that count now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.access import credentials
from aerodrome.access.views import TokenView
from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.kernel.secret import Secret
from aerodrome.store import now
from aerodrome.store.tables.token import Token
from aerodrome.store.tables.user import User


def add(session: Session, user: User, name: str, expires_at: datetime | None) -> tuple[TokenView, Secret]:
    """Make a token; its text is given here and never again."""
    if not name.strip() or len(name) > 200 or not name.isprintable():
        raise Invalid("A token needs a name of 1 to 200 printable characters.", code="token-name-invalid")
    if expires_at is not None and expires_at <= now(session):
        raise Invalid("The token would have expired already.", code="token-expiry-past", hint="Give a later moment.")
    text = credentials.make("pat")
    row = Token(
        id=new_id("tok"),
        user_id=user.id,
        name=name,
        hash=credentials.hash_of("pat", text.reveal()) or "",
        hint=text.reveal()[-4:],
        created_at=now(session),
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return _view(row, user), text


def authenticate(session: Session, text: str) -> tuple[Token, User] | None:
    """Give the token that a text is, with its person; None when unknown, expired, revoked, or the person is inactive."""
    hashed = credentials.hash_of("pat", text)
    if hashed is None:
        return None
    query = select(Token, User).join(User, User.id == Token.user_id).where(Token.hash == hashed, User.is_active)
    row = session.execute(query).one_or_none()
    if row is None or row[0].revoked_at or (row[0].expires_at and row[0].expires_at <= now(session)):
        return None
    return row[0], row[1]


def find(session: Session, token_id: str) -> tuple[Token, User]:
    query = select(Token, User).join(User, User.id == Token.user_id).where(Token.id == token_id)
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound(
            f"There is no token {token_id}.", code="token-unknown", hint="`aerodrome token list` shows them."
        )
    return row[0], row[1]


def listed(session: Session, user_id: str | None) -> list[TokenView]:
    """Give the tokens of one person, or of everybody (None), newest first."""
    query = select(Token, User).join(User, User.id == Token.user_id).order_by(Token.id.desc())
    if user_id is not None:
        query = query.where(Token.user_id == user_id)
    return [_view(token, user) for token, user in session.execute(query)]


def _view(row: Token, user: User) -> TokenView:
    return TokenView(
        row.id,
        user.id,
        user.name,
        row.name,
        row.hint,
        row.created_at,
        row.expires_at,
        row.last_used_at,
        row.revoked_at,
    )
