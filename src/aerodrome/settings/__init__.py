"""One typed tree of settings, read once at the start."""

from aerodrome.settings.model import Settings, load_settings

__all__ = ["Settings", "load_settings"]
