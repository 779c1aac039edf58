"""Users, roles, tokens, sessions, audit."""

from aerodrome.access.actor import SYSTEM, Actor
from aerodrome.access.service import Access

__all__ = ["SYSTEM", "Access", "Actor"]
