"""Secret values of the local secret store, encrypted before they come here."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base


class SecretRow(Base):
    """One encrypted value; the plaintext carries its own path, so a row copied elsewhere does not decrypt."""

    __tablename__ = "secret"

    path: Mapped[str] = mapped_column(String(400), primary_key=True)
    ciphertext: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
