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
_MINUTES: Final = {"MINUTES": "1", "HOURS": "60", "DAYS": "1440"}


def deadline(plan: Plan, root: Element) -> dict[Target, tuple[tuple[str, Expression], ...]]:
    """Give the deadline of <sla:info>, for Airflow 3."""
    info = (root.first("action") or root).first("info")
    if info is None:
        return {}
    scope = Scope((Layer("minutes", _MINUTES), *plan.scope.layers))
    text = info.value("should-end") or info.value("max-duration")
    minutes = _sla_minutes(text, scope)
    contact = plan.scope.text(info.value("alert-contact"))
    if minutes is None or not contact:
        plan.note("sla", "caveat", "sla-unknown", "its limit or its contact is not known: it is not watched", at=info)
        return {}
    reference = "DAGRUN_LOGICAL_DATE" if info.value("should-end") else "DAGRUN_QUEUED_AT"
    alert = Code(
        f"DeadlineAlert(reference=DeadlineReference.{reference}, interval=timedelta(minutes={minutes}), "
        f'callback=AsyncCallback(SmtpNotifier, kwargs={{"to": {contact!r}, "subject": "SLA of {{{{ dag_run.dag_id }}}} missed"}}))',
        (
            _ALERT,
            Symbol("DeadlineReference", {"3.3": "airflow.sdk", "2.11": ""}),
            Symbol("AsyncCallback", {"3.3": "airflow.sdk", "2.11": ""}),
            symbols.TIMEDELTA,
            symbols.SMTP_NOTIFIER,
        ),
    )
    what = "should-end" if info.value("should-end") else "max-duration"
    plan.note(
        "sla",
        "caveat",
        "sla-deadline",
        f"only {what} is watched, and only by Airflow 3; should-start and events of success are not",
        at=info,
    )
    return {"3.3": (("deadline", alert),)}


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
