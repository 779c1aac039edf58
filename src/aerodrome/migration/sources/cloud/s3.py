"""Reads S3. Needs s3:ListBucket on the bucket and s3:GetObject (with versions s3:GetObjectVersion) on its objects."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, BinaryIO, cast

from aerodrome.kernel.errors import NotFound, Unavailable
from aerodrome.migration.sources.cloud.contract import CloudLogin, StoredObject
from aerodrome.secretstores.aws import make_client, translated
from aerodrome.secretstores.vendor import Plain

BUFFER_BYTES = 1 << 20
_MISSING = {"404", "NoSuchKey", "NoSuchVersion", "NotFound"}


class S3Store:
    """One bucket. Nothing connects before the first call."""

    def __init__(self, bucket: str, login: CloudLogin) -> None:
        self.bucket = bucket
        self._plain = Plain(login.settings, login.credentials)

    @cached_property
    def _client(self) -> Any:
        return make_client("s3", self._plain)

    def stat(self, key: str) -> StoredObject:
        answer = self._call("s3:GetObject", key, "head_object")
        return StoredObject(key, answer["ContentLength"], answer["ETag"])

    def list(self, prefix: str) -> Iterator[StoredObject]:
        more: dict[str, str] = {}
        while True:
            answer = self._call("s3:ListBucket", "", "list_objects_v2", Prefix=prefix, **more)
            for each in answer.get("Contents", ()):
                yield StoredObject(each["Key"], each["Size"], each["ETag"], each["LastModified"])
            if not answer.get("IsTruncated"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def open(self, key: str, version: str = "", *, is_last: bool = False) -> BinaryIO:
        more = {"VersionId": version} if version else {}
        answer = self._call("s3:GetObjectVersion" if version else "s3:GetObject", key, "get_object", **more)
        return cast("BinaryIO", io.BufferedReader(Body(answer["Body"], self.close if is_last else None), BUFFER_BYTES))

    def close(self) -> None:
        opened = self.__dict__.pop("_client", None)
        if opened is not None:
            opened.close()

    def _call(self, action: str, key: str, method: str, **parameters: Any) -> Any:
        from botocore.exceptions import ClientError

        place = f"s3://{self.bucket}/{key}"
        if key:
            parameters["Key"] = key
        with translated("S3", action, place, self._plain):
            try:
                return getattr(self._client, method)(Bucket=self.bucket, **parameters)
            except ClientError as error:
                if str(error.response.get("Error", {}).get("Code")) in _MISSING:
                    raise missing(place) from None
                if error.response.get("Error", {}).get("Code") == "NoSuchBucket":
                    raise missing(f"s3://{self.bucket}") from None
                if error.response.get("Error", {}).get("Code") == "403":  # a HEAD has no text
                    error.response["Error"] = {"Code": "AccessDenied", "Message": ""}
                raise


class Body(io.RawIOBase):
    """A stream that can be read once, with the one method that a buffered reader needs."""

    def __init__(self, stream: Any, then: Callable[[], None] | None = None) -> None:
        self._stream = stream
        self._then = then

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        from botocore.exceptions import BotoCoreError

        try:
            data = self._stream.read(len(buffer))
        except (BotoCoreError, OSError) as error:
            raise Unavailable("S3 broke off in the middle.", code="backend-unreachable", hint="Try again.") from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            if self._then is not None:
                self._then()
        super().close()


def missing(place: str) -> NotFound:
    return NotFound(f"There is no {place}.", code="object-missing", hint="Check the address.", details={"place": place})
