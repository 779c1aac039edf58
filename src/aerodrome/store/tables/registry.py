"""Gives the metadata of all tables, for the schema migrations and the tests that compare the two."""

from __future__ import annotations

import importlib
import pkgutil

from sqlalchemy import MetaData

import aerodrome.store.tables as package
from aerodrome.store.tables.base import Base


def all_tables() -> MetaData:
    """Load every file of this folder and give the one metadata."""
    for module in pkgutil.iter_modules(package.__path__, prefix=f"{package.__name__}."):
        importlib.import_module(module.name)
    return Base.metadata
