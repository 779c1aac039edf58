"""Makes the exporter: one Python file for the source's machine, with the public key to which it seals what it finds."""

from __future__ import annotations

from pathlib import Path

PLACE = "@PUBLIC_KEY@"
_TEMPLATE = Path(__file__).with_name("inside") / "exporter.py"


def exporter(public_key: str) -> str:
    """Give the script's text."""
    return _TEMPLATE.read_text(encoding="utf-8").replace(f'"""{PLACE}"""', f'"""{public_key}"""', 1)
