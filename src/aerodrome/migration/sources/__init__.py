"""Adapters that read a source system and stream neutral records."""
