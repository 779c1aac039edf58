"""Composition root: Settings in, App out; the only room that knows everybody."""

from aerodrome.bootstrap.app import App, build

__all__ = ["App", "build"]
