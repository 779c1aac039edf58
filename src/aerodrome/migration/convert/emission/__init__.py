"""Writes a conversion as an Airflow project: formatted, the same bytes every time, for one target version."""

from aerodrome.migration.convert.emission.project import compose, emit

__all__ = ["compose", "emit"]
