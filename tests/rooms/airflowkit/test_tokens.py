"""Tokens: signed so that another library accepts them, short-lived, and the key set tells no private half."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import OKPKey

from aerodrome.airflowkit.tokens import AUDIENCE, key_id, mint, new_signing_key, public_key_set
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret


def decode(token: Secret, jwk: dict[str, Any]) -> jwt.Token:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # RFC 9864 renames EdDSA; Airflow knows the old name only
        return jwt.decode(token.reveal(), OKPKey.import_key(jwk), algorithms=["EdDSA"])


def test_a_token_says_who_and_how_long() -> None:
    key = new_signing_key()
    (jwk,) = public_key_set(key)["keys"]
    token = decode(mint(key, "ann", "viewer", 60), jwk)
    assert token.header["kid"] == jwk["kid"] == key_id(key) == OKPKey.import_key(key.reveal()).thumbprint()
    assert token.claims["sub"] == "ann"
    assert token.claims["role"] == "viewer"
    assert token.claims["aud"] == AUDIENCE
    assert token.claims["exp"] - token.claims["iat"] == 60


def test_another_key_does_not_fit() -> None:
    (jwk,) = public_key_set(new_signing_key())["keys"]
    with pytest.raises(BadSignatureError):
        decode(mint(new_signing_key(), "ann", "admin"), jwk)


def test_the_key_set_holds_public_halves_only() -> None:
    keys = public_key_set(new_signing_key(), new_signing_key())["keys"]
    assert len({key["kid"] for key in keys}) == 2
    assert all('"d"' not in json.dumps(key) for key in keys)


def test_a_wrong_key_is_refused_without_being_shown() -> None:
    with pytest.raises(Invalid) as caught:
        mint(Secret("canary-key"), "ann", "admin")
    assert "canary-key" not in str(caught.value)
