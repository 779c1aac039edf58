"""Empty databases for rehearsals."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from aerodrome.databases.places import Place, PostgresPlace, SqlitePlace, place_of, remove_sqlite
from aerodrome.kernel.errors import Denied
from aerodrome.kernel.secret import Secret

_LEFTOVER_AFTER_S = 6 * 3600
_NAME = re.compile(r"try_([0-9a-f]{8})_[0-9a-f]{4}$")


@contextmanager
def scratch(url: Secret) -> Iterator[Secret]:
    """Give the URL of an empty database next to this one (same server, or same folder), gone at the end.

    What a killed process left behind is swept by a later call, hours afterwards.
    """
    place = place_of(url)
    _sweep(place)
    draft = place.sibling(f"try_{int(time.time()):08x}_{secrets.token_hex(2)}")
    if isinstance(draft, SqlitePlace):
        draft.path.touch(mode=0o600)
        try:
            yield draft.url
        finally:
            remove_sqlite(draft.path)
        return
    if not draft.may_make_databases():
        raise Denied(
            f"The user of {place.label} may not make databases, so there is no place for a rehearsal.",
            code="database-right-missing",
            hint="As an administrator of the server: ALTER ROLE … CREATEDB.",
        )
    draft.create(like=place if isinstance(place, PostgresPlace) else None)
    try:
        yield draft.url
    finally:
        draft.drop()


def _sweep(place: Place) -> None:
    """Remove what was left behind by processes that were killed."""
    if isinstance(place, SqlitePlace):
        for file in place.path.parent.glob(f".{place.path.name}.try_*"):
            if _is_old(file.name):
                remove_sqlite(file)
        return
    with place.maintenance().connect() as connection:
        like = place.sibling("try_").name.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%") + "%"
        names = connection.execute("select datname from pg_database where datname like %s", [like]).fetchall()
    for (name,) in names:
        if _is_old(name):
            place.named(name).drop()


def _is_old(name: str) -> bool:
    found = _NAME.search(name)
    return found is not None and time.time() - int(found.group(1), 16) > _LEFTOVER_AFTER_S
