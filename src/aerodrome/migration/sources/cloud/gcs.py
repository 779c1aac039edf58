"""Reads Google Cloud Storage by its JSON API. Needs storage.objects.list and storage.objects.get on the bucket."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, cast
from urllib.parse import quote

import httpx2

from aerodrome.kernel.clock import from_text
from aerodrome.kernel.errors import Unavailable
from aerodrome.migration.sources.cloud.contract import CloudLogin, StoredObject
from aerodrome.migration.sources.cloud.google import GoogleApi

ROOT = "https://storage.googleapis.com"
BUFFER_BYTES = 1 << 20


class GcsStore:
    """One bucket. Nothing connects before the first call."""

    def __init__(self, bucket: str, login: CloudLogin) -> None:
        self.bucket = bucket
        self._api = GoogleApi("Google Cloud Storage", ROOT, login)

    def stat(self, key: str) -> StoredObject:
        return _stored(self._api.get(self._path(key), "storage.objects.get", self._place(key)))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        more: dict[str, str] = {}
        while True:
            path = f"/storage/v1/b/{quote(self.bucket, safe='')}/o"
            answer = self._api.get(path, "storage.objects.list", self._place(""), prefix=prefix, **more)
            for each in answer.get("items", ()):
                yield _stored(each)
            if not answer.get("nextPageToken"):
                return
            more = {"pageToken": answer["nextPageToken"]}

    def open(self, key: str, version: str = "", *, is_last: bool = False) -> BinaryIO:
        more = {"generation": version} if version else {}
        answer = self._api.stream(self._path(key), "storage.objects.get", self._place(key), alt="media", **more)
        return cast("BinaryIO", io.BufferedReader(_Body(answer, self.close if is_last else None), BUFFER_BYTES))

    def close(self) -> None:
        self._api.close()

    def _path(self, key: str) -> str:
        return f"/storage/v1/b/{quote(self.bucket, safe='')}/o/{quote(key, safe='')}"

    def _place(self, key: str) -> str:
        return f"gs://{self.bucket}/{key}"


class _Body(io.RawIOBase):
    """The body of an answer as a stream that can be read once."""

    def __init__(self, opened: AbstractContextManager[httpx2.Response], then: Callable[[], None] | None = None) -> None:
        self._opened = opened
        self._then = then
        self._pieces = opened.__enter__().iter_bytes(BUFFER_BYTES)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._rest or next(self._pieces, b"")
        except httpx2.TransportError as error:
            raise Unavailable(
                "Google Cloud Storage broke off in the middle.", code="backend-unreachable", hint="Try again."
            ) from error
        taken, self._rest = piece[: len(buffer)], piece[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)

    def close(self) -> None:
        if not self.closed:
            self._opened.__exit__(None, None, None)
            if self._then is not None:
                self._then()
        super().close()


def _stored(data: dict[str, Any]) -> StoredObject:
    return StoredObject(data["name"], int(data["size"]), str(data["generation"]), from_text(data.get("updated")))
