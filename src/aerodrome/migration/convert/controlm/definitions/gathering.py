"""Finds Control-M definitions below a path and reads all of them together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.contract import Account, Origin, Rejected
from aerodrome.migration.convert.controlm.definitions.elements import Element
from aerodrome.migration.convert.controlm.definitions.interpreting import FOLDER_TAGS, Interpreter
from aerodrome.migration.convert.controlm.definitions.json_reading import looks_like_definitions, read_definitions
from aerodrome.migration.convert.controlm.definitions.model import Calendar, Export, Folder, Profile, Rule
from aerodrome.migration.convert.controlm.definitions.rules_reading import read_calendar
from aerodrome.migration.convert.controlm.definitions.xml_reading import looks_like_export, stream_export

_HEAD: Final = 1 << 16
_JSON_LIMIT: Final = 64 << 20
_ENDINGS: Final = {".xml", ".json"}


class _Gathered:
    def __init__(self) -> None:
        self.folders: list[Folder] = []
        self.calendars: dict[str, Calendar] = {}
        self.rules: dict[str, Rule] = {}
        self.profiles: dict[str, Profile] = {}
        self.accounts: list[Account] = []
        self.rejected: list[Rejected] = []
        self.others: list[str] = []
        self.files = 0


def gather(path: Path) -> Export:
    """Read every export and every definition below a path, in the order of their names; broken files stand in `rejected`."""
    found = _Gathered()
    root = path if path.is_dir() else path.parent
    for file in _files(path):
        name = str(file.relative_to(root))
        try:
            elements = _elements(file)
            if elements is None:
                if file.suffix.lower() in _ENDINGS:
                    found.others.append(name)
                continue
            found.files += 1
            _take(elements, name, found)
        except Invalid as error:
            found.rejected.append(
                Rejected(name, error.code, error.message, error.hint, int(error.details.get("line", 0)))
            )
    return Export(
        tuple(_without_copies(found)),
        found.calendars,
        found.rules,
        found.profiles,
        rejected=tuple(found.rejected),
        others=tuple(found.others),
        accounts=tuple(found.accounts),
        files=found.files,
    )


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in sorted(names):
            yield Path(folder, name)


def _elements(file: Path) -> Iterator[Element] | None:
    """Give the elements of a file, None when it holds no definitions."""
    with file.open("rb") as source:
        head = source.read(_HEAD)
    if looks_like_export(head):
        return stream_export(file)
    if file.suffix.lower() == ".json" or head.lstrip()[:1] == b"{":
        if file.stat().st_size > _JSON_LIMIT:
            raise Invalid(
                f"{file.name} has more than {_JSON_LIMIT >> 20} MiB.",
                code="json-too-large",
                hint="Deploy and export it in parts.",
            )
        text = file.read_text(encoding="utf-8-sig", errors="replace")
        return read_definitions(file) if looks_like_definitions(text) else None
    return None


def _take(elements: Iterator[Element], name: str, found: _Gathered) -> None:
    interpreter = Interpreter(name)
    loose = Element("FOLDER", {"FOLDER_NAME": Path(name).stem})
    for element in elements:
        origin = Origin(name, "", element.line)
        if element.tag in FOLDER_TAGS:
            found.folders.append(interpreter.folder(element))
        elif element.tag == "JOB":
            loose.children.append(element)
        elif element.tag == "CALENDAR":
            _take_calendar(element, origin, found)
        elif element.tag == "RULE_BASED_CALENDAR":
            read = read_calendar(Element("CALENDAR", {"TYPE": "RULE"}, [element]))
            if isinstance(read, Rule):
                found.rules[read.name] = read
                found.accounts.append(Account("CALENDAR", "converted", origin, name=read.name))
        elif element.tag == "CONNECTION_PROFILE":
            profile = _profile(element)
            found.profiles[profile.name] = profile
            found.accounts.append(Account("CONNECTION_PROFILE", "converted", origin, name=profile.name))
        elif element.tag == "JSON.Twice":
            lost = f" It lacks what the others have: {element.take('LOST')[:200]}." if element.take("LOST") else ""
            text = f"The name {element.take('NAME')} stands more than once in one object: only the last one counts, as readers of JSON have it.{lost}"
            found.accounts.append(Account("JSON", "caveat", origin, "json-twice", text))
        elif element.tag == "JSON.Comments":
            text = "It has comments, or commas before a closing bracket, which JSON does not have: they are left out."
            found.accounts.append(Account("JSON", "caveat", origin, "json-repaired", text))
        else:
            text = f"<{element.tag}> is not known to the converter and has no effect."
            found.accounts.append(Account(element.tag, "caveat", origin, "unknown-element", text))
    if loose.children:
        found.folders.append(interpreter.folder(loose))


def _take_calendar(element: Element, origin: Origin, found: _Gathered) -> None:
    read = read_calendar(element)
    name = element.take("NAME", "CALENDAR_NAME")
    if isinstance(read, Calendar):
        known = found.calendars.get(read.name)
        found.calendars[read.name] = _joined(known, read) if known else read
    elif isinstance(read, Rule):
        found.rules[read.name] = read
    else:
        text = f"The calendar {name} is of the type {element.take('TYPE')}, which is not converted: jobs that use it have no schedule."
        found.accounts.append(Account("CALENDAR", "caveat", origin, "calendar-type", text, name))
        return
    found.accounts.append(Account("CALENDAR", "converted", origin, name=name))


def _joined(first: Calendar, second: Calendar) -> Calendar:
    """Join the years of a calendar that stands in several files."""
    return Calendar(
        first.name, first.dates | second.dates, min(first.first, second.first), max(first.last, second.last)
    )


def _profile(element: Element) -> Profile:
    port = element.take("PORT")
    return Profile(
        element.take("NAME"),
        element.take("TYPE"),
        element.take("HOST", "HOSTNAME", "URL", "ENDPOINT"),
        int(port) if port.isdigit() else None,
        element.take("USER", "USERNAME"),
        element.take("DATABASE", "DATABASENAME", "SID", "SERVICENAME"),
    )


def _without_copies(found: _Gathered) -> list[Folder]:
    """Leave out folders that stand word for word in more than one file."""
    seen: dict[str, str] = {}
    kept = []
    for folder in found.folders:
        print_of = _print(folder)
        if print_of in seen and seen[print_of] != folder.origin.file:
            text = f"The folder {folder.name} stands in {seen[print_of]} in the same words; it is converted once."
            found.accounts.append(Account("FOLDER", "caveat", folder.origin, "folder-copy", text, folder.name))
            continue
        seen.setdefault(print_of, folder.origin.file)
        kept.append(folder)
    return kept


def _print(folder: Folder) -> str:
    """Give a text that two folders share only when they say the same; file names and lines do not count."""
    import re

    return re.sub(r"Origin\([^)]*\)|line=\d+|accounts=\(.*\)", "", repr(folder))
