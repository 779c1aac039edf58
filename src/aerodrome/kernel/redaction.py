"""Masks secrets in texts and log events: known key names, URI passwords, own tokens, and every registered value."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from aerodrome.kernel.secret import MASK, Secret

SENSITIVE_KEY = re.compile(
    r"(?i)(pass(word|wd|phrase)?|secret|token|api_?key|apikey|private_?key|fernet|credential|authorization|cookie)"
)
# up to the last @ of the word: a password may hold a slash, and people forget to encode an @
_URI_PASSWORD = re.compile(r"(?P<head>[a-zA-Z][\w+.-]*://[^\s:/@]*):(?P<password>[^\s\"'<>]+)@")
_QUERY_PASSWORD = re.compile(r"(?i)(?P<head>[?&](?:\w*pass(?:word|wd)?|pwd|token|secret)=)[^&\s\"'<>]+")
_OWN_TOKEN = re.compile(r"aero_[a-z]+_[A-Za-z0-9_-]{16,}")
_MIN_LENGTH = 4


class Redactor:
    """Masks texts. Values registered here (revealed secrets) are masked wherever they stand."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def register(self, value: str) -> None:
        """Remember a secret value (4 characters or more; shorter ones would mask ordinary words)."""
        if len(value) >= _MIN_LENGTH:
            self._values.add(value)

    def text(self, text: str) -> str:
        """Give the text with every known kind of secret masked."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, MASK)
        text = _URI_PASSWORD.sub(rf"\g<head>:{MASK}@", text)
        text = _QUERY_PASSWORD.sub(rf"\g<head>{MASK}", text)
        return _OWN_TOKEN.sub(MASK, text)

    def data(self, value: Any) -> Any:
        """Mask a JSON-like structure: sensitive keys wholly, texts by `text`."""
        if isinstance(value, Secret):
            return MASK
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {
                key: MASK if isinstance(key, str) and SENSITIVE_KEY.search(key) and item else self.data(item)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.data(item) for item in value]
        return value

    def processor(self, _logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Serve as a structlog processor."""
        for key, value in list(event.items()):
            if key != "event" and SENSITIVE_KEY.search(key) and value:
                event[key] = MASK
            else:
                event[key] = self.data(value)
        return event
