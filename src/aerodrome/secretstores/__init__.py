"""Where secret values live: the contract, the keyring, the stores."""

from aerodrome.secretstores.contract import SecretStore
from aerodrome.secretstores.keyring import Keyring, open_keyring
from aerodrome.secretstores.local import LocalSecretStore

__all__ = ["Keyring", "LocalSecretStore", "SecretStore", "open_keyring"]
