"""Frozen views of people and their credentials; none holds a secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class UserView:
    """A person."""

    id: str
    name: str
    email: str | None
    is_active: bool
    has_password: bool
    roles: tuple[tuple[str, str], ...]  # (role, scope)
    created_at: datetime
    last_login_at: datetime | None


@dataclass(frozen=True)
class TokenView:
    """An API token; `hint` is its last four characters."""

    id: str
    user_id: str
    user_name: str
    name: str
    hint: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class SessionView:
    """A signed-in browser."""

    id: str
    user_id: str
    user_name: str
    created_at: datetime
    expires_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True)
class LoginLinkView:
    """A one-time login link."""

    id: str
    user_id: str
    user_name: str
    created_at: datetime
    expires_at: datetime
