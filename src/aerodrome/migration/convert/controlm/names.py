"""Names of DAGs, tasks, groups and pools: what Airflow takes, and for different names in Control-M different ones here."""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from zlib import crc32

from aerodrome.migration.convert.controlm.definitions.model import Folder

_SPELLED: Final = str.maketrans(
    {
        "ß": "ss",
        "ø": "o",
        "Ø": "O",
        "æ": "ae",
        "Æ": "Ae",
        "œ": "oe",
        "Œ": "Oe",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "Đ": "D",
        "ı": "i",
    }
)  # letters of Latin scripts that Unicode does not take apart


def sanitize(name: str) -> str:
    """Make a name that Airflow takes as a DAG or task id: other marks become `_`; where letters of other scripts are lost, a mark of its own stays."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", _latin(name)).strip("_")[:200]
    if plain and not is_lost(name):
        return plain
    return f"{plain[:190] or 'unnamed'}_{crc32(name.encode()):08x}"


def is_lost(name: str) -> bool:
    """Say whether a name has letters or digits for which there are no Latin ones."""
    return any(mark.isalnum() and not mark.isascii() for mark in _latin(name))


def _latin(name: str) -> str:
    """Spell a name without accents."""
    apart = unicodedata.normalize("NFKD", name.translate(_SPELLED))
    return "".join(mark for mark in apart if not unicodedata.combining(mark))


def pool_of(name: str) -> str:
    """Name the pool of a resource: letters that Airflow takes for a key; a name that is changed keeps a mark of its own."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
    return name if plain == name else f"{plain[:200]}_{crc32(name.encode()):08x}"


def free(name: str, taken: set[str]) -> str:
    """Give a name, numbered when another one has it in any spelling, and take it."""
    found, number = name, 1
    while found.lower() in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found.lower())
    return found


def name_tasks(folder: Folder) -> dict[tuple[str, ...], str]:
    """Give the full task id of every job and the group id of every sub-folder, by path; equal names are numbered.

    A group inside of another one has no name that a task or group outside of all groups has: Airflow compares it without its prefix
    (TaskGroup, used_group_ids, 2.11.2; 3.3.2 does not mind).
    """
    names: dict[tuple[str, ...], str] = {}
    outermost: set[str] = set()

    def walk(inside: Folder, group: str) -> None:
        taken: set[str] = set() if group else outermost
        inner: list[tuple[Folder, str]] = []
        for member in inside.members:
            others = taken | outermost if isinstance(member, Folder) else taken
            own = free(sanitize(member.name), others)
            taken.add(own.lower())
            full = f"{group}.{own}" if group else own
            names[member.path] = full
            if isinstance(member, Folder):
                inner.append((member, full))
        for member, full in inner:
            walk(member, full)

    walk(folder, "")
    return names
