"""From a wish to content: which fields stand in the open, which go to the secret store, and what that shows or hides.

Three steps, so that the secret store is never called inside a transaction: look at the row (reading), draft (secret store),
write (one transaction, refused when the row moved in between).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aerodrome.environments import content as contents
from aerodrome.environments import rules
from aerodrome.environments.content import is_secret_field
from aerodrome.environments.contract import Content, Kind, Link, Wish
from aerodrome.kernel.ids import new_id
from aerodrome.kernel.secret import Secret
from aerodrome.store.tables.environment import EnvironmentObjectRow


@dataclass(frozen=True)
class Draft:
    """Content that is ready to be written over the version it was made from."""

    kind: Kind
    name: str
    object_id: str
    base_version: int | None  # None: there was no such object
    content: Content
    fresh: Mapping[str, Secret] = field(default_factory=dict)  # path -> value, to be put before the row is written
    revealed: tuple[str, ...] = ()  # fields whose stored secret value will stand in the open
    is_new: bool = True  # there was none, or it was deleted
    past: Mapping[int, Content] = field(
        default_factory=dict
    )  # older versions whose open values become secret with this one


def root(workspace_id: str, deployment_id: str | None) -> str:
    """Give the path in the secret store below which the values of a scope lie; a deployment's go with it."""
    return f"deployment/{deployment_id}/environment" if deployment_id else f"workspace/{workspace_id}/environment"


def stored(row: EnvironmentObjectRow | None) -> list[str]:
    """Give the paths of the values that a draft over this row needs opened."""
    return [] if row is None or row.is_deleted else sorted(contents.paths(contents.read(row.content)))


def draft(base: EnvironmentObjectRow | None, wish: Wish, place: str, opened: Mapping[str, Secret]) -> Draft:
    """Make the content that the wish asks for. Invalid names the field."""
    wish = rules.check(wish)
    is_new = base is None or base.is_deleted
    before = Content() if base is None or is_new else contents.read(base.content)
    object_id = new_id("env") if base is None else base.id
    given = {name: value for name, value in wish.fields.items() if value is not None}
    is_secret = _secrecy(wish, before, is_new=is_new)
    drops = before.is_secret and not is_secret
    work = _Sorting(wish.kind, f"{place}/{object_id}", opened, is_secret=is_secret, drops=drops)
    kept = (set(before.fields) | set(before.secrets)) - set(wish.fields) if not wish.replaces else set()
    work.keep(before.fields, before.secrets, kept)
    work.give(given, before.secrets)
    rules.check_complete(wish.kind, wish.name, {**work.fields, **work.secrets})
    links = {}
    for deployment_id, link in before.links.items():
        side = _Sorting(wish.kind, f"{place}/{object_id}", opened, is_secret=is_secret, drops=drops, fresh=work.fresh)
        side.keep(link.fields, link.secrets, {*link.fields, *link.secrets})
        work.revealed += side.revealed
        links[deployment_id] = Link(link.is_excluded, side.fields, side.secrets)
    content = Content(
        fields=work.fields,
        secrets=work.secrets,
        is_secret=is_secret,
        description=before.description if wish.description is None else wish.description.strip(),
        is_auto_linked=before.is_auto_linked,
        links=links,
    )
    version = None if base is None else base.version
    return Draft(wish.kind, wish.name, object_id, version, content, work.fresh, tuple(work.revealed), is_new)


def draft_link(
    base: EnvironmentObjectRow,
    deployment_id: str,
    overrides: Mapping[str, Any] | None,
    place: str,
    opened: Mapping[str, Secret],
    *,
    is_excluded: bool,
) -> Draft:
    """Make the content in which one deployment gets the object with other fields, or not at all.

    `overrides` are laid over those that are there; None as a value removes one, None as a whole leaves them.
    """
    kind = contents.kind_of(base.kind)
    checked = rules.check(Wish(kind, base.name, overrides or {})).fields
    before = contents.read(base.content)
    link = before.links.get(deployment_id, Link())
    work = _Sorting(kind, f"{place}/{base.id}", opened, is_secret=before.is_secret)
    work.keep(link.fields, link.secrets, (set(link.fields) | set(link.secrets)) - set(checked))
    work.give({name: value for name, value in checked.items() if value is not None}, link.secrets)
    links = {**before.links, deployment_id: Link(is_excluded, work.fields, work.secrets)}
    content = _with_links(before, links, before.is_auto_linked)
    return Draft(kind, base.name, base.id, base.version, content, work.fresh, (), is_new=False)


