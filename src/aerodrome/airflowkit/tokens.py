"""Keys and short-lived API tokens of one deployment.

The control plane holds an Ed25519 private key per deployment and signs a token per request or page; the deployment holds only
the public half, in its key set. Airflow >= 3.0 reads such tokens by itself (`[api_auth] trusted_jwks_url`, measured on 3.3.2);
for 2.x `aerodrome_airflow.webserver2` reads the same ones.
"""

from __future__ import annotations

import json
import time
import uuid
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any, Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret

AUDIENCE = "apache-airflow"  # default of [api_auth] jwt_audience, Airflow 3.3.2
Role = Literal["viewer", "user", "op", "admin"]


def new_signing_key() -> Secret:
    """Make an Ed25519 private key, PEM (PKCS 8)."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Secret(pem.decode())


def key_id(signing_key: Secret) -> str:
    """Give the key's RFC 7638 thumbprint, by which a key set names it."""
    return _thumbprint(_public_jwk(_load(signing_key)))


def public_key_set(*signing_keys: Secret) -> dict[str, Any]:
    """Give a JWK set with the public halves only."""
    jwks = [_public_jwk(_load(signing_key)) for signing_key in signing_keys]
    return {"keys": [{**jwk, "kid": _thumbprint(jwk), "alg": "EdDSA", "use": "sig"} for jwk in jwks]}


def mint(signing_key: Secret, subject: str, role: Role, ttl_s: float = 300) -> Secret:
    """Sign a token that lets its bearer act in that role for `ttl_s` seconds; it is never stored."""
    key = _load(signing_key)
    now = int(time.time())
    header = {"alg": "EdDSA", "kid": _thumbprint(_public_jwk(key)), "typ": "JWT"}
    claims = {
        "sub": subject,
        "role": role,
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + int(ttl_s),
        "jti": uuid.uuid4().hex,
    }
    signed = f"{_encode_json(header)}.{_encode_json(claims)}"
    return Secret(f"{signed}.{_encode(key.sign(signed.encode()))}")


def _load(signing_key: Secret) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(signing_key.reveal().encode(), password=None)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise Invalid("The signing key is not an Ed25519 private key.", code="signing-key-malformed")
    return key


def _public_jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"crv": "Ed25519", "kty": "OKP", "x": _encode(raw)}


def _thumbprint(jwk: dict[str, str]) -> str:
    return _encode(sha256(json.dumps(jwk, separators=(",", ":"), sort_keys=True).encode()).digest())


def _encode_json(value: dict[str, Any]) -> str:
    return _encode(json.dumps(value, separators=(",", ":")).encode())


def _encode(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")
