"""The keys: made once, closed to others, the same for everybody who opens them."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aerodrome.kernel.errors import Broken
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.keyring import open_keyring


def test_files_are_closed_to_others(tmp_path: Path) -> None:
    open_keyring(tmp_path)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    files = sorted((tmp_path / "keys").iterdir())
    assert [file.name for file in files] == ["fingerprint.key", "keyring"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_an_exposed_key_is_refused(tmp_path: Path) -> None:
    open_keyring(tmp_path)
    (tmp_path / "keys" / "keyring").chmod(0o644)
    with pytest.raises(Broken) as caught:
        open_keyring(tmp_path)
    assert caught.value.code == "keyring-exposed"
    assert "chmod 600" in caught.value.hint


def test_a_damaged_key_is_told_without_showing_it(tmp_path: Path) -> None:
    open_keyring(tmp_path)
    path = tmp_path / "keys" / "keyring"
    path.write_text(path.read_text()[:20])
    with pytest.raises(Broken) as caught:
        open_keyring(tmp_path)
    assert caught.value.code == "keyring-damaged"
    assert path.read_text() not in str(caught.value)


def test_many_first_starts_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keyrings = list(pool.map(lambda _: open_keyring(tmp_path), range(16)))
    ciphertext = keyrings[0].encrypt("a", Secret("x"))
    assert {keyring.decrypt("a", ciphertext).reveal() for keyring in keyrings} == {"x"}
    assert len({keyring.fingerprint_key() for keyring in keyrings}) == 1
    assert len(list((tmp_path / "keys").iterdir())) == 2


def test_fingerprints_differ_between_platforms(tmp_path: Path) -> None:
    one, two = open_keyring(tmp_path / "1"), open_keyring(tmp_path / "2")
    secret = Secret("same")
    assert secret.fingerprint(one.fingerprint_key()) != secret.fingerprint(two.fingerprint_key())


def test_a_keyring_shows_no_key(tmp_path: Path) -> None:
    keyring = open_keyring(tmp_path)
    key = (tmp_path / "keys" / "keyring").read_text().strip()
    assert key not in repr(keyring) + str(keyring)
