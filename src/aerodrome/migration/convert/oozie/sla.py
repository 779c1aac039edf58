"""The SLA of a coordinator, as a deadline of Airflow 3."""

from __future__ import annotations

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
from aerodrome.migration.convert.oozie.el import parse
from aerodrome.migration.convert.oozie.plan import Plan
from aerodrome.migration.convert.oozie.properties import Layer, Scope
from aerodrome.migration.convert.xmlreading import Element

_ALERT: Final = Symbol("DeadlineAlert", {"3.3": "airflow.sdk", "2.11": ""})
_BASES: Final = {  # what should-end is counted from: the nominal time, or the time at which the run was made
    "${coord:nominalTime()}": "DAGRUN_LOGICAL_DATE",
    "${coord:actualTime()}": "DAGRUN_QUEUED_AT",
}
_MINUTES: Final = {"MINUTES": "1", "HOURS": "60", "DAYS": "1440"}


def deadline(plan: Plan, root: Element) -> dict[Target, tuple[tuple[str, Expression], ...]]:
    """Give the deadline of <sla:info>, for Airflow 3."""
    info = (root.first("action") or root).first("info")
    if info is None:
        return {}
    scope = Scope((Layer("minutes", _MINUTES), *plan.scope.layers))
    end, longest = (_sla_minutes(info.value(name), scope) for name in ("should-end", "max-duration"))
    base = _BASES.get(info.value("nominal-time").replace(" ", ""))
    contact = plan.scope.text(info.value("alert-contact"))
    watched = {}
    if end is not None and base is not None:
        watched["should-end"] = (base, end)
    if longest is not None:
        watched["max-duration"] = ("DAGRUN_QUEUED_AT", longest)
    if not watched or not contact:
        plan.note("sla", "caveat", "sla-unknown", "its limit or its contact is not known: it is not watched", at=info)
        return {}
    left = [name for name in ("should-start", "should-end", "max-duration") if info.value(name) and name not in watched]
    beside = f"; {', '.join(left)} and events of success are not" if left else "; events of success are not"
    reason = f"{' and '.join(watched)} {'is' if len(watched) == 1 else 'are'} watched, only by Airflow 3{beside}"
    plan.note("sla", "caveat", "sla-deadline", reason, at=info)
    alerts = [_alert(name, *limit, contact) for name, limit in watched.items()]
    return {"3.3": (("deadline", alerts[0] if len(alerts) == 1 else alerts),)}


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
