"""Typed identifiers: a prefix and a time-sortable random part, for example `dep_01k9zq…`."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import NewType

WorkspaceId = NewType("WorkspaceId", str)  # ws_
ClusterId = NewType("ClusterId", str)  # clu_
DeploymentId = NewType("DeploymentId", str)  # dep_
DeployId = NewType("DeployId", str)  # dpl_
JobId = NewType("JobId", str)  # job_
EventId = NewType("EventId", str)  # evt_
MigrationId = NewType("MigrationId", str)  # mig_
UserId = NewType("UserId", str)  # usr_
TokenId = NewType("TokenId", str)  # tok_
SessionId = NewType("SessionId", str)  # ses_

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def made_at(identifier: str) -> datetime:
    """Give when an identifier was made; ValueError when it is none."""
    value = 0
    for character in identifier.rpartition("_")[2]:
        value = value << 5 | _ALPHABET.index(character)
    return datetime.fromtimestamp((value >> 80) / 1000, UTC)


def new_id(prefix: str) -> str:
    """Make `<prefix>_<26 characters>`: 48 bits of milliseconds, then 80 random bits, Crockford base 32, lower case."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    text = ""
    for _ in range(26):
        text = _ALPHABET[value & 31] + text
        value >>= 5
    return f"{prefix}_{text}"
