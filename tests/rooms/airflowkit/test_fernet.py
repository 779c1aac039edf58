"""Connections must arrive re-encrypted: what Airflow wrote we read, what we write Airflow reads."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from aerodrome.airflowkit.fernet import AirflowFernet
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_round_trip_under_rotated_keys() -> None:
    text, is_encrypted = AirflowFernet(Secret(OLD)).encrypt(Secret("p@ss"))
    assert is_encrypted
    assert AirflowFernet(Secret(f"{NEW}, {OLD}")).decrypt(text, is_encrypted=True).reveal() == "p@ss"


def test_without_key_values_stand_in_the_open() -> None:
    fernet = AirflowFernet(Secret(""))
    assert not fernet.has_key
    assert fernet.encrypt(Secret("x")) == ("x", False)
    assert fernet.decrypt("x", is_encrypted=False).reveal() == "x"


@pytest.mark.parametrize(
    ("keys", "code"),
    [("", "fernet-key-missing"), (NEW, "fernet-key-wrong"), ("short-canary", "fernet-key-malformed")],
    ids=["missing", "wrong", "malformed"],  # the same in every process
)
def test_wrong_keys_are_told_without_showing_anything(keys: str, code: str) -> None:
    text, _ = AirflowFernet(Secret(OLD)).encrypt(Secret("p@ss"))
    with pytest.raises(Invalid) as error:
        AirflowFernet(Secret(keys)).decrypt(text, is_encrypted=True)
    assert error.value.code == code
    assert "canary" not in str(error.value)
    assert text not in str(error.value)
