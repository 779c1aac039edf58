"""What a person says about a source, checked; and how it is kept: plain part in the row, secrets in the secret store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from aerodrome.airflowkit.metadata import label_of
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_archive.sealing import public_half
from aerodrome.migration.sources.contract import AnySourceConfig, ArchiveConfig, RestConfig, SourceConfig
from aerodrome.migration.sources.registry import unknown_kind

_FOLDERS = ("dags_folder", "plugins_folder", "include_folder")
_FILES = ("requirements_file", "config_file", "env_file")
Secrets = Callable[[str], Secret]
"""Gives a stored secret of the migration by its name."""


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
        for name in (*_FOLDERS, *_FILES):
            _exists(name, getattr(self, name))
        return self

    def plain(self) -> dict[str, Any]:
        """Give the part that may be stored and shown: no secret; of the database URL only where it is."""
        paths = {name: getattr(self, name) for name in (*_FOLDERS, *_FILES)}
        return {"kind": self.kind, "label": label_of(self.database_url), **paths}

    def secrets(self) -> dict[str, Secret]:
        """Give the part that the secret store keeps."""
        return {"database_url": self.database_url, "fernet_keys": self.fernet_keys}

    @classmethod
    def restored(cls, plain: Mapping[str, Any], secret: Secrets) -> Self:
        """Put the stored parts together again."""
        paths: dict[str, Any] = {name: plain.get(name) for name in (*_FOLDERS, *_FILES)}
        return cls(kind=plain["kind"], database_url=secret("database_url"), fernet_keys=secret("fernet_keys"), **paths)

    def config(self, name: str, folder: Path) -> AnySourceConfig:
        """Give what source adapters take."""
        del folder
        return SourceConfig(
            kind=self.kind,
            name=name,
            database_url=self.database_url,
            fernet_keys=self.fernet_keys,
            dags_folder=Path(self.dags_folder),
            plugins_folder=_path(self.plugins_folder),
            include_folder=_path(self.include_folder),
            requirements_file=_path(self.requirements_file),
            config_file=_path(self.config_file),
            env_file=_path(self.env_file),
        )


@dataclass(frozen=True)
class ArchiveInput:
    """An archive that an exporter script wrote, and the private key that opens it; without one, the platform's own opens it."""

    archive: str
    key: Secret = field(default_factory=lambda: Secret(""))
    kind: str = "airflow-archive"

    def checked(self) -> Self:
        """Give the input back when the file exists and the key is one; Invalid naming the field otherwise."""
        _exists("archive", self.archive)
        if self.key:
            public_half(self.key)
        return self

    def plain(self) -> dict[str, Any]:
        return {"kind": self.kind, "label": self.archive, "archive": self.archive}

    def secrets(self) -> dict[str, Secret]:
        return {"archive_key": self.key}

    @classmethod
    def restored(cls, plain: Mapping[str, Any], secret: Secrets) -> Self:
        return cls(archive=plain["archive"], key=secret("archive_key"))

    def config(self, name: str, folder: Path) -> AnySourceConfig:
        return ArchiveConfig(name=name, archive=Path(self.archive), key=self.key, unpacked=folder / "archive")


@dataclass(frozen=True)
class RestInput:
    """An Airflow with its REST API: a user with a password, or a token; its files on the platform's machine."""

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
        for name in (*_FOLDERS, *_FILES):
            _exists(name, getattr(self, name))
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
        paths = {name: getattr(self, name) for name in (*_FOLDERS, *_FILES)}
        return {"kind": self.kind, "label": self.base_url, "base_url": self.base_url, "user": self.user, **paths}

    def secrets(self) -> dict[str, Secret]:
        return {"rest_password": self.password, "rest_token": self.token}

    @classmethod
    def restored(cls, plain: Mapping[str, Any], secret: Secrets) -> Self:
        paths: dict[str, Any] = {name: plain.get(name) for name in (*_FOLDERS, *_FILES)}
        return cls(
            base_url=plain["base_url"],
            user=plain["user"],
            password=secret("rest_password"),
            token=secret("rest_token"),
            **paths,
        )

    def config(self, name: str, folder: Path) -> AnySourceConfig:
        del folder
        return RestConfig(
            name=name,
            base_url=self.base_url,
            user=self.user,
            password=self.password,
            token=self.token,
            dags_folder=Path(self.dags_folder),
            plugins_folder=_path(self.plugins_folder),
            include_folder=_path(self.include_folder),
            requirements_file=_path(self.requirements_file),
            config_file=_path(self.config_file),
            env_file=_path(self.env_file),
        )


AnySourceInput = SourceInput | ArchiveInput | RestInput
_INPUTS: dict[str, type[AnySourceInput]] = {
    "airflow-db": SourceInput,
    "airflow-rest": RestInput,
    "airflow-archive": ArchiveInput,
}


def restored(plain: Mapping[str, Any], secret: Secrets) -> AnySourceInput:
    """Put the stored parts of a source of any kind together again."""
    found = _INPUTS.get(plain["kind"])
    if found is None:
        raise unknown_kind(plain["kind"])
    return found.restored(plain, secret)


def from_fields(kind: str, fields: Mapping[str, str | None]) -> AnySourceInput:
    """Make a source of what a form or a request says; Invalid `field-missing` naming a field that the kind needs."""

    def needed(name: str) -> str:
        value = fields.get(name)
        if not value:
            raise Invalid(
                f"{name} is missing.",
                code="field-missing",
                hint=f"A source of the kind {kind} needs it.",
                details={"field": name},
            )
        return value

    if kind == "airflow-archive":
        return ArchiveInput(archive=needed("archive"), key=Secret(fields.get("archive_key") or ""))
    paths: dict[str, Any] = {name: fields.get(name) or None for name in (*_FOLDERS[1:], *_FILES)}
    if kind == "airflow-rest":
        return RestInput(
            base_url=needed("base_url"),
            dags_folder=needed("dags_folder"),
            user=fields.get("user") or "",
            password=Secret(fields.get("password") or ""),
            token=Secret(fields.get("token") or ""),
            **paths,
        )
    if kind != "airflow-db":
        raise unknown_kind(kind)
    return SourceInput(
        database_url=Secret(needed("database_url")),
        dags_folder=needed("dags_folder"),
        fernet_keys=Secret(fields.get("fernet_keys") or ""),
        **paths,
    )


def _exists(name: str, text: str | None) -> None:
    if text is None:
        return
    path = Path(text)
    exists = path.is_dir() if name in _FOLDERS else path.is_file()
    if not exists:
        raise Invalid(
            f"{name}: there is no {'folder' if name in _FOLDERS else 'file'} {text}.",
            code="source-path-missing",
            hint="Name a path on the machine that runs `aerodrome serve`.",
            details={"field": name},
        )


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
