"""What is asked of an object store, and how one signs in. Only reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol

from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret

SCHEMES = ("s3", "gs")


@dataclass(frozen=True)
class CloudLogin:
    """Settings and credentials of one cloud account. All empty: what the machine itself has (role, profile, account).

    Settings: `region`, `profile`, `role_arn`, `endpoint_url`, `access_key_id`. Credentials: `secret_access_key`,
    `session_token` (AWS), `service_account_key` (Google, JSON).
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, Secret] = field(default_factory=dict)

    def get(self, name: str) -> str:
        return self.settings.get(name, "")


@dataclass(frozen=True)
class StoredObject:
    """An object. `stamp` changes with its content; `modified_at` is None where the store does not say it."""

    key: str
    size_bytes: int
    stamp: str
    modified_at: datetime | None = None


class ObjectStore(Protocol):
    """One bucket. Errors: NotFound `object-missing`; Denied naming the right; Unavailable."""

    def stat(self, key: str) -> StoredObject: ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Give every object whose key begins with the prefix, in order of the key, page by page."""
        ...

    def open(self, key: str, version: str = "", *, is_last: bool = False) -> BinaryIO:
        """Give the content as a stream; `version` names an older one. `is_last`: closing it closes the store, too."""
        ...

    def close(self) -> None: ...


def parts_of(url: str) -> tuple[str, str, str]:
    """Split `s3://bucket/key` into scheme, bucket and key. Invalid `object-address-malformed`."""
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme not in SCHEMES or not bucket or not key or any(char.isspace() for char in bucket):
        raise Invalid(
            f"{url} is no address of an object.",
            code="object-address-malformed",
            hint="Write s3://bucket/key or gs://bucket/key.",
            details={"field": "archive"},
        )
    return scheme, bucket, key


def is_url(text: str) -> bool:
    """Tell an object's address from a path."""
    return text.partition("://")[0] in SCHEMES and "://" in text
