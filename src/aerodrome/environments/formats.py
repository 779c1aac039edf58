"""How Airflow writes connections: as a dictionary, as JSON text, as URI. Pure; the rules are those of Airflow 2.11.2 and 3.3.2."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from aerodrome.environments.contract import CONNECTION_FIELDS
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret

_EXTRA = "extra."
_WHOLE_EXTRA = "__extra__"


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


def fields_of_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Read Airflow's dictionary; passwords and telling extras are for the caller to keep. Invalid names what is wrong."""
    fields: dict[str, Any] = {}
    for name, value in data.items():
        if name in ("conn_id", "description", "extra", "extra_dejson"):
            continue
        if name not in CONNECTION_FIELDS:
            raise _invalid(
                f"has an unknown key {name[:60]!r}", f"Airflow knows {', '.join(CONNECTION_FIELDS)} and extra."
            )
        if value is not None and value != "":
            fields[name] = value
    return fields | fields_of_extra(data.get("extra") or data.get("extra_dejson"))


def fields_of_extra(extra: Any) -> dict[str, Any]:
    """Read an extra, as an object or as JSON text of one, into one field per key."""
    if extra is None or extra == "":
        return {}
    if isinstance(extra, str):
        try:
            extra = json.loads(extra)
        except ValueError:
            raise _invalid(
                "has an extra that is no JSON", 'Write a JSON object, for example {"region": "eu"}.'
            ) from None
    if not isinstance(extra, dict):
        raise _invalid("has an extra that is no JSON object", 'Write a JSON object, for example {"region": "eu"}.')
    return {f"{_EXTRA}{name}": value for name, value in extra.items()}


def fields_of_uri(uri: str) -> dict[str, Any]:
    """Read Airflow's connection URI: `type://login:password@host:port/schema?extra=…`. Errors show nothing of it."""
    kind, separator, rest = uri.partition("://")
    if not separator or not kind:
        raise _invalid("is no connection URI", "Write type://login:password@host:port/schema?key=value.")
    protocol = ""
    head, inner, tail = rest.partition("://")
    if inner and not any(letter in head for letter in "@:/?"):
        protocol, rest = head, tail
    try:
        parts = urlsplit(f"//{rest}")
        port = parts.port
    except ValueError:
        raise _invalid("has a URI that cannot be taken apart", "Encode special letters as %XX.") from None
    netloc_host = parts.netloc.rpartition("@")[2]
    host = unquote(netloc_host.rpartition(":")[0] if port is not None else netloc_host.rstrip(":"))
    fields: dict[str, Any] = {
        "conn_type": kind,
        "host": f"{protocol}://{host}" if protocol else host,
        "port": port,
        "schema": unquote(parts.path[1:]),
        "login": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
    }
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    extra: dict[str, Any] = {}
    if _WHOLE_EXTRA in query:
        extra = fields_of_extra(query[_WHOLE_EXTRA])
    else:
        extra = {f"{_EXTRA}{name}": _json_or_text(value) for name, value in query.items()}
    return {name: value for name, value in fields.items() if value not in (None, "")} | extra


def uri_of(data: Mapping[str, Any]) -> str:
    """Write Airflow's connection URI of its dictionary, as `Connection.get_uri` does."""
    uri = f"{str(data.get('conn_type', '')).lower().replace('_', '-')}://"
    host = str(data.get("host") or "")
    if "://" in host:
        protocol, _, host = host.partition("://")
        uri += f"{protocol}://"
    authority = quote(data["login"], safe="") if data.get("login") is not None else ""
    authority += f":{quote(data['password'], safe='')}" if data.get("password") is not None else ""
    uri += f"{authority}@" if authority else ""
    place = quote(host, safe="")
    if data.get("port"):
        place += f":{data['port']}" if place or authority else f"@:{data['port']}"
    if data.get("schema"):
        place += f"/{quote(data['schema'], safe='')}"
    uri += place
    extra = data.get("extra")
    if extra:
        mark = "?" if data.get("schema") else "/?"
        if (
            all(isinstance(value, str) and _json_or_text(value) == value for value in extra.values())
            and "" not in extra
        ):
            uri += mark + urlencode(extra)
        else:
            uri += mark + urlencode({_WHOLE_EXTRA: json.dumps(extra)})
    return uri


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value) if value else value
    except ValueError:
        return value


def _invalid(what: str, hint: str) -> Invalid:
    return Invalid(f"It {what}.", code="connection-malformed", hint=hint)


def fields_of_input(
    kind: str, fields: Mapping[str, Any], secrets: Mapping[str, str], uri: str | None
) -> dict[str, Any]:
    """Read what people give: a URI, fields, an `extra` object, and secret fields; later ones win."""
    given: dict[str, Any] = fields_of_uri(uri) if uri and kind == "connection" else {}
    given |= {name: value for name, value in fields.items() if name != "extra"}
    if "extra" in fields and kind == "connection":
        given |= fields_of_extra(fields["extra"])
    return given | {name: Secret(value) for name, value in secrets.items()}
