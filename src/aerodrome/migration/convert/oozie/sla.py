"""The SLA of a coordinator or a workflow, as a deadline of Airflow 3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import (
    Code,
    Expression,
    Symbol,
    Target,
)
from aerodrome.migration.convert.oozie import frequency
from aerodrome.migration.convert.oozie.el import Function, Name, parse
from aerodrome.migration.convert.oozie.properties import Layer, Scope
from aerodrome.migration.convert.xmlreading import Element

_ALERT: Final = Symbol("DeadlineAlert", {"3.3": "airflow.sdk", "2.11": ""})
_BASES: Final = {  # what should-end is counted from: the nominal time, or the time at which the run was made
    "coord:nominalTime": "DAGRUN_LOGICAL_DATE",
    "coord:actualTime": "DAGRUN_QUEUED_AT",
}
_MINUTES: Final = {"MINUTES": "1", "HOURS": "60", "DAYS": "1440"}


@dataclass(frozen=True)
class Watch:
    """What becomes of an SLA: arguments of the DAG, and the caveat that says so."""

    arguments: Mapping[Target, tuple[tuple[str, Expression], ...]]
    code: str
    reason: str


def watch(info: Element, scope: Scope) -> Watch:
    """Give the deadline of <sla:info> of a coordinator or workflow, for Airflow 3."""
    known = Scope((Layer("minutes", _MINUTES), *scope.layers))
    end, longest = (_sla_minutes(info.value(name), known) for name in ("should-end", "max-duration"))
    base = _base(info.value("nominal-time"), scope)
    contact = scope.text(info.value("alert-contact"))
    watched = {}
    if end is not None and base is not None:
        watched["should-end"] = (base, end)
    if longest is not None:
        watched["max-duration"] = ("DAGRUN_QUEUED_AT", longest)
    if not watched or not contact:
        return Watch({}, "sla-unknown", "its limit or its contact is not known: it is not watched")
    left = [name for name in ("should-start", "should-end", "max-duration") if info.value(name) and name not in watched]
    beside = f"; {', '.join(left)} and events of success are not" if left else "; events of success are not"
    reason = f"{' and '.join(watched)} {'is' if len(watched) == 1 else 'are'} watched, only by Airflow 3{beside}"
    alerts = [_alert(name, *limit, contact) for name, limit in watched.items()]
    return Watch({"3.3": (("deadline", alerts[0] if len(alerts) == 1 else alerts),)}, "sla-deadline", reason)


def _base(text: str, scope: Scope) -> str | None:
    """Tell what the limits are counted from: also a value that the coordinator gives its workflow."""
    for _ in range(10):
        try:
            pieces = parse(text.strip())
        except Invalid:
            return None
        match pieces:
            case (Function(name, ()),):
                return _BASES.get(name)
            case (Name(name),) if (found := scope.find(name)) is not None and len(found.pieces) == 1:
                piece = found.pieces[0]
                if isinstance(piece, Function):
                    return _BASES.get(piece.name) if not piece.arguments else None
                text = f"${{{piece.name}}}" if isinstance(piece, Name) and piece.name != name else ""
            case _:
                return None
    return None


def _alert(name: str, reference: str, minutes: int, contact: str) -> Code:
    return Code(
        f"DeadlineAlert(reference=DeadlineReference.{reference}, interval=timedelta(minutes={minutes}), "
        f'callback=AsyncCallback(SmtpNotifier, kwargs={{"to": {contact!r}, "subject": "SLA of {{{{ dag_run.dag_id }}}} missed: {name}"}}))',
        (
            _ALERT,
            Symbol("DeadlineReference", {"3.3": "airflow.sdk", "2.11": ""}),
            Symbol("AsyncCallback", {"3.3": "airflow.sdk", "2.11": ""}),
            symbols.TIMEDELTA,
            symbols.SMTP_NOTIFIER,
        ),
    )


def _sla_minutes(text: str, scope: Scope) -> int | None:
    if not text or text.count("${") > 1:
        return None
    if text.strip().isdigit():
        return int(text)
    try:
        pieces = parse(text.strip())
    except Invalid:
        return None
    return frequency.number(pieces[0], scope) if len(pieces) == 1 and not isinstance(pieces[0], str) else None
