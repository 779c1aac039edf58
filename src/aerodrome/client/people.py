"""Who you are, people and their roles, your API tokens, and signing in."""

from __future__ import annotations

import builtins
from datetime import datetime

from aerodrome.client.models import LoginLink, Me, NewToken, Token, User, read
from aerodrome.client.transport import Transport, segment
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.secret import Secret


class Users:
    """`client.users`."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def me(self) -> Me:
        return read(Me, self._http.get("/me"))

    def list(self) -> builtins.list[User]:
        return [read(User, item) for item in self._http.pages("/users")]

    def create(self, name: str, *, role: str | None = None, scope: str = "", email: str | None = None) -> User:
        """Add a person, with a first role on a scope ("": everywhere)."""
        return read(User, self._http.post("/users", {"name": name, "email": email, "role": role, "scope": scope}))

    def get(self, ref: str) -> User:
        return read(User, self._http.get(f"/users/{segment(ref)}"))

    def set_active(self, ref: str, is_active: bool) -> User:
        """Let a person in or keep them out; keeping out ends their sessions and silences their tokens at once."""
        return read(User, self._http.patch(f"/users/{segment(ref)}", {"is_active": is_active}))

    def grant(self, ref: str, role: str, scope: str = "") -> User:
        return read(User, self._http.post(f"/users/{segment(ref)}/roles", {"role": role, "scope": scope}))

    def withdraw(self, ref: str, role: str, scope: str = "") -> User:
        return read(User, self._http.post(f"/users/{segment(ref)}/roles/withdraw", {"role": role, "scope": scope}))

    def login_link(self, ref: str) -> LoginLink:
        """Make a link that signs this person in once."""
        return read(LoginLink, self._http.post(f"/users/{segment(ref)}/login-links"))


class Tokens:
    """`client.tokens`."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(self, *, everybody: bool = False) -> builtins.list[Token]:
        """Give your tokens, or everybody's (for admins), newest first."""
        pages = self._http.pages("/tokens", {"everybody": "true" if everybody else None})
        return [read(Token, item) for item in pages]

    def create(self, name: str, expires_at: datetime | None = None) -> NewToken:
        """Make a token; its text is given this once."""
        return read(NewToken, self._http.post("/tokens", {"name": name, "expires_at": to_text(expires_at)}))

    def revoke(self, ref: str) -> Token:
        return read(Token, self._http.delete(f"/tokens/{segment(ref)}"))

    def revoke_own(self) -> Token:
        """Make the token of this conversation worthless."""
        return read(Token, self._http.delete("/tokens/own"))

    def exchange(self, code: Secret, name: str) -> NewToken:
        """Make a token of a one-time login code; needs no credential."""
        return read(NewToken, self._http.post("/auth/exchange", {"code": code.reveal(), "name": name}))
