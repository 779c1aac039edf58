"""How Airflow writes connections and variables: as JSON, as URI, as environment variables, in files. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aerodrome.environments.contract import CONNECTION_FIELDS
from aerodrome.kernel.secret import Secret

_EXTRA = "extra."


def as_secret(value: object) -> Secret:
    return value if isinstance(value, Secret) else Secret(str(value))


def plain_or_secret(value: object) -> str | Secret:
    return value if isinstance(value, Secret) else str(value)


def connection_data(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give a connection as Airflow's own dictionary, in the clear: for the sealed file and for exports."""
    data: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in fields.items():
        if name.startswith(_EXTRA):
            # an extra keeps its JSON type; in the secret store it stands as JSON text
            extra[name.removeprefix(_EXTRA)] = json.loads(value.reveal()) if isinstance(value, Secret) else value
        elif name in CONNECTION_FIELDS:
            data[name] = value.reveal() if isinstance(value, Secret) else value
    if extra:
        data["extra"] = extra
    return data


def connection_json(fields: Mapping[str, Any]) -> Secret:
    """Give a connection as the JSON text that Airflow reads (`Connection.from_json`)."""
    return Secret(json.dumps(connection_data(fields), sort_keys=True))
