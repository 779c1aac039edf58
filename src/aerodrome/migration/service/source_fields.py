"""Fields that several kinds of source share: files on the platform's machine, and the login of a cloud account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.cloud.contract import CloudLogin

FOLDERS = ("dags_folder", "plugins_folder", "include_folder")
FILES = ("requirements_file", "config_file", "env_file")
LOGIN_SETTINGS = ("region", "profile", "role_arn", "endpoint_url", "access_key_id")
LOGIN_SECRETS = ("secret_access_key", "session_token", "service_account_key")
Secrets = Callable[[str], Secret]
"""Gives a stored secret of the migration by its name."""


class HasFiles(Protocol):
    """A source whose code and surroundings are files here."""

    @property
    def dags_folder(self) -> str: ...


def check_files(source: HasFiles) -> None:
    """Raise Invalid `source-path-missing` naming the first field whose folder or file is not there."""
    for name in (*FOLDERS, *FILES):
        check_exists(name, getattr(source, name))


def plain_files(source: HasFiles) -> dict[str, Any]:
    return {name: getattr(source, name) for name in (*FOLDERS, *FILES)}


def stored_files(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plain.get(name) for name in (*FOLDERS, *FILES)}


def file_paths(source: HasFiles) -> dict[str, Any]:
    """Give them as source configurations take them."""
    return {name: Path(text) if (text := getattr(source, name)) else None for name in (*FOLDERS, *FILES)}


def check_exists(name: str, text: str | None) -> None:
    if text is None:
        return
    path = Path(text)
    exists = path.is_dir() if name in FOLDERS else path.is_file()
    if not exists:
        raise Invalid(
            f"{name}: there is no {'folder' if name in FOLDERS else 'file'} {text}.",
            code="source-path-missing",
            hint="Name a path on the machine that runs `aerodrome serve`.",
            details={"field": name},
        )


def login_from(fields: Mapping[str, str | None]) -> CloudLogin:
    """Make a login of what a form or a request says. Invalid `field-missing` for half of a key pair."""
    credentials = {name: Secret(value) for name in LOGIN_SECRETS if (value := fields.get(name))}
    for one, other in (("access_key_id", "secret_access_key"), ("secret_access_key", "access_key_id")):
        if fields.get(one) and not fields.get(other):
            raise Invalid(
                f"{other} is missing.",
                code="field-missing",
                hint="Give both halves of the access key, or neither: then the role or profile of the machine is used.",
                details={"field": other},
            )
    return CloudLogin({name: value for name in LOGIN_SETTINGS if (value := fields.get(name))}, credentials)


def plain_login(login: CloudLogin) -> dict[str, Any]:
    """Give what may be stored and shown, and which secrets there are."""
    return {**login.settings, "credentials": sorted(login.credentials)}


def stored_login(plain: Mapping[str, Any], secret: Secrets) -> CloudLogin:
    names = plain.get("credentials") or ()
    settings = {name: value for name in LOGIN_SETTINGS if (value := plain.get(name))}
    return CloudLogin(settings, {name: secret(name) for name in names})


def needed(kind: str, fields: Mapping[str, str | None], name: str) -> str:
    """Give a field that the kind cannot do without; Invalid `field-missing` naming it."""
    value = fields.get(name)
    if not value:
        raise Invalid(
            f"{name} is missing.",
            code="field-missing",
            hint=f"A source of the kind {kind} needs it.",
            details={"field": name},
        )
    return value
