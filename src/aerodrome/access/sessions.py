"""Signing in with a one-time link, and the sessions of browsers, inside a transaction of the caller."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from aerodrome.access import credentials
from aerodrome.access.views import LoginLinkView, SessionView
from aerodrome.kernel.ids import new_id
from aerodrome.kernel.secret import Secret
from aerodrome.store import now
from aerodrome.store.tables.login_link import LoginLink
from aerodrome.store.tables.session import LoginSession
from aerodrome.store.tables.user import User


def add_link(session: Session, user: User, lifetime: timedelta) -> tuple[LoginLinkView, Secret]:
    """Make a one-time link; its code is given here and never again."""
    code = credentials.make("link")
    moment = now(session)
    row = LoginLink(
        id=new_id("lnk"),
        user_id=user.id,
        hash=credentials.hash_of("link", code.reveal()) or "",
        created_at=moment,
        expires_at=moment + lifetime,
    )
    session.add(row)
    session.flush()
    return LoginLinkView(row.id, user.id, user.name, row.created_at, row.expires_at), code


def use_link(session: Session, code: str) -> User | None:
    """Use a link up and give its person; None when unknown, used, expired, or the person is inactive.

    One statement decides, so that of two who use it at once only one gets in.
    """
    hashed = credentials.hash_of("link", code)
    if hashed is None:
        return None
    moment = now(session)
    mine = update(LoginLink).where(LoginLink.hash == hashed, LoginLink.used_at.is_(None), LoginLink.expires_at > moment)
    user_id = session.scalar(mine.values(used_at=moment).returning(LoginLink.user_id))
    if user_id is None:
        return None
    return session.scalar(select(User).where(User.id == user_id, User.is_active))


def start(session: Session, user: User, lifetime: timedelta) -> tuple[SessionView, Secret]:
    """Start a session; its cookie is given here and never again."""
    cookie = credentials.make("ses")
    moment = now(session)
    row = LoginSession(
        id=new_id("ses"),
        user_id=user.id,
        hash=credentials.hash_of("ses", cookie.reveal()) or "",
        created_at=moment,
        expires_at=moment + lifetime,
        last_seen_at=moment,
    )
    session.add(row)
    user.last_login_at = moment
    session.flush()
    return _view(row, user), cookie


def find(session: Session, cookie: str) -> tuple[LoginSession, User] | None:
    """Give the session of a cookie with its person; None when unknown, ended, expired, or the person is inactive."""
    hashed = credentials.hash_of("ses", cookie)
    if hashed is None:
        return None
    query = (
        select(LoginSession, User)
        .join(User, User.id == LoginSession.user_id)
        .where(LoginSession.hash == hashed, LoginSession.revoked_at.is_(None), User.is_active)
    )
    row = session.execute(query).one_or_none()
    if row is None or row[0].expires_at <= now(session):
        return None
    return row[0], row[1]


def end_all(session: Session, user_id: str) -> None:
    """End every session of a person and make unused links worthless."""
    moment = now(session)
    mine = LoginSession.user_id == user_id, LoginSession.revoked_at.is_(None)
    session.execute(update(LoginSession).where(*mine).values(revoked_at=moment))
    links = LoginLink.user_id == user_id, LoginLink.used_at.is_(None)
    session.execute(update(LoginLink).where(*links).values(used_at=moment))


def listed(session: Session, user_id: str) -> list[SessionView]:
    """Give the living sessions of a person, newest first."""
    query = (
        select(LoginSession, User)
        .join(User, User.id == LoginSession.user_id)
        .where(
            LoginSession.user_id == user_id,
            LoginSession.revoked_at.is_(None),
            LoginSession.expires_at > now(session),
        )
        .order_by(LoginSession.id.desc())
    )
    return [_view(row, user) for row, user in session.execute(query)]


def prune(session: Session) -> None:
    """Remove sessions and links that ended more than 30 days ago."""
    old = now(session) - timedelta(days=30)
    session.execute(delete(LoginSession).where(or_(LoginSession.expires_at < old, LoginSession.revoked_at < old)))
    session.execute(delete(LoginLink).where(or_(LoginLink.expires_at < old, LoginLink.used_at < old)))


def _view(row: LoginSession, user: User) -> SessionView:
    return SessionView(row.id, user.id, user.name, row.created_at, row.expires_at, row.last_seen_at)
