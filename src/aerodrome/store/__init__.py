"""Durable state: engine, tables, schema migrations, jobs with leases, outbox, journal."""

from aerodrome.store.engine import Store, now, open_store

__all__ = ["Store", "now", "open_store"]
