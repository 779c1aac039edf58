"""AWS SSM Parameter Store, values as SecureString. Small: 4 KB in the standard tier, 8 KB in the advanced one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.aws import code_of, make_client, translated
from aerodrome.secretstores.contract import missing
from aerodrome.secretstores.vendor import Plain, check_name, check_size

SERVICE: Final = "AWS SSM Parameter Store"
_NAME: Final = re.compile(r"(?!/?(aws|ssm)([/._-]|$))/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+){0,14}", re.IGNORECASE)
_BATCH: Final = 10  # most of one GetParameters
_TIERS: Final = {"standard": "Standard", "advanced": "Advanced", "intelligent-tiering": "Intelligent-Tiering"}


class AwsParameterStore:
    """A Vendor on boto3."""

    def __init__(self, plain: Plain) -> None:
        self._plain = plain
        self._tier = plain.get("tier") or "standard"
        self._client = make_client("ssm", plain)

    @property
    def max_value_bytes(self) -> int:
        return 4096 if self._tier == "standard" else 8192

    def get(self, name: str, *, as_fields: bool = False) -> Secret:  # noqa: ARG002
        self._check(name)
        with self._translated("GetParameter", name):
            try:
                answer = self._client.get_parameter(Name=name, WithDecryption=True)
            except self._client.exceptions.ClientError as error:
                if code_of(error) == "ParameterNotFound":
                    raise missing(name) from None
                raise
        return Secret(answer["Parameter"]["Value"])

    def get_many(self, names: Sequence[str], *, as_fields: bool = False) -> dict[str, Secret]:  # noqa: ARG002
        found: dict[str, Secret] = {}
        for start in range(0, len(names), _BATCH):
            chunk = [self._check(name) for name in names[start : start + _BATCH]]
            with self._translated("GetParameters", chunk[0]):
                answer = self._client.get_parameters(Names=chunk, WithDecryption=True)
            found |= {item["Name"]: Secret(item["Value"]) for item in answer["Parameters"]}
        return found

    def put(self, name: str, value: Secret, *, as_fields: bool = False) -> None:  # noqa: ARG002
        larger = "Set the tier to advanced (8 KB)." if self._tier == "standard" else "Take AWS Secrets Manager for it."
        check_size(f"{SERVICE} ({self._tier} tier)", self._check(name), value, self.max_value_bytes, larger)
        more: dict[str, Any] = {"KeyId": key} if (key := self._plain.get("kms_key_id")) else {}
        with self._translated("PutParameter", name):
            self._client.put_parameter(
                Name=name, Value=value.reveal(), Type="SecureString", Overwrite=True, Tier=_TIERS[self._tier], **more
            )

    def delete(self, name: str) -> None:
        self._check(name)
        with self._translated("DeleteParameter", name):
            try:
                self._client.delete_parameter(Name=name)
            except self._client.exceptions.ClientError as error:
                if code_of(error) != "ParameterNotFound":
                    raise

    def names(self, prefix: str) -> list[str]:
        folder = prefix.rpartition("/")[0] or "/"
        with self._translated("GetParametersByPath", folder):
            pages = self._client.get_paginator("get_parameters_by_path").paginate(
                Path=folder, Recursive=True, WithDecryption=False
            )
            found = [item["Name"] for page in pages for item in page["Parameters"]]
        return sorted(name for name in found if name.startswith(prefix))

    def __repr__(self) -> str:
        return f"AwsParameterStore({self._plain.get('region')})"

    def _check(self, name: str) -> str:
        rule = "up to 15 parts of letters, digits and _.- with / between them, not beginning with aws or ssm"
        return check_name(SERVICE, name, lambda text: len(text) <= 1011 and _NAME.fullmatch(text), rule)

    def _translated(self, action: str, resource: str) -> Any:
        return translated(SERVICE, f"ssm:{action}", resource, self._plain)
