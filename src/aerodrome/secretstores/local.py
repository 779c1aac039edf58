"""Keeps secret values in the platform's own database, encrypted with the keyring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from aerodrome.kernel.errors import Broken
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.contract import check_path, missing
from aerodrome.secretstores.keyring import Keyring
from aerodrome.store import Store, now
from aerodrome.store.tables.secret import SecretRow

_PROBE = "probe/keyring"
_CHUNK: Final = 500


class LocalSecretStore:
    """A SecretStore in table `secret`. Each call is a transaction of its own."""

    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring

    def put(self, path: str, value: Secret) -> None:
        self.put_many({path: value})

    def put_many(self, values: Mapping[str, Secret]) -> None:
        sealed = {check_path(path): self._keyring.encrypt(path, values[path]) for path in sorted(values)}
        if not sealed:
            return
        with self._store.writing() as session:
            moment = now(session)
            # one statement for all, in the order of their paths: two writers wait for each other, and never in a circle
            insert = (postgresql if self._store.dialect == "postgresql" else sqlite).insert(SecretRow)
            fresh = {"ciphertext": insert.excluded.ciphertext, "updated_at": insert.excluded.updated_at}
            session.execute(
                insert.on_conflict_do_update(index_elements=[SecretRow.path], set_=fresh),
                [
                    {"path": path, "ciphertext": ciphertext, "created_at": moment, "updated_at": moment}
                    for path, ciphertext in sealed.items()
                ],
            )

    def get(self, path: str) -> Secret:
        return self.get_many([path])[path]

    def get_many(self, paths: Sequence[str]) -> dict[str, Secret]:
        for path in paths:
            check_path(path)
        with self._store.reading() as session:
            found = {row.path: row.ciphertext for row in _rows(session, paths)}
        for path in paths:
            if path not in found:
                raise missing(path)
        return {path: self._keyring.decrypt(path, found[path]) for path in paths}

    def delete(self, path: str) -> None:
        self.delete_many([path])

    def delete_many(self, paths: Sequence[str]) -> None:
        for path in paths:
            check_path(path)
        with self._store.writing() as session:
            for start in range(0, len(paths), _CHUNK):
                chunk = paths[start : start + _CHUNK]
                session.execute(delete(SecretRow).where(SecretRow.path.in_(chunk)))

    def list(self, prefix: str) -> list[str]:
        query = select(SecretRow.path).order_by(SecretRow.path)
        if prefix := prefix.rstrip("/"):
            check_path(prefix)
            below = SecretRow.path.startswith(f"{prefix}/", autoescape=True)
            query = query.where(or_(SecretRow.path == prefix, below))
        with self._store.reading() as session:
            return sorted(session.scalars(query))

    def probe(self) -> None:
        """Check that the keyring opens what it wrote, and what the database holds already."""
        value = Secret("probe")
        if self._keyring.decrypt(_PROBE, self._keyring.encrypt(_PROBE, value)) != value:
            raise Broken("The keyring does not open what it wrote.", code="keyring-damaged")
        with self._store.reading() as session:
            row = session.scalar(select(SecretRow).limit(1))
        if row is not None:
            self._keyring.decrypt(row.path, row.ciphertext)

    def renew_all(self) -> int:
        """Encrypt every value again with the newest key; give how many."""
        with self._store.writing() as session:
            rows = session.scalars(select(SecretRow).with_for_update()).all()
            for row in rows:
                row.ciphertext = self._keyring.renew(row.ciphertext)
            return len(rows)


def _rows(session: Session, paths: Sequence[str]) -> list[SecretRow]:
    rows: list[SecretRow] = []
    for start in range(0, len(paths), _CHUNK):
        rows += session.scalars(select(SecretRow).where(SecretRow.path.in_(paths[start : start + _CHUNK])))
    return rows
