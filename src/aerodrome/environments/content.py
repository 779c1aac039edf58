"""The content of one version: read from and written to JSON, applied to a deployment, compared, masked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aerodrome.environments.contract import KINDS, Content, Kind, Link
from aerodrome.kernel.errors import Broken
from aerodrome.kernel.redaction import SENSITIVE_KEY
from aerodrome.kernel.secret import MASK


@dataclass(frozen=True)
class Effect:
    """What one deployment gets of an object."""

    fields: Mapping[str, Any]
    secrets: Mapping[str, str]
    is_secret: bool
    description: str
    overridden: tuple[str, ...]


def kind_of(text: str) -> Kind:
    if text not in KINDS:
        raise Broken(f"{text!r} is no kind of environment object.", code="environment-kind-unknown")
    return text


def is_secret_field(kind: Kind, name: str, *, is_secret: bool) -> bool:
    """Tell whether a field's value belongs in the secret store.

    A connection's password and every extra with a telling name always do; the flag adds its other extras. The value of the
    other kinds does when the flag says so.
    """
    if kind != "connection":
        return is_secret
    if name == "password":
        return True
    return name.startswith("extra.") and (is_secret or SENSITIVE_KEY.search(name.removeprefix("extra.")) is not None)


def read(data: Mapping[str, Any]) -> Content:
    """Read content as `write` wrote it; what is missing has its default."""
    return Content(
        fields=data.get("fields", {}),
        secrets=data.get("secrets", {}),
        is_secret=data.get("is_secret", False),
        description=data.get("description", ""),
        is_auto_linked=data.get("is_auto_linked", True),
        links={
            name: Link(link.get("is_excluded", False), link.get("fields", {}), link.get("secrets", {}))
            for name, link in data.get("links", {}).items()
        },
    )


def write(content: Content) -> dict[str, Any]:
    return {
        "fields": dict(content.fields),
        "secrets": dict(content.secrets),
        "is_secret": content.is_secret,
        "description": content.description,
        "is_auto_linked": content.is_auto_linked,
        "links": {
            name: {"is_excluded": link.is_excluded, "fields": dict(link.fields), "secrets": dict(link.secrets)}
            for name, link in content.links.items()
        },
    }


def effect(content: Content, deployment_id: str, *, is_own: bool) -> Effect | None:
    """Give what the deployment gets; None when the object is not linked to it or excluded."""
    link = None if is_own else content.links.get(deployment_id)
    if not is_own and (link.is_excluded if link else not content.is_auto_linked):
        return None
    fields, secrets = dict(content.fields), dict(content.secrets)
    overridden: set[str] = set()
    if link is not None:
        overridden = {*link.fields, *link.secrets}
        fields = {name: value for name, value in fields.items() if name not in overridden} | dict(link.fields)
        secrets = {name: path for name, path in secrets.items() if name not in overridden} | dict(link.secrets)
    return Effect(fields, secrets, content.is_secret, content.description, tuple(sorted(overridden)))


def masked(fields: Mapping[str, Any], secrets: Mapping[str, str]) -> dict[str, Any]:
    """Give the fields as people see them."""
    return dict(sorted({**fields, **dict.fromkeys(secrets, MASK)}.items()))


def paths(content: Content) -> set[str]:
    """Give the paths of all secret values that the content names."""
    return set(content.secrets.values()) | {path for link in content.links.values() for path in link.secrets.values()}


def flat(content: Content) -> dict[str, Any]:
    """Give every part of the content by a name of its own; secret values as the tuple of their path."""
    parts: dict[str, Any] = {**content.fields, **{name: (path,) for name, path in content.secrets.items()}}
    parts |= {
        "description": content.description,
        "secret": content.is_secret,
        "all deployments": content.is_auto_linked,
    }
    for deployment_id, link in content.links.items():
        parts[f"link {deployment_id}"] = "excluded" if link.is_excluded else "linked"
        parts |= {f"link {deployment_id} {name}": value for name, value in link.fields.items()}
        parts |= {f"link {deployment_id} {name}": (path,) for name, path in link.secrets.items()}
    return parts


def differences(before: Content | None, after: Content) -> list[str]:
    """Name what differs, sorted; a secret value that was written anew counts as changed."""
    old, new = flat(before) if before else {}, flat(after)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def shown(content: Content | None, names: list[str]) -> dict[str, Any]:
    """Give the named parts for eyes: secret values masked, what is not there left out."""
    parts = flat(content) if content else {}
    return {name: MASK if isinstance(parts[name], tuple) else parts[name] for name in names if name in parts}
