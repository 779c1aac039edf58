"""The checks before a deploy is switched: parses the project under its exact target and holds it against what exists."""

from aerodrome.fleet.checks.running import run

__all__ = ["run"]
