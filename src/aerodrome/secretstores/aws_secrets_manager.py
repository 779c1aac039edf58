"""AWS Secrets Manager. A deleted secret can be recovered for some days there; `put` recovers it and writes."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any, Final

from aerodrome.kernel.errors import Denied, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.aws import code_of, make_client, translated
from aerodrome.secretstores.contract import missing
from aerodrome.secretstores.vendor import BUSY_PAUSE_S, BUSY_TRIES, Plain, busy, check_name, check_size

SERVICE: Final = "AWS Secrets Manager"
_NAME: Final = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_BATCH: Final = 20  # most of one BatchGetSecretValue
_GONE: Final = "ResourceNotFoundException"
_DELETED: Final = "InvalidRequestException"  # "…because it was marked for deletion"


class AwsSecretsManager:
    """A Vendor on boto3."""

    max_value_bytes = 65_536

    def __init__(self, plain: Plain) -> None:
        self._plain = plain
        self._client = make_client("secretsmanager", plain)

    def get(self, name: str, *, as_fields: bool = False) -> Secret:  # noqa: ARG002
        self._check(name)
        with self._translated("GetSecretValue", name):
            try:
                answer = self._client.get_secret_value(SecretId=name)
            except self._client.exceptions.ClientError as error:
                if code_of(error) in {_GONE, _DELETED}:
                    raise missing(name) from None
                raise
        return _text(answer)

    def get_many(self, names: Sequence[str], *, as_fields: bool = False) -> dict[str, Secret]:  # noqa: ARG002
        found: dict[str, Secret] = {}
        for start in range(0, len(names), _BATCH):
            chunk = [self._check(name) for name in names[start : start + _BATCH]]
            try:
                with self._translated("BatchGetSecretValue", "*"):
                    answer = self._client.batch_get_secret_value(SecretIdList=chunk)
            except Denied as error:
                if error.code != "backend-permission-missing":
                    raise
                answer = {"SecretValues": []}  # a policy without it may still allow one by one
            found |= {item["Name"]: _text(item) for item in answer["SecretValues"]}
            for name in chunk:
                if name not in found:
                    found |= self._one(name)
        return found

    def put(self, name: str, value: Secret, *, as_fields: bool = False) -> None:  # noqa: ARG002
        check_size(SERVICE, self._check(name), value, self.max_value_bytes)
        for _ in range(BUSY_TRIES):
            if self._try_put(name, value):
                return
            time.sleep(BUSY_PAUSE_S)
        raise busy(SERVICE, name)

    def delete(self, name: str) -> None:
        self._check(name)
        with self._translated("DeleteSecret", name):
            try:
                self._client.delete_secret(SecretId=name, RecoveryWindowInDays=self._recovery_days())
            except self._client.exceptions.ClientError as error:
                if code_of(error) not in {_GONE, _DELETED}:
                    raise

    def names(self, prefix: str) -> list[str]:
        filters = [{"Key": "name", "Values": [prefix]}] if prefix else []
        with self._translated("ListSecrets", "*"):
            pages = self._client.get_paginator("list_secrets").paginate(Filters=filters, MaxResults=100)
            found = [item["Name"] for page in pages for item in page["SecretList"]]
        return sorted(name for name in found if name.startswith(prefix))

    def __repr__(self) -> str:
        return f"AwsSecretsManager({self._plain.get('region')})"

    def _one(self, name: str) -> dict[str, Secret]:
        try:
            return {name: self.get(name)}
        except NotFound:
            return {}

    def _try_put(self, name: str, value: Secret) -> bool:
        """Write; False when the secret had to be recovered, or somebody made it meanwhile: then once more."""
        with self._translated("PutSecretValue", name):
            try:
                self._client.put_secret_value(SecretId=name, SecretString=value.reveal())
            except self._client.exceptions.ClientError as error:
                code = code_of(error)
                if code not in {_GONE, _DELETED}:
                    raise
            else:
                return True
        return self._create(name, value) if code == _GONE else self._restore(name)

    def _create(self, name: str, value: Secret) -> bool:
        more: dict[str, Any] = {"KmsKeyId": key} if (key := self._plain.get("kms_key_id")) else {}
        with self._translated("CreateSecret", name):
            try:
                self._client.create_secret(Name=name, SecretString=value.reveal(), **more)
            except self._client.exceptions.ClientError as error:
                if code_of(error) not in {"ResourceExistsException", _DELETED}:
                    raise
                return False
        return True

    def _restore(self, name: str) -> bool:
        with self._translated("RestoreSecret", name):
            try:
                self._client.restore_secret(SecretId=name)
            except self._client.exceptions.ClientError as error:
                if code_of(error) not in {_GONE, _DELETED}:
                    raise
        return False

    def _recovery_days(self) -> int:
        return int(self._plain.get("recovery_days") or 7)

    def _check(self, name: str) -> str:
        return check_name(SERVICE, name, _NAME.fullmatch, "1 to 512 of letters, digits and /_+=.@-")

    def _translated(self, action: str, resource: str) -> Any:
        return translated(SERVICE, f"secretsmanager:{action}", resource, self._plain)


def _text(answer: Any) -> Secret:
    if "SecretString" in answer:
        return Secret(answer["SecretString"])
    return Secret(answer["SecretBinary"].decode(errors="replace"))
