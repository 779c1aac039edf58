"""Outbox in, incidents out."""
