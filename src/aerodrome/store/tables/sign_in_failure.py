"""Failed attempts to sign in: all servers of one database count together."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base


class SignInFailure(Base):
    """One failure for a name; only a digest of the name is kept, since people type passwords into the wrong field."""

    __tablename__ = "sign_in_failure"
    __table_args__ = (Index(None, "name_digest", "at"), Index(None, "at"))

    seq: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    name_digest: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
