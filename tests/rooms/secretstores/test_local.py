"""Secrets at rest: nobody who holds the database alone reads them, and a moved row does not decrypt."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from aerodrome.kernel.errors import Broken
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.conformance import SecretStoreConformance
from aerodrome.secretstores.contract import SecretStore
from aerodrome.secretstores.keyring import add_key, open_keyring
from aerodrome.secretstores.local import LocalSecretStore
from aerodrome.store import Store
from aerodrome.store.tables.secret import SecretRow


class TestLocalSecretStore(SecretStoreConformance):
    @pytest.fixture
    def secret_store(self, store: Store, tmp_path: Path) -> SecretStore:
        return LocalSecretStore(store, open_keyring(tmp_path))


def test_the_database_holds_no_plain_value(store: Store, tmp_path: Path) -> None:
    secrets = LocalSecretStore(store, open_keyring(tmp_path))
    secrets.put("a/b", Secret("canary-5d21"))
    with store.reading() as session:
        row = session.execute(text("select * from secret")).one()
    assert "canary-5d21" not in str(row)


def test_a_moved_row_does_not_decrypt(store: Store, tmp_path: Path) -> None:
    secrets = LocalSecretStore(store, open_keyring(tmp_path))
    secrets.put("deployment/1/key", Secret("one"))
    secrets.put("deployment/2/key", Secret("two"))
    with store.writing() as session:
        stolen = session.scalar(select(SecretRow.ciphertext).where(SecretRow.path == "deployment/1/key"))
        session.execute(update(SecretRow).where(SecretRow.path == "deployment/2/key").values(ciphertext=stolen))
    with pytest.raises(Broken) as caught:
        secrets.get("deployment/2/key")
    assert caught.value.code == "secret-misplaced"


def test_another_keyring_opens_nothing_and_probe_says_so(store: Store, tmp_path: Path) -> None:
    LocalSecretStore(store, open_keyring(tmp_path / "one")).put("a", Secret("x"))
    other = LocalSecretStore(store, open_keyring(tmp_path / "two"))
    for act in (other.probe, lambda: other.get("a")):
        with pytest.raises(Broken) as caught:
            act()
        assert caught.value.code == "keyring-mismatch"
        assert "keys" in caught.value.hint


def test_rotation_keeps_all_values(store: Store, tmp_path: Path) -> None:
    before = open_keyring(tmp_path)
    LocalSecretStore(store, before).put("a", Secret("x"))
    after = add_key(tmp_path)
    secrets = LocalSecretStore(store, after)
    assert secrets.get("a").reveal() == "x"
    assert secrets.renew_all() == 1
    assert secrets.get("a").reveal() == "x"
    with pytest.raises(Broken):
        LocalSecretStore(store, before).get("a")  # written with the new key, which the old keyring lacks
    assert after.fingerprint_key() == before.fingerprint_key()
