"""The key pair of an export. The public half stands in the script; with the private half alone the archive can be read.

RSA-3072 with OAEP wraps a fresh AES-256-GCM key for each sitting of the exporter: both are in every `cryptography` that an
Airflow from 1.10 on brings. A frame is bound to its kind, name and number, so none can stand in another's place.
"""

from __future__ import annotations

import base64
import zlib
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret

KEY_BITS = 3072
_OAEP = padding.OAEP(mgf=padding.MGF1(algorithm=hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
MOST_BYTES = 1 << 30  # of one frame, unpacked; the exporter aims at 8 MiB


def new_key() -> Secret:
    """Make a private key, as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Secret(pem.decode())


def public_half(key: Secret) -> str:
    """Give the public key of a private one, as PEM."""
    public = _loaded(key).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, form).decode().strip()


def checked_public_key(text: str) -> str:
    """Give a public key as the script carries it. Invalid `archive-key-malformed`: it must be an RSA key in PEM form."""
    try:
        loaded = serialization.load_pem_public_key(text.encode())
    except (ValueError, TypeError):
        loaded = None
    if not isinstance(loaded, rsa.RSAPublicKey):
        raise Invalid(
            "This is no public key to which an archive can be sealed.",
            code="archive-key-malformed",
            hint="Take the one that `aerodrome migrate archive-key --out FILE` writes.",
        )
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return loaded.public_bytes(serialization.Encoding.PEM, form).decode().strip()


def key_id(public_key: str) -> str:
    """Name a public key; the archive says by it for whom it was made."""
    return sha256(public_key.strip().encode()).hexdigest()[:16]


def local_fernet_key(key: Secret) -> Secret:
    """Derive the key under which values that the source kept in the open lie here."""
    hkdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"aerodrome archive at rest")
    return Secret(base64.urlsafe_b64encode(hkdf.derive(key.reveal().encode())).decode())


def encrypted(fernet_key: Secret, text: str) -> str:
    return Fernet(fernet_key.reveal()).encrypt(text.encode(errors="surrogatepass")).decode()


class Opener:
    """Opens the frames of one sitting."""

    def __init__(self, key: Secret, sitting: dict[str, Any]) -> None:
        """Take the private key and the sitting's plain frame. Invalid `archive-key-wrong`."""
        wrong = Invalid(
            f"The archive was made for another key ({sitting.get('key_id')}).",
            code="archive-key-wrong",
            hint="Give the key file that `aerodrome export` wrote together with the script.",
        )
        private = _loaded(key)
        if sitting.get("key_id") != key_id(public_half(key)):
            raise wrong
        try:
            self._cipher = AESGCM(private.decrypt(base64.b64decode(sitting["key"]), _OAEP))
        except (ValueError, KeyError):
            raise wrong from None

    def open(self, kind: str, name: str, number: int, payload: bytes) -> bytes | None:
        """Give a frame's content; None when it is not what the exporter sealed there."""
        bound = f"{kind}/{name}/{number}".encode()
        try:
            packed = self._cipher.decrypt(number.to_bytes(12, "big"), payload, bound)
            unpacker = zlib.decompressobj()
            content = unpacker.decompress(packed, MOST_BYTES)
        except (InvalidTag, zlib.error):
            return None
        return content if unpacker.eof else None


def _loaded(key: Secret) -> rsa.RSAPrivateKey:
    try:
        loaded = serialization.load_pem_private_key(key.reveal().encode(), password=None)
    except (ValueError, TypeError):
        loaded = None
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise Invalid(
            "The key of the archive is no private key in PEM form.",
            code="archive-key-malformed",
            hint="Give the key file that `aerodrome export` wrote together with the script.",
        )
    return loaded
