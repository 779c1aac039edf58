"""The platform's own secrets in a service: opened and probed at the start, with an error that says what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.rooms.secretstores.servers.vault import ROOT, VaultServer, vault_server

from aerodrome.bootstrap.secrets import open_secrets
from aerodrome.kernel.errors import Conflict, Denied, Invalid, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores import LocalSecretStore, open_keyring
from aerodrome.settings.model import Settings
from aerodrome.store import Store


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    with vault_server() as server:
        yield server


def settings(vault: VaultServer, token: str = ROOT) -> Settings:
    return Settings(
        secrets_store="vault",
        secrets_settings={"url": vault.url},
        secrets_credentials=json.dumps({"token": token}),
    )


def test_local_is_the_default(store: Store, tmp_path: Path) -> None:
    assert isinstance(open_secrets(Settings(), store, open_keyring(tmp_path)), LocalSecretStore)


def test_secrets_live_in_the_service(store: Store, tmp_path: Path, vault: VaultServer) -> None:
    secrets = open_secrets(settings(vault), store, open_keyring(tmp_path))
    secrets.put("deployment/1/fernet-key", Secret("canary"))
    assert vault.versions["secret", "aerodrome/deployment/1/fernet-key"] == [{"value": "canary"}]
    assert LocalSecretStore(store, open_keyring(tmp_path)).list("") == []


def test_credentials_come_from_a_file(store: Store, tmp_path: Path, vault: VaultServer) -> None:
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps({"secret_id": "canary-secret-id"}))
    chosen = Settings(
        secrets_store="vault",
        secrets_settings={"url": vault.url, "auth": "approle", "role_id": "role-1"},
        secrets_credentials_file=file,
    )
    open_secrets(chosen, store, open_keyring(tmp_path)).put("a", Secret("x"))
    assert vault.logins == 1


def test_the_start_says_what_is_wrong(store: Store, tmp_path: Path, vault: VaultServer) -> None:
    keyring = open_keyring(tmp_path)
    with pytest.raises(Denied) as refused:
        open_secrets(settings(vault, "hvs.canary-unknown"), store, keyring)
    assert refused.value.code == "backend-sign-in-failed"
    with pytest.raises(Invalid, match="AERODROME_SECRETS_SETTINGS"):
        open_secrets(Settings(secrets_store="vault"), store, keyring)
    with pytest.raises(Invalid, match="no JSON object"):
        open_secrets(Settings(secrets_store="vault", secrets_credentials="canary"), store, keyring)
    vault.is_sealed = True
    with pytest.raises(Unavailable):
        open_secrets(settings(vault), store, keyring)
    assert "canary" not in str(refused.value.as_data()) + repr(settings(vault))


def test_values_are_not_left_behind_silently(store: Store, tmp_path: Path, vault: VaultServer) -> None:
    keyring = open_keyring(tmp_path)
    LocalSecretStore(store, keyring).put("deployment/1/fernet-key", Secret("x"))
    with pytest.raises(Conflict) as caught:
        open_secrets(settings(vault), store, keyring)
    assert caught.value.code == "secrets-store-changed"
