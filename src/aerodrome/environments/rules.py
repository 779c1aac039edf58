"""What may be typed: names, connection types, ports, extras. Every refusal names the object and the field."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from aerodrome.environments.contract import CONNECTION_FIELDS, Kind, Wish
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret

# Airflow's own rule (airflow/models/connection.py, 2.11.2 and 3.3.2): other ids are refused by its UI and its API
_CONN_ID: Final = re.compile(r"[\w#!()\-.:/\\]{1,250}", re.ASCII)
_CONN_TYPE: Final = re.compile(r"[A-Za-z][\w-]{0,99}", re.ASCII)
_ENV: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_MAX_VALUE: Final = 262_144
_MAX_ENV: Final = 32_768
NOUNS: Final = {"connection": "connection", "variable": "variable", "env": "environment variable"}


def check(wish: Wish) -> Wish:
    """Give the wish with its fields in their final types; Invalid names what is wrong with it."""
    check_name(wish.kind, wish.name)
    if wish.description is not None and len(wish.description) > 2000:
        raise _invalid(wish, "description", "is longer than 2,000 characters", "Write less.")
    fields = {name: _field(wish, name, value) for name, value in wish.fields.items()}
    return Wish(wish.kind, wish.name, fields, wish.is_secret, wish.description, wish.replaces)


def check_name(kind: Kind, name: str) -> None:
    """Raise Invalid for a name that Airflow, or an environment, would not take."""
    if kind == "connection" and not _CONN_ID.fullmatch(name):
        raise _bad_name(kind, name, "Use letters, digits and # ! ( ) - . : / \\ _, 250 characters at most.")
    if kind == "variable" and (not 0 < len(name) <= 250 or not name.isprintable() or name != name.strip()):
        raise _bad_name(kind, name, "Use 1 to 250 printable characters, without blanks at the ends.")
    if kind == "env" and not _ENV.fullmatch(name):
        raise _bad_name(kind, name, "Use letters, digits and _, not starting with a digit.", code="env-name-invalid")


def check_complete(kind: Kind, name: str, fields: Mapping[str, Any]) -> None:
    """Raise Invalid when an object would lack what it needs: a connection its type, the others their value."""
    needed = "conn_type" if kind == "connection" else "value"
    if fields.get(needed) is None:
        raise _invalid(
            Wish(kind, name),
            needed,
            "is missing",
            "Give a connection its type." if kind == "connection" else "Give it.",
        )


def _field(wish: Wish, name: str, value: Any) -> Any:
    if wish.kind != "connection":
        if name != "value":
            raise _invalid(wish, name, "does not exist", "It has one field: value.")
        return None if value is None else _text(wish, name, value, _MAX_ENV if wish.kind == "env" else _MAX_VALUE)
    if name.startswith("extra.") and 6 < len(name) <= 256:
        return _extra(wish, name, value)
    if name not in CONNECTION_FIELDS:
        fields = ", ".join((*CONNECTION_FIELDS, "extra.<key>"))
        raise _invalid(wish, name, "does not exist", f"A connection has {fields}.")
    if value is None or value == "":
        return None
    if name == "port":
        return _port(wish, value)
    text = _text(wish, name, value, 5000)
    if name == "conn_type":
        clear = text.reveal() if isinstance(text, Secret) else text
        if not _CONN_TYPE.fullmatch(clear):
            raise _invalid(
                wish, name, "is no connection type", "Write it as Airflow does, for example postgres or http."
            )
        return "postgres" if clear == "postgresql" else clear.replace("-", "_")
    if isinstance(text, Secret) and name != "password":
        return text.reveal()  # stands in the open: only password and extras can be secret
    return text


def _port(wish: Wish, value: Any) -> int:
    try:
        port = int(value)
    except (TypeError, ValueError):
        port = 0
    if isinstance(value, bool) or not 0 < port < 65536:
        raise _invalid(wish, "port", "is no port", "Use a whole number from 1 to 65535.")
    return port


def _extra(wish: Wish, name: str, value: Any) -> Any:
    if isinstance(value, Secret):
        return _text(wish, name, value, _MAX_VALUE)
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise _invalid(
            wish, name, "is no JSON value", "Write text, a number, true, false, a list or an object."
        ) from None
    if len(text) > _MAX_VALUE or "\\u0000" in text:
        raise _invalid(wish, name, "is too long or holds a NUL character", "Shorten it.")
    return value


def _text(wish: Wish, name: str, value: Any, most: int) -> str | Secret:
    clear = value.reveal() if isinstance(value, Secret) else value
    if not isinstance(clear, str):
        raise _invalid(wish, name, "is no text", "Write it as text.")
    if "\0" in clear:
        raise _invalid(wish, name, "holds a NUL character", "Leave it out.")
    if len(clear) > most:
        raise _invalid(
            wish, name, f"is longer than {most:,} characters", "Keep large data elsewhere and name its place."
        )
    result: str | Secret = value
    return result


def _bad_name(kind: Kind, name: str, hint: str, code: str = "environment-name-invalid") -> Invalid:
    return Invalid(
        f"{name[:80]!r} cannot be the name of {'an' if kind == 'env' else 'a'} {NOUNS[kind]}.",
        code=code,
        hint=hint,
        details={"field": "name"},
    )


def _invalid(wish: Wish, field: str, what: str, hint: str) -> Invalid:
    return Invalid(
        f"The field {field[:80]} of the {NOUNS[wish.kind]} {wish.name!r} {what}.",
        code="environment-field-invalid",
        hint=hint,
        details={"field": field[:80], "name": wish.name},
    )
