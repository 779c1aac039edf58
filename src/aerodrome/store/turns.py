"""Lets transactions take turns at something that no row stands for."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session


def take_turns(session: Session | Connection, name: str) -> None:
    """Wait until no other transaction holds this name, and hold it until the end of this one.

    SQLite has one writing transaction at a time anyway; PostgreSQL gives an advisory lock.
    """
    bind = session.get_bind() if isinstance(session, Session) else session
    if bind.dialect.name != "postgresql":
        return
    key = int.from_bytes(sha256(f"aerodrome {name}".encode()).digest()[:8], "big", signed=True)
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
