"""A source tree becomes a content-addressed bundle; requirements become a virtualenv shared by content."""

from aerodrome.builds.bundles import BundleStore
from aerodrome.builds.contract import Bundle, Venv, VenvSpec
from aerodrome.builds.resolving import is_lock_usable, resolve
from aerodrome.builds.venvs import VenvStore

__all__ = ["Bundle", "BundleStore", "Venv", "VenvSpec", "VenvStore", "is_lock_usable", "resolve"]
