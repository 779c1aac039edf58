"""What a person says about a source, checked; and how it is kept: plain part in the row, secrets in the secret store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aerodrome.airflowkit.metadata import label_of
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.contract import SourceConfig

_FOLDERS = ("dags_folder", "plugins_folder", "include_folder")
_FILES = ("requirements_file", "config_file", "env_file")


@dataclass(frozen=True)
class SourceInput:
    """How to reach a self-managed Airflow. Paths are on the platform's machine."""

    database_url: Secret
    dags_folder: str
    kind: str = "airflow-db"
    fernet_keys: Secret = field(default_factory=lambda: Secret(""))
    plugins_folder: str | None = None
    include_folder: str | None = None
    requirements_file: str | None = None
    config_file: str | None = None
    env_file: str | None = None

    def checked(self) -> SourceInput:
        """Give the input back when every named folder and file exists; Invalid naming the field otherwise."""
        for name in (*_FOLDERS, *_FILES):
            text = getattr(self, name)
            if text is None:
                continue
            path = Path(text)
            exists = path.is_dir() if name in _FOLDERS else path.is_file()
            if not exists:
                raise Invalid(
                    f"{name}: there is no {'folder' if name in _FOLDERS else 'file'} {text}.",
                    code="source-path-missing",
                    hint="Name a path on the machine that runs `aerodrome serve`.",
                    details={"field": name},
                )
        return self

    def plain(self) -> dict[str, Any]:
        """Give the part that may be stored and shown: no secret; of the database URL only where it is."""
        paths = {name: getattr(self, name) for name in (*_FOLDERS, *_FILES)}
        return {"kind": self.kind, "label": label_of(self.database_url), **paths}

    @classmethod
    def restored(cls, plain: Mapping[str, Any], database_url: Secret, fernet_keys: Secret) -> SourceInput:
        """Put the stored parts together again."""
        paths: dict[str, Any] = {name: plain.get(name) for name in (*_FOLDERS, *_FILES)}
        return cls(kind=plain["kind"], database_url=database_url, fernet_keys=fernet_keys, **paths)

    def config(self, name: str) -> SourceConfig:
        """Give what source adapters take."""

        def path(text: str | None) -> Path | None:
            return Path(text) if text else None

        return SourceConfig(
            kind=self.kind,
            name=name,
            database_url=self.database_url,
            fernet_keys=self.fernet_keys,
            dags_folder=Path(self.dags_folder),
            plugins_folder=path(self.plugins_folder),
            include_folder=path(self.include_folder),
            requirements_file=path(self.requirements_file),
            config_file=path(self.config_file),
            env_file=path(self.env_file),
        )
