"""The secrets of a deployment: its keys, made at creation, in the secret store under `deployment/<id>/…`.

The values of its own environment objects lie below the same path (environments/drafting.py), so that they go with it.
"""

from __future__ import annotations

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aerodrome.fleet.context import Secrets
from aerodrome.kernel.errors import NotFound
from aerodrome.kernel.secret import Secret


class DeploymentVault:
    """The secrets of one deployment."""

    def __init__(self, secrets: Secrets, deployment_id: str) -> None:
        self._secrets = secrets
        self._root = f"deployment/{deployment_id}"

    def create_keys(self, fernet_key: Secret | None = None) -> None:
        """Make the Fernet key, unless one is handed over, and the Ed25519 signing key."""
        self._secrets.put(f"{self._root}/fernet-key", fernet_key or Secret(Fernet.generate_key().decode()))
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._secrets.put(f"{self._root}/signing-key", Secret(pem.decode()))

    def fernet_key(self) -> Secret:
        return self._secrets.get(f"{self._root}/fernet-key")

    def signing_key(self) -> Secret:
        return self._secrets.get(f"{self._root}/signing-key")

    def database_url(self) -> Secret | None:
        """Give the URL of a metadata database that somebody set; None when the runtime makes its own."""
        try:
            return self._secrets.get(f"{self._root}/database-url")
        except NotFound:
            return None

    def clear(self) -> None:
        """Remove everything; safe to repeat."""
        for path in self._secrets.list(f"{self._root}/"):
            self._secrets.delete(path)
