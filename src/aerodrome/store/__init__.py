"""Durable state: engine, tables, schema migrations, jobs with leases, outbox, journal."""
