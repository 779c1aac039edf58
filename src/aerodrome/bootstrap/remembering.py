"""A secret store in front of another one: tells the Redactor every value that passes, so that no log line shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aerodrome.kernel.redaction import Redactor
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.contract import SecretStore


class RememberingSecretStore:
    """A SecretStore that registers values for masking."""

    def __init__(self, inner: SecretStore, redactor: Redactor) -> None:
        self._inner = inner
        self._redactor = redactor

    def put(self, path: str, value: Secret) -> None:
        self._remember(value)
        self._inner.put(path, value)

    def get(self, path: str) -> Secret:
        value = self._inner.get(path)
        self._remember(value)
        return value

    def delete(self, path: str) -> None:
        self._inner.delete(path)

    def put_many(self, values: Mapping[str, Secret]) -> None:
        for value in values.values():
            self._remember(value)
        self._inner.put_many(values)

    def get_many(self, paths: Sequence[str]) -> dict[str, Secret]:
        values = self._inner.get_many(paths)
        for value in values.values():
            self._remember(value)
        return values

    def delete_many(self, paths: Sequence[str]) -> None:
        self._inner.delete_many(paths)

    def list(self, prefix: str) -> list[str]:
        return self._inner.list(prefix)

    def probe(self) -> None:
        self._inner.probe()

    def _remember(self, value: Secret) -> None:
        # a value of several lines (a PEM key) may be logged line by line
        for line in {value.reveal(), *value.reveal().splitlines()}:
            if not line.startswith("-----"):
                self._redactor.register(line)
