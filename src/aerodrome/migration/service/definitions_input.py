"""What a person says about an estate of Oozie or Control-M definitions, checked, and how it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.convert.registry import read_profile
from aerodrome.migration.service.source_fields import Secrets, check_exists, needed
from aerodrome.migration.sources.contract import DefinitionsConfig
from aerodrome.migration.sources.definitions.boundaries import FILE


@dataclass(frozen=True)
class DefinitionsInput:
    """A folder (or one file) of definitions, the profile file, and for Oozie its address where it may be asked.

    Paths are on the platform's machine.
    """

    kind: str  # "oozie" | "controlm"
    definitions: str
    profile_file: str | None = None
    server_url: str = ""
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))

    def checked(self) -> Self:
        """Give the input back when it can be used; Invalid naming the field otherwise."""
        if not Path(self.definitions).exists():
            raise Invalid(
                f"definitions: there is no folder or file {self.definitions}.",
                code="source-path-missing",
                hint="Name a path on the machine that runs `aerodrome serve`.",
                details={"field": "definitions"},
            )
        check_exists("profile_file", self.profile_file)
        read_profile(Path(self.profile_file) if self.profile_file else None)
        if self.server_url:
            self._check_server()
        return self

    def _check_server(self) -> None:
        if self.kind != "oozie":
            raise Invalid(
                "server_url: only Oozie can be asked.",
                code="source-address-malformed",
                hint="Leave it out: people hold the jobs of Control-M and confirm it.",
                details={"field": "server_url"},
            )
        parts = urlsplit(self.server_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            raise Invalid(
                "server_url: it must be https://host:port/oozie, without user and password.",
                code="source-address-malformed",
                hint="Give what the variable OOZIE_URL holds.",
                details={"field": "server_url"},
            )

    def plain(self) -> dict[str, Any]:
        """Give the part that may be stored and shown."""
        return {
            "kind": self.kind,
            "label": self.definitions,
            "definitions": self.definitions,
            "profile_file": self.profile_file,
            "server_url": self.server_url,
            "user": self.user,
            "has_password": bool(self.password),
        }

    def secrets(self) -> dict[str, Secret]:
        return {"server_password": self.password} if self.password else {}

    @classmethod
    def restored(cls, plain: Mapping[str, Any], secret: Secrets) -> Self:
        password = secret("server_password") if plain["has_password"] else Secret("")
        return cls(
            plain["kind"], plain["definitions"], plain["profile_file"], plain["server_url"], plain["user"], password
        )

    @classmethod
    def of(cls, kind: str, fields: Mapping[str, str | None]) -> Self:
        return cls(
            kind=kind,
            definitions=needed(kind, fields, "definitions"),
            profile_file=fields.get("profile_file") or None,
            server_url=fields.get("server_url") or "",
            user=fields.get("user") or "",
            password=Secret(fields.get("password") or ""),
        )

    def config(self, name: str, folder: Path) -> DefinitionsConfig:
        """Give what the source adapter takes; the boundaries lie in the migration's folder."""
        profile = Path(self.profile_file) if self.profile_file else None
        return DefinitionsConfig(
            self.kind, name, Path(self.definitions), folder / FILE, profile, self.server_url, self.user, self.password
        )
