"""The platform's own key pairs for archives: an exporter seals to the public half, and only this platform opens it.

Each private key lies in the secret store under its id and is never written over: two processes that make the first one
at the same moment make two, both of which open what was sealed to them. The one in use is the first by id.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_archive.frames import sealed_to
from aerodrome.migration.sources.airflow_archive.sealing import key_id, new_key, public_half
from aerodrome.migration.sources.airflow_archive.unpacking import SURROUNDINGS
from aerodrome.migration.sources.contract import AnySourceConfig, ArchiveConfig, CloudConfig
from aerodrome.secretstores.contract import SecretStore

PLACE = "platform/archive-keys"


@dataclass(frozen=True)
class ArchiveKeyView:
    """A public key of the platform."""

    key_id: str
    public_key: str  # PEM


class ArchiveKeys:
    """Makes and finds the key pairs."""

    def __init__(self, secrets: SecretStore) -> None:
        self._secrets = secrets

    def in_use(self) -> ArchiveKeyView:
        """Give the public key to which exporters seal; it is made when first asked for."""
        if not self._secrets.list(PLACE):
            made = new_key()
            self._secrets.put(f"{PLACE}/{key_id(public_half(made))}", made)
        public = public_half(self._secrets.get(self._secrets.list(PLACE)[0]))
        return ArchiveKeyView(key_id(public), public)

    def completed(self, config: AnySourceConfig) -> AnySourceConfig:
        """Give an archive that came without a key the platform's key to which it was sealed; others stay as they are.

        An archive that was unpacked may be gone by now. The errors of `sealed_to`; Invalid `archive-key-missing`.
        """
        if isinstance(config, CloudConfig) and config.archive is not None:
            return replace(config, archive=self._with_key(config.archive))
        return self._with_key(config) if isinstance(config, ArchiveConfig) else config

    def _with_key(self, config: ArchiveConfig) -> ArchiveConfig:
        if config.key:
            return config
        try:
            name = sealed_to(config.archive)
        except NotFound:
            if not (config.unpacked / SURROUNDINGS).is_file():
                raise
            name = sealed_to(config.unpacked / SURROUNDINGS)
        return replace(config, key=self.private(name))

    def private(self, name: str) -> Secret:
        """Give the private key with this id. Invalid `archive-key-missing` when the platform has none."""
        try:
            return self._secrets.get(f"{PLACE}/{name}")
        except NotFound:
            raise Invalid(
                f"The archive was not sealed to this platform (key {name}).",
                code="archive-key-missing",
                hint="Give the key file that `aerodrome export` wrote with the script, or export again with `--platform`.",
                details={"field": "archive_key", "key_id": name},
            ) from None
