"""Credentials of our own: opaque random texts with a prefix that tells what they are; only their hash is kept."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Final, Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret

Kind = Literal["pat", "link", "ses"]
MIN_PASSWORD_LENGTH: Final = 12
_HASHER: Final = PasswordHasher()  # argon2id, 64 MiB, 3 passes: the library's defaults (RFC 9106, low memory)
_NOBODY: Final = _HASHER.hash(secrets.token_urlsafe(32))


def make(kind: Kind) -> Secret:
    """Make `aero_<kind>_<43 random characters>` (256 bits)."""
    return Secret(f"aero_{kind}_{secrets.token_urlsafe(32)}")


def hash_of(kind: Kind, text: str) -> str | None:
    """Give the hash under which a credential is kept, or None when the text is no credential of this kind.

    A plain SHA-256: the text has 256 random bits, so there is nothing to guess.
    """
    return sha256(text.encode()).hexdigest() if text.startswith(f"aero_{kind}_") else None


def csrf_token(cookie: str) -> str:
    """Derive the CSRF token of a session from its cookie; who cannot read the cookie cannot know it."""
    return hmac.new(cookie.encode(), b"aerodrome csrf", sha256).hexdigest()


def hash_password(password: Secret) -> str:
    """Hash a password with argon2id; Invalid when it is too short."""
    if len(password.reveal()) < MIN_PASSWORD_LENGTH:
        raise Invalid(
            f"A password needs at least {MIN_PASSWORD_LENGTH} characters.",
            code="password-too-short",
            hint="A few random words make a good one.",
        )
    return _HASHER.hash(password.reveal())


def is_password(stored: str | None, given: Secret) -> bool:
    """Tell whether the password is right; takes as long when the person has none or does not exist."""
    try:
        return _HASHER.verify(stored or _NOBODY, given.reveal()) and stored is not None
    except (VerificationError, InvalidHashError):
        return False
