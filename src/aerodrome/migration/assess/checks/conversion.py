"""What the conversion of Oozie or Control-M definitions left for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from aerodrome.migration.assess.contract import Check, Place
from aerodrome.migration.assess.inventory import Inventory
from aerodrome.migration.estate.records import ConversionRecord

_CALENDARS = ("calendar-missing", "days-need-calendar", "weekdays-need-calendar", "schedule-unknown")
_PRODUCERS = ("condition-unknown-producer",)


def _is_calendar(item: ConversionRecord) -> bool:
    return item.code in _CALENDARS


def _is_producer(item: ConversionRecord) -> bool:
    return item.code in _PRODUCERS


def _told(is_meant: Callable[[ConversionRecord], bool]) -> Callable[[Inventory], Iterator[Place]]:
    """Give a place per record; the calendars and producers of a conversion are told once, by their own checks."""

    def find(inventory: Inventory) -> Iterator[Place]:
        for item in inventory.conversions:
            if is_meant(item):
                subject = f"dag:{item.dag_id}" if item.dag_id else f"file:definitions/{item.file}"
                message = f"{item.element}: {item.message}" if item.element else item.message
                yield Place(subject, message, f"definitions/{item.file}", item.line or None)

    return find


def _plain(outcome: str) -> Callable[[ConversionRecord], bool]:
    return lambda item: item.outcome == outcome and not _is_calendar(item) and not _is_producer(item)


CHECKS = (
    Check(
        "convert-rejected", "blocker", "A definition that cannot be converted",
        "Mend the file, or leave it out, then assess again.", _told(lambda item: item.outcome == "rejected"), 1,
    ),
    Check(
        "convert-raises", "warning", "A task that raises until somebody completes it",
        "Complete the task in the converted DAG, or change the definition or the profile, before its DAG moves.",
        _told(_plain("raises")), 2,
    ),
    Check(
        "convert-caveat", "info", "An element whose meaning differs in a named way",
        "Read whether that matters here.", _told(_plain("caveat")), 0.1,
    ),
    Check(
        "convert-question", "warning", "A value that no file gives",
        "Give it in the profile file, then assess again.", _told(_plain("question")), 0.25,
    ),
    Check(
        "convert-calendar", "warning", "A calendar that is not among the definitions",
        "Export it too, or name it in the profile; without it nobody knows when the DAG runs.",
        _told(lambda item: item.outcome != "rejected" and _is_calendar(item)), 0.5,
    ),
    Check(
        "convert-producer", "warning", "A condition that nothing among the definitions adds",
        "Export the folder that adds it too; or find out who does, and let that update the asset.",
        _told(lambda item: item.outcome != "rejected" and not _is_calendar(item) and _is_producer(item)), 0.5,
    ),
)  # fmt: skip
