"""Composition root: Settings in, App out; the only room that knows everybody."""
