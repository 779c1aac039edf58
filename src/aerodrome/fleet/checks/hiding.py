"""Takes secret values out of what a DAG file said when it failed: whatever it raised is shown to people and kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from aerodrome.kernel.redaction import Redactor
from aerodrome.kernel.secret import Secret
from aerodrome.parsing.contract import ImportFailure, ParseResult
from aerodrome.runtimes.contract import RuntimeSpec

_SHORTEST = 8  # of a variable's value: shorter ones would mask ordinary words


def without_secrets(spec: RuntimeSpec, result: ParseResult) -> ParseResult:
    """Give the result with every value that this deployment holds masked in the failures' texts."""
    redactor = Redactor()
    for value in _values(spec):
        redactor.register(value)

    def masked(failure: ImportFailure) -> ImportFailure:
        message, detail, hint = (redactor.text(text) for text in (failure.message, failure.detail, failure.hint))
        return replace(failure, message=message, detail=detail, hint=hint)

    return replace(result, failures=tuple(masked(failure) for failure in result.failures))


def _values(spec: RuntimeSpec) -> Iterator[str]:
    yield from (value.reveal() for value in spec.env.values() if isinstance(value, Secret))
    yield from (value.reveal() for value in spec.environment.variables.values() if len(value.reveal()) >= _SHORTEST)
    for connection in spec.environment.connections.values():
        yield from _texts(_read(connection.reveal()))
    yield from _texts(dict(spec.environment.backend_kwargs))
    yield spec.fernet_key.reveal()


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
