"""Moves objects and history from a source into a hosted deployment."""
