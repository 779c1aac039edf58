"""Shipped locks: one `airflow-<version>.txt` per Airflow version, resolved as of its release for Python 3.11 and newer."""

from __future__ import annotations

from importlib.resources import files


def read_lock(airflow_version: str, python_version: str) -> str | None:
    """Give the pinned packages of that version, or None when no lock covers it on that Python."""
    if tuple(int(part) for part in python_version.split(".")) < (3, 11):
        return None
    resource = files(__name__).joinpath(f"airflow-{airflow_version}.txt")
    return resource.read_text() if resource.is_file() else None
