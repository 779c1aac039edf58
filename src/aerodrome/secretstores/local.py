"""Keeps secret values in the platform's own database, encrypted with the keyring."""

from __future__ import annotations

from sqlalchemy import delete, or_, select

from aerodrome.kernel.errors import Broken
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.contract import check_path, missing
from aerodrome.secretstores.keyring import Keyring
from aerodrome.store import Store, now
from aerodrome.store.tables.secret import SecretRow
from aerodrome.store.turns import take_turns

_PROBE = "probe/keyring"


class LocalSecretStore:
    """A SecretStore in table `secret`. Each call is a transaction of its own."""

    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring

    def put(self, path: str, value: Secret) -> None:
        check_path(path)
        ciphertext = self._keyring.encrypt(path, value)
        with self._store.writing() as session:
            take_turns(session, f"secret {path}")
            row = session.get(SecretRow, path)
            moment = now(session)
            if row is None:
                session.add(SecretRow(path=path, ciphertext=ciphertext, created_at=moment, updated_at=moment))
            else:
                row.ciphertext = ciphertext
                row.updated_at = moment

    def get(self, path: str) -> Secret:
        check_path(path)
        with self._store.reading() as session:
            row = session.get(SecretRow, path)
        if row is None:
            raise missing(path)
        return self._keyring.decrypt(path, row.ciphertext)

    def delete(self, path: str) -> None:
        check_path(path)
        with self._store.writing() as session:
            session.execute(delete(SecretRow).where(SecretRow.path == path))

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
