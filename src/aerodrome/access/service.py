"""Who gets in, and as whom. Every command checks the actor's permission and leaves a row in the audit trail.

Called by the web faces (with an Actor) and by the start of the server (`ensure_admin`). Credentials are shown once, as
`Secret`; only hashes are kept. Unknown, expired and revoked credentials are all the same Denied.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import update
from sqlalchemy.orm import Session

from aerodrome.access import audit, credentials, sessions, tokens, users
from aerodrome.access.actor import SYSTEM, Actor
from aerodrome.access.audit import AuditView
from aerodrome.access.permissions import allows, require
from aerodrome.access.throttle import Throttle
from aerodrome.access.views import LoginLinkView, SessionView, TokenView, UserView
from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import Denied
from aerodrome.kernel.secret import Secret
from aerodrome.store import Store
from aerodrome.store.tables.session import LoginSession
from aerodrome.store.tables.token import Token
from aerodrome.store.tables.user import User
from aerodrome.store.turns import take_turns

ADMIN: Final = "admin"
_SEEN_EVERY: Final = timedelta(minutes=5)  # last-used moments are written this often at most
_FIRST_LINK: Final = timedelta(hours=24)


class Access:
    """People, sessions, tokens and the audit trail."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        session_hours: float = 12,
        login_link_minutes: float = 60,
        max_failures: int = 10,
    ) -> None:
        """`max_failures` wrong passwords for a name within five minutes close it for that long."""
        self._store = store
        self._clock = clock
        self._session_span = timedelta(hours=session_hours)
        self._link_span = timedelta(minutes=login_link_minutes)
        self._throttle = Throttle(store, limit=max_failures, window=timedelta(minutes=5))

    # --- the first start

    def ensure_admin(self) -> Secret | None:
        """Make the person `admin` when there is nobody; give a login code until somebody has signed in once.

        Run at every start: a lost first link is replaced by the next start, and worthless once it was replaced.
        """
        with self._store.writing() as session:
            take_turns(session, "first-admin")
            everybody = users.everybody(session)
            if any(user.last_login_at for user in everybody):
                return None
            if not everybody:
                admin = users.add(session, ADMIN)
                users.grant(session, admin, "admin", "")
                audit.record(session, SYSTEM, "user.create", admin.id, {"name": ADMIN, "role": "admin"})
            else:
                admin = everybody[0] if len(everybody) == 1 else users.find(session, ADMIN)
                sessions.end_all(session, admin.id)
            _, code = sessions.add_link(session, admin, _FIRST_LINK)
            audit.record(session, SYSTEM, "login-link.create", admin.id)
            return code

    # --- signing in

    def create_login_link(self, actor: Actor, user: str) -> tuple[LoginLinkView, Secret]:
        """Make a one-time login link for a person (id or name); the Secret is its code."""
        require(actor, "user.manage")
        with self._store.writing() as session:
            row = users.find(session, user)
            view, code = sessions.add_link(session, row, self._link_span)
            audit.record(session, actor, "login-link.create", row.id, {"expires_at": view.expires_at.isoformat()})
            return view, code

    def redeem_login_link(self, code: str) -> tuple[SessionView, Secret]:
        """Use a link up and start a session; the Secret is the cookie. Denied for a code that does not count."""
        with self._store.writing() as session:
            user = sessions.use_link(session, code)
            if user is not None:
                return self._start(session, user, "link")
        raise Denied(
            "This login link is unknown, used or expired.",
            code="login-link-invalid",
            hint="Ask an admin for a new one, or run `aerodrome login-link` where the server runs.",
        )

    def sign_in(self, name: str, password: Secret) -> tuple[SessionView, Secret]:
        """Start a session with a password, for a person who has set one. Denied tells nothing about which part is wrong.

        Unavailable after too many failures for that name.
        """
        attempt = self._throttle.attempt(name)
        with self._store.reading() as session:
            found = users.named(session, name)
            stored = found.password_hash if found else None
        if credentials.is_password(stored, password) and found:
            with self._store.writing() as session:
                user = users.find(session, found.id)
                started = (
                    self._start(session, user, "password") if user.is_active and user.password_hash == stored else None
                )
            if started is not None:
                self._throttle.succeeded(attempt)
                return started
        raise Denied("The name or the password is wrong.", code="login-failed", hint="Or use a login link.")

    def _start(self, session: Session, user: User, by: str) -> tuple[SessionView, Secret]:
        view, cookie = sessions.start(session, user, self._session_span)
        actor = Actor(user.id, user.name, "user", (), view.id)
        audit.record(session, actor, "session.start", user.id, {"by": by})
        return view, cookie

    def set_password(self, actor: Actor, user: str, password: Secret | None) -> None:
        """Set one's own password, or remove it (None); an admin may only remove that of others.

        Everything that the person had signed in to is ended.
        """
        hashed = credentials.hash_password(password) if password is not None else None
        with self._store.writing() as session:
            row = users.find(session, user)
            if actor.kind != "user" or actor.id != row.id:
                require(actor, "user.manage")
                if hashed is not None:
                    raise Denied(
                        "Only the person may choose the password.",
                        code="password-of-other",
                        hint="Make a login link for them instead.",
                    )
            row.password_hash = hashed
            sessions.end_all(session, row.id)
            audit.record(session, actor, "user.password", row.id, {"is_set": hashed is not None})

    # --- who is asking

    def authenticate_session(self, cookie: str) -> Actor:
        """Give the person whose session a cookie is; Denied when it does not count."""
        with self._store.reading() as session:
            found = sessions.find(session, cookie)
            if found is None:
                raise Denied("The session has ended.", code="session-ended", hint="Sign in again.")
            row, user = found
            actor = Actor(user.id, user.name, "user", users.roles(session, user.id), row.id)
        moment = self._clock.now()
        if row.last_seen_at + _SEEN_EVERY < moment:
            with self._store.writing() as session:
                session.execute(update(LoginSession).where(LoginSession.id == row.id).values(last_seen_at=moment))
        return actor

    def authenticate_token(self, text: str) -> Actor:
        """Give the person as whom an API token acts; Denied when it does not count."""
        with self._store.reading() as session:
            found = tokens.authenticate(session, text)
            if found is None:
                raise Denied(
                    "The API token is unknown, expired or revoked.",
                    code="token-invalid",
                    hint="Make a new one: `aerodrome token create`.",
                )
            row, user = found
            actor = Actor(user.id, user.name, "token", users.roles(session, user.id), row.id)
        moment = self._clock.now()
        if row.last_used_at is None or row.last_used_at + _SEEN_EVERY < moment:
            with self._store.writing() as session:
                session.execute(update(Token).where(Token.id == row.id).values(last_used_at=moment))
        return actor

    def csrf_token(self, cookie: str) -> str:
        """Give the CSRF token that belongs to a session cookie."""
        return credentials.csrf_token(cookie)

    # --- sessions

    def list_sessions(self, actor: Actor, user: str | None = None) -> list[SessionView]:
        """Give the living sessions of the actor, or of another person."""
        with self._store.reading() as session:
            user_id = self._whose(session, actor, user, "user.manage")
            return sessions.listed(session, user_id)

    def log_out(self, cookie: str) -> None:
        """End the session of a cookie; an ended one stays ended."""
        with self._store.writing() as session:
            found = sessions.find(session, cookie)
            if found is None:
                return
            row, user = found
            row.revoked_at = self._clock.now()
            audit.record(session, Actor(user.id, user.name, "user", (), row.id), "session.end", user.id)

    def end_sessions(self, actor: Actor, user: str | None = None) -> None:
        """End every session of the actor, or of another person, and make unused login links worthless."""
        with self._store.writing() as session:
            user_id = self._whose(session, actor, user, "user.manage")
            sessions.end_all(session, user_id)
            audit.record(session, actor, "session.end-all", user_id)

    # --- tokens

    def create_token(self, actor: Actor, name: str, expires_at: datetime | None = None) -> tuple[TokenView, Secret]:
        """Make an API token that acts as the actor; the Secret is shown here and never again."""
        with self._store.writing() as session:
            user = users.find(session, actor.id)
            view, text = tokens.add(session, user, name, expires_at)
            details = {"name": name, "expires_at": expires_at.isoformat() if expires_at else None}
            audit.record(session, actor, "token.create", view.id, details)
            return view, text

    def list_tokens(self, actor: Actor, *, everybody: bool = False) -> list[TokenView]:
        """Give the actor's tokens, or everybody's, newest first."""
        if everybody:
            require(actor, "token.manage")
        with self._store.reading() as session:
            return tokens.listed(session, None if everybody else actor.id)

    def revoke_token(self, actor: Actor, token_id: str) -> TokenView:
        """Make a token worthless; revoking again changes nothing. A token of another person takes `token.manage`."""
        with self._store.writing() as session:
            row, user = tokens.find(session, token_id)
            if user.id != actor.id:
                require(actor, "token.manage")
            if row.revoked_at is None:
                row.revoked_at = self._clock.now()
                audit.record(session, actor, "token.revoke", row.id, {"name": row.name})
            return next(view for view in tokens.listed(session, user.id) if view.id == token_id)

    # --- people

    def me(self, actor: Actor) -> UserView:
        """Give the person who acts."""
        with self._store.reading() as session:
            return users.view(session, users.find(session, actor.id))

    def create_user(
        self, actor: Actor, name: str, *, email: str | None = None, role: str | None = None, scope: str = ""
    ) -> UserView:
        """Add a person, with a role on a scope when given."""
        require(actor, "user.manage")
        with self._store.writing() as session:
            user = users.add(session, name, email)
            if role is not None:
                users.grant(session, user, role, scope)
            audit.record(session, actor, "user.create", user.id, {"name": name, "role": role, "scope": scope})
            return users.view(session, user)

    def list_users(self, actor: Actor) -> list[UserView]:
        """Give all people by name."""
        require(actor, "user.read")
        with self._store.reading() as session:
            return [users.view(session, user) for user in users.everybody(session)]

    def get_user(self, actor: Actor, user: str) -> UserView:
        """Give one person (id or name)."""
        if user not in {actor.id, actor.name}:
            require(actor, "user.read")
        with self._store.reading() as session:
            return users.view(session, users.find(session, user))

    def grant_role(self, actor: Actor, user: str, role: str, scope: str = "") -> UserView:
        """Give a person a role on a scope."""
        require(actor, "user.manage")
        with self._store.writing() as session:
            row = users.find(session, user)
            users.grant(session, row, role, scope)
            audit.record(session, actor, "role.grant", row.id, {"role": role, "scope": scope})
            return users.view(session, row)

    def withdraw_role(self, actor: Actor, user: str, role: str, scope: str = "") -> UserView:
        """Take a role on a scope away; Conflict for the last admin."""
        require(actor, "user.manage")
        with self._store.writing() as session:
            row = users.find(session, user)
            users.withdraw(session, row, role, scope)
            audit.record(session, actor, "role.withdraw", row.id, {"role": role, "scope": scope})
            return users.view(session, row)

    def set_active(self, actor: Actor, user: str, is_active: bool) -> UserView:
        """Let a person in or keep them out; keeping out ends their sessions and silences their tokens at once."""
        require(actor, "user.manage")
        with self._store.writing() as session:
            row = users.find(session, user)
            row.is_active = is_active
            session.flush()
            if not is_active:
                users.refuse_no_admin(session)
                sessions.end_all(session, row.id)
            audit.record(session, actor, "user.activate" if is_active else "user.deactivate", row.id)
            return users.view(session, row)

    # --- the audit trail

    def list_audit(
        self,
        actor: Actor,
        *,
        before: int | None = None,
        limit: int = 100,
        actor_id: str | None = None,
        action: str | None = None,
        target: str | None = None,
    ) -> list[AuditView]:
        """Give acts, newest first; `before` pages on."""
        require(actor, "audit.read")
        with self._store.reading() as session:
            return audit.entries(session, before=before, limit=limit, actor_id=actor_id, action=action, target=target)

    def _whose(self, session: Session, actor: Actor, user: str | None, permission: str) -> str:
        if user is None:
            return actor.id
        if not allows(actor, permission) and user not in {actor.id, actor.name}:
            require(actor, permission)
        return users.find(session, user).id