def hidden(draft_: Draft, past: Mapping[int, Content], place: str) -> Draft:
    """Give the draft with older versions in which what is secret now does not stand in the open any more."""
    fresh = dict(draft_.fresh)
    rewritten: dict[int, Content] = {}
    for number, content in past.items():
        work = _Sorting(draft_.kind, f"{place}/{draft_.object_id}", {}, is_secret=True, fresh=fresh)
        work.keep(content.fields, content.secrets, {*content.fields, *content.secrets})
        links = {}
        for deployment_id, link in content.links.items():
            side = _Sorting(draft_.kind, f"{place}/{draft_.object_id}", {}, is_secret=True, fresh=fresh)
            side.keep(link.fields, link.secrets, {*link.fields, *link.secrets})
            links[deployment_id] = Link(link.is_excluded, side.fields, side.secrets)
        rewritten[number] = Content(work.fields, work.secrets, True, content.description, content.is_auto_linked, links)
    return replace(draft_, fresh=fresh, past=rewritten)


def unlinked(content: Content, deployment_id: str) -> Content:
    """Take the link to a deployment away: it gets the object as all do, or not."""
    links = {name: link for name, link in content.links.items() if name != deployment_id}
    return _with_links(content, links, content.is_auto_linked)


def linked_to_all(content: Content, *, is_auto_linked: bool) -> Content:
    return _with_links(content, content.links, is_auto_linked)


def _with_links(content: Content, links: Mapping[str, Link], is_auto_linked: bool) -> Content:
    return replace(content, links=links, is_auto_linked=is_auto_linked)


def _secrecy(wish: Wish, before: Content, *, is_new: bool) -> bool:
    if wish.is_secret is not None:
        return wish.is_secret
    if wish.kind != "connection" and any(isinstance(value, Secret) for value in wish.fields.values()):
        return True
    return before.is_secret and not is_new


class _Sorting:
    """Puts values where they belong: in the open, or at a fresh path of the secret store."""

    def __init__(
        self,
        kind: Kind,
        place: str,
        opened: Mapping[str, Secret],
        *,
        is_secret: bool,
        drops: bool = False,
        fresh: dict[str, Secret] | None = None,
    ) -> None:
        self.fields: dict[str, Any] = {}
        self.secrets: dict[str, str] = {}
        self.fresh: dict[str, Secret] = {} if fresh is None else fresh
        self.revealed: list[str] = []
        self._kind: Kind = kind
        self._is_secret = is_secret
        self._drops = drops  # the object is not secret any more
        self._place = place
        self._opened = opened

    def keep(self, fields: Mapping[str, Any], secrets: Mapping[str, str], names: set[str]) -> None:
        """Take over what was there before; the flag may have changed since."""
        for name in sorted(names):
            is_secret = is_secret_field(self._kind, name, is_secret=self._is_secret)
            if name in secrets and (is_secret or not self._drops):
                self.secrets[name] = secrets[name]
            elif name in secrets and secrets[name] in self._opened:
                clear = self._opened[secrets[name]].reveal()
                self.fields[name] = json.loads(clear) if name.startswith("extra.") else clear
                self.revealed.append(name)
            elif name in secrets:
                continue  # the secret store lost it
            elif is_secret:
                self._put(name, text_of(name, fields[name]))
            else:
                self.fields[name] = fields[name]

    def give(self, values: Mapping[str, Any], before: Mapping[str, str]) -> None:
        """Take new values; a secret that stays the same keeps its path, so that nothing counts as changed."""
        for name, value in values.items():
            is_secret = is_secret_field(self._kind, name, is_secret=self._is_secret)
            if is_secret or (isinstance(value, Secret) and name.startswith("extra.")):
                text = text_of(name, value)
                path = before.get(name)
                if path is not None and self._opened.get(path) == text:
                    self.secrets[name] = path
                else:
                    self._put(name, text)
            else:
                self.fields[name] = value.reveal() if isinstance(value, Secret) else value

    def _put(self, name: str, text: Secret) -> None:
        path = f"{self._place}/{new_id('val')}"
        self.fresh[path] = text
        self.secrets[name] = path


def text_of(name: str, value: Any) -> Secret:
    """Give a value as the secret store keeps it: an extra as JSON text, everything else as it is."""
    clear = value.reveal() if isinstance(value, Secret) else value
    return Secret(json.dumps(clear) if name.startswith("extra.") else str(clear))
