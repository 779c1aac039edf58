"""Takes secret values out of what Airflow and DAG files say: their errors and log lines are shown to people and kept.

The border where such text comes in: checks (failures of files), rehearsals (reports), `convert` (a failed migration) and `confirm` (last words of a component).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from aerodrome.kernel.errors import AerodromeError
from aerodrome.kernel.redaction import Redactor
from aerodrome.kernel.secret import Secret
from aerodrome.parsing.contract import ImportFailure, ParseResult
from aerodrome.runtimes.contract import RuntimeSpec

_SHORTEST = 8  # of a variable's value: shorter ones would mask ordinary words


class Hiding:
    """Masks every value that the given specs hold, and what looks like a password in a URL."""

    def __init__(self, *specs: RuntimeSpec) -> None:
        self._redactor = Redactor()
        for spec in specs:
            for value in _values(spec):
                self._redactor.register(value)

    def text(self, text: str) -> str:
        return self._redactor.text(text)

    def data(self, value: Any) -> Any:
        """Mask all texts of JSON-like data; keys stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.data(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(item) for item in value]
        return value

    def failures(self, result: ParseResult) -> ParseResult:
        """Give what was parsed with the texts of its failures masked."""
        return replace(result, failures=tuple(self._failure(failure) for failure in result.failures))

    def _failure(self, failure: ImportFailure) -> ImportFailure:
        message, detail, hint = (self.text(text) for text in (failure.message, failure.detail, failure.hint))
        return replace(failure, message=message, detail=detail, hint=hint)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Mask what errors raised in the block say: they may quote Airflow."""
        try:
            yield
        except AerodromeError as error:
            error.message, error.hint = self.text(error.message), self.text(error.hint)
            error.details, error.args = self.data(error.details), (error.message,)
            raise


def _values(spec: RuntimeSpec) -> Iterator[str]:
    yield from (value.reveal() for value in spec.env.values() if isinstance(value, Secret))
    yield from (value.reveal() for value in spec.environment.variables.values() if len(value.reveal()) >= _SHORTEST)
    for connection in spec.environment.connections.values():
        yield from _texts(_read(connection.reveal()))
    yield from _texts(dict(spec.environment.backend_kwargs))
    yield spec.fernet_key.reveal()
    if spec.database_url is not None:
        yield spec.database_url.reveal()


def _read(text: str) -> Any:
    try:
        content = json.loads(text)
    except ValueError:
        return {"password": text}
    if isinstance(content, dict):  # where it is and who signs in is no secret, and helps
        return {name: value for name, value in content.items() if name in ("password", "extra")}
    return {"password": text}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, str):
        if len(value) >= _SHORTEST:
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
