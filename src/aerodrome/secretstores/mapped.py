"""The platform's own secrets in a vendor's service: our paths, spelled as the service allows, below one root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.checks import raise_first, run_checks
from aerodrome.secretstores.contract import check_path, missing
from aerodrome.secretstores.names import Spelling
from aerodrome.secretstores.vendor import Vendor

_ESCAPE: Final = "aerodrome:"  # stands before an empty value, which most services refuse, and before itself


class MappedSecretStore:
    """A SecretStore on a Vendor."""

    def __init__(self, vendor: Vendor, spelling: Spelling, root: str) -> None:
        self._vendor = vendor
        self._spelling = spelling
        self._root = root  # "aerodrome/" in the service's spelling

    def put(self, path: str, value: Secret) -> None:
        text = value.reveal()
        if not text or text.startswith(_ESCAPE):
            value = Secret(_ESCAPE + text)
        self._vendor.put(self._name(path), value)

    def put_many(self, values: Mapping[str, Secret]) -> None:
        for path in values:
            check_path(path)
        for path, value in values.items():
            self.put(path, value)

    def get(self, path: str) -> Secret:
        name = self._name(path)
        try:
            return _plain(self._vendor.get(name))
        except NotFound:
            raise missing(path) from None

    def get_many(self, paths: Sequence[str]) -> dict[str, Secret]:
        names = {path: self._name(path) for path in paths}
        found = self._vendor.get_many(list(names.values()))
        for path, name in names.items():
            if name not in found:
                raise missing(path)
        return {path: _plain(found[name]) for path, name in names.items()}

    def delete(self, path: str) -> None:
        self._vendor.delete(self._name(path))

    def delete_many(self, paths: Sequence[str]) -> None:
        for path in paths:
            self.delete(path)

    def list(self, prefix: str) -> list[str]:
        if prefix := prefix.rstrip("/"):
            check_path(prefix)
        below: list[str] = []
        for name in self._vendor.names(self._root + self._spelling.encode(prefix)):
            path = self._spelling.decode(name[len(self._root) :])
            if path is not None and (not prefix or path == prefix or path.startswith(f"{prefix}/")):
                below.append(path)
        return sorted(below)

    def probe(self) -> None:
        raise_first(run_checks(self._vendor, {"": self._root}))

    def __repr__(self) -> str:
        return f"MappedSecretStore({self._vendor!r})"

    def _name(self, path: str) -> str:
        name = self._root + self._spelling.encode(check_path(path))
        if len(name) > self._spelling.max_length:
            raise Invalid(
                f"The path {path} is too long for this service: {len(name)} of {self._spelling.max_length} characters.",
                code="secret-path-invalid",
                hint="Use a shorter name.",
            )
        return name


def _plain(stored: Secret) -> Secret:
    text = stored.reveal()
    return Secret(text[len(_ESCAPE) :]) if text.startswith(_ESCAPE) else stored
