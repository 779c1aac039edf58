"""Opens the platform's own secret store: the local one, or a service that the settings name."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aerodrome.kernel.errors import Conflict, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores import Keyring, LocalSecretStore, SecretStore
from aerodrome.secretstores.kinds import open_mapped
from aerodrome.settings.model import Settings
from aerodrome.store import Store


def open_secrets(settings: Settings, store: Store, keyring: Keyring) -> SecretStore:
    """Give the store. Invalid names the setting; Conflict when values stand in the local store that the service lacks."""
    local = LocalSecretStore(store, keyring)
    if settings.secrets_store == "local":
        return local
    credentials = _credentials(settings)
    try:
        chosen = open_mapped(settings.secrets_store, settings.secrets_settings, credentials, settings.secrets_root)
    except Invalid as error:
        name = "CREDENTIALS" if error.details.get("field") in credentials else "SETTINGS"
        raise Invalid(
            f"AERODROME_SECRETS_{name}: {error.message}", code=error.code, hint=error.hint, details=error.details
        ) from error
    chosen.probe()
    if (held := local.list("")) and (lacking := set(held) - set(chosen.list(""))):
        raise Conflict(
            f"{len(lacking)} secrets stand in the local store and not in {settings.secrets_store}.",
            code="secrets-store-changed",
            hint="Set AERODROME_SECRETS_STORE back to local. Another store is chosen before the first secret is kept.",
        )
    return chosen


def _credentials(settings: Settings) -> Mapping[str, Secret]:
    text = settings.secrets_credentials or ""
    if settings.secrets_credentials_file is not None:
        try:
            text = settings.secrets_credentials_file.read_text()
        except OSError as error:
            raise Invalid(
                f"{settings.secrets_credentials_file} cannot be read: {error.strerror}.",
                code="setting-invalid",
                hint="AERODROME_SECRETS_CREDENTIALS_FILE names a JSON file that the server may read.",
            ) from error
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Invalid(
            "The credentials of the secret store are no JSON object of texts.",
            code="setting-invalid",
            hint='Write them like {"secret_id": "…"}.',
        )
    return {name: Secret(value) for name, value in found.items()}
