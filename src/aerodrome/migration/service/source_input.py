"""What a person says about a source, checked; and how it is kept: plain part in the row, secrets in the secret store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from aerodrome.airflowkit.metadata import label_of
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.service.source_fields import (
    FILES,
    FOLDERS,
    Secrets,
    check_exists,
    check_files,
    file_paths,
    login_from,
    needed,
    plain_files,
    plain_login,
    stored_files,
    stored_login,
)
from aerodrome.migration.sources.airflow_archive.sealing import public_half
from aerodrome.migration.sources.cloud.contract import CloudLogin, is_url, parts_of
from aerodrome.migration.sources.cloud.files import CloudFile
from aerodrome.migration.sources.contract import ArchiveConfig, RestConfig, SourceConfig


@dataclass(frozen=True)
class SourceInput:
    """How to read a self-managed Airflow's metadata database. Paths are on the platform's machine."""

    database_url: Secret
    dags_folder: str
    kind: str = "airflow-db"
    fernet_keys: Secret = field(default_factory=lambda: Secret(""))
    plugins_folder: str | None = None
    include_folder: str | None = None
    requirements_file: str | None = None
    config_file: str | None = None
    env_file: str | None = None

    def checked(self) -> Self:
        """Give the input back when every named folder and file exists; Invalid naming the field otherwise."""
        check_files(self)
        return self

    def plain(self) -> dict[str, Any]:
        """Give the part that may be stored and shown: no secret; of the database URL only where it is."""
        return {"kind": self.kind, "label": label_of(self.database_url), **plain_files(self)}

    def secrets(self) -> dict[str, Secret]:
        """Give the part that the secret store keeps."""
        return {"database_url": self.database_url, "fernet_keys": self.fernet_keys}

    @classmethod
    def restored(cls, plain: Mapping[str, Any], secret: Secrets) -> Self:
        """Put the stored parts together again."""
        files = stored_files(plain)
        return cls(kind=plain["kind"], database_url=secret("database_url"), fernet_keys=secret("fernet_keys"), **files)

    @classmethod
    def of(cls, kind: str, fields: Mapping[str, str | None]) -> Self:
        """Make it of what a form or a request says; Invalid `field-missing` naming a field that the kind needs."""
        return cls(
            database_url=Secret(needed(kind, fields, "database_url")),
            fernet_keys=Secret(fields.get("fernet_keys") or ""),
            **_files_of(kind, fields),
        )

    def config(self, name: str, folder: Path) -> SourceConfig:
        """Give what source adapters take."""
        del folder
        return SourceConfig(self.kind, name, self.database_url, self.fernet_keys, **file_paths(self))


@dataclass(frozen=True)
class ArchiveInput:
    """An archive that an exporter script wrote, and the private key that opens it; without one, the platform's own opens it.

    It lies on the platform's machine, or in S3 or Google Cloud Storage, where `login` may read it.
    """

    archive: str
    key: Secret = field(default_factory=lambda: Secret(""))
    login: CloudLogin = field(default_factory=CloudLogin)
    kind: str = "airflow-archive"

    def checked(self) -> Self:
        """Give the input back when the file exists and the key is one; Invalid naming the field otherwise."""
        if is_url(self.archive):
            parts_of(self.archive)
        else:
            check_exists("archive", self.archive)
        if self.key:
            public_half(self.key)
        return self

    def plain(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "label": self.archive,
            "archive": self.archive,
            "has_key": bool(self.key),
            **plain_login(self.login),
        }

    def secrets(self) -> dict[str, Secret]:
        found = dict(self.login.credentials)
        return {**found, "archive_key": self.key} if self.key else found

    @classmethod
    def restored(cls, plain: Mapping[str, Any], secret: Secrets) -> Self:
        key = secret("archive_key") if plain.get("has_key", True) else Secret("")
        return cls(plain["archive"], key, stored_login(plain, secret))

    @classmethod
    def of(cls, kind: str, fields: Mapping[str, str | None]) -> Self:
        archive = needed(kind, fields, "archive")
        login = login_from(fields) if is_url(archive) else CloudLogin()
        return cls(archive, Secret(fields.get("archive_key") or ""), login)

    def config(self, name: str, folder: Path) -> ArchiveConfig:
        place = CloudFile(self.archive, self.login) if is_url(self.archive) else Path(self.archive)
        return ArchiveConfig(name=name, archive=place, key=self.key, unpacked=folder / "archive")


@dataclass(frozen=True)
class RestInput:
    """An Airflow with its REST API, or with the Starship plugin: a user with a password, or a token; its files lie here."""

    base_url: str
    dags_folder: str
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    token: Secret = field(default_factory=lambda: Secret(""))
    kind: str = "airflow-rest"
    plugins_folder: str | None = None
    include_folder: str | None = None
    requirements_file: str | None = None
    config_file: str | None = None
    env_file: str | None = None

    def checked(self) -> Self:
        """Give the input back when it can be used; Invalid naming the field otherwise."""
        check_files(self)
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            raise Invalid(
                "base_url: it must be https://host, with a path if there is one, and without user and password.",
                code="source-address-malformed",
                hint="Give the address of Airflow's web server, as you open it in a browser.",
                details={"field": "base_url"},
            )
        if not self.token and not (self.user and self.password):
            raise Invalid(
                "user: a user with a password, or a token is missing.",
                code="field-missing",
                hint="Give one of them.",
                details={"field": "user"},
            )
        return self

    def plain(self) -> dict[str, Any]:
        place = {"kind": self.kind, "label": self.base_url, "base_url": self.base_url, "user": self.user}
        return {**place, **plain_files(self)}

    def secrets(self) -> dict[str, Secret]:
        return {"rest_password": self.password, "rest_token": self.token}

    @classmethod
    def restored(cls, plain: Mapping[str, Any], secret: Secrets) -> Self:
        return cls(
            base_url=plain["base_url"],
            user=plain["user"],
            password=secret("rest_password"),
            token=secret("rest_token"),
            kind=plain["kind"],
            **stored_files(plain),
        )

    @classmethod
    def of(cls, kind: str, fields: Mapping[str, str | None]) -> Self:
        return cls(
            base_url=needed(kind, fields, "base_url"),
            user=fields.get("user") or "",
            password=Secret(fields.get("password") or ""),
            token=Secret(fields.get("token") or ""),
            kind=kind,
            **_files_of(kind, fields),
        )

    def config(self, name: str, folder: Path) -> RestConfig:
        del folder
        return RestConfig(name, self.base_url, self.user, self.password, self.token, kind=self.kind, **file_paths(self))


def _files_of(kind: str, fields: Mapping[str, str | None]) -> dict[str, Any]:
    given: dict[str, Any] = {name: fields.get(name) or None for name in (*FOLDERS, *FILES)}
    return {**given, "dags_folder": needed(kind, fields, "dags_folder")}
