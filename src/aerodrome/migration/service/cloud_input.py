"""What a person says about a managed environment (Amazon MWAA, Google Cloud Composer), checked; and how it is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.service.source_fields import Secrets, login_from, needed, plain_login, stored_login
from aerodrome.migration.service.source_input import ArchiveInput
from aerodrome.migration.sources.cloud.contract import CloudLogin
from aerodrome.migration.sources.contract import CloudConfig

_NAMES = {
    "mwaa": re.compile(r"[a-zA-Z][0-9a-zA-Z_-]{0,79}"),
    "composer": re.compile(r"projects/[a-z0-9:.-]+/locations/[a-z0-9-]+/environments/[a-z0-9-]+"),
}


@dataclass(frozen=True)
class CloudInput:
    """A managed environment by its name, the account that may read it, and an archive of it where there is one."""

    kind: str  # "mwaa" | "composer"
    environment: str
    login: CloudLogin = field(default_factory=CloudLogin)
    archive: ArchiveInput | None = None

    def checked(self) -> Self:
        """Give the input back when it can be used; Invalid naming the field otherwise."""
        if not _NAMES[self.kind].fullmatch(self.environment):
            raise Invalid(
                f"environment: {self.environment[:100]} is no name of an environment.",
                code="source-environment-malformed",
                hint="MWAA: its name. Composer: projects/PROJECT/locations/REGION/environments/NAME.",
                details={"field": "environment"},
            )
        if self.kind == "mwaa" and not self.login.get("region"):
            raise Invalid(
                "region is missing.",
                code="field-missing",
                hint="Give the AWS region of the environment, such as eu-west-1.",
                details={"field": "region"},
            )
        if self.archive is not None:
            self.archive.checked()
        return self

    def plain(self) -> dict[str, Any]:
        """Give the part that may be stored and shown."""
        region = self.login.get("region")
        return {
            "kind": self.kind,
            "label": f"{self.environment} ({region})" if region else self.environment,
            "environment": self.environment,
            **plain_login(self.login),
            "archive": self.archive.archive if self.archive else None,
            "has_key": bool(self.archive and self.archive.key),
        }

    def secrets(self) -> dict[str, Secret]:
        found = dict(self.login.credentials)
        return {**found, "archive_key": self.archive.key} if self.archive and self.archive.key else found

    @classmethod
    def restored(cls, plain: Mapping[str, Any], secret: Secrets) -> Self:
        login = stored_login(plain, secret)
        archive = ArchiveInput.restored(plain, secret) if plain.get("archive") else None
        return cls(plain["kind"], plain["environment"], login, archive)

    @classmethod
    def of(cls, kind: str, fields: Mapping[str, str | None]) -> Self:
        """Make it of what a form or a request says."""
        archive = ArchiveInput.of(kind, fields) if fields.get("archive") else None
        return cls(kind, needed(kind, fields, "environment"), login_from(fields), archive)

    def config(self, name: str, folder: Path) -> CloudConfig:
        """Give what source adapters take."""
        archive = self.archive.config(name, folder) if self.archive else None
        return CloudConfig(self.kind, name, self.environment, self.login, folder / "source", archive)
