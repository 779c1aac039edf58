"""The SLA of a coordinator, a workflow or an action: deadlines of Airflow 3, callbacks for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import (
    Code,
    Expression,
    Function,
    Symbol,
    Target,
)
from aerodrome.migration.convert.oozie import frequency
from aerodrome.migration.convert.oozie.el import Function as ElCall
from aerodrome.migration.convert.oozie.el import Name, parse
from aerodrome.migration.convert.oozie.properties import Layer, Scope
from aerodrome.migration.convert.xmlreading import Element

_ALERT: Final = Symbol("DeadlineAlert", {"3.3": "airflow.sdk", "2.11": ""})
_BASES: Final = {  # what should-end is counted from: the nominal time, or the time at which the run was made
    "coord:nominalTime": "DAGRUN_LOGICAL_DATE",
    "coord:actualTime": "DAGRUN_QUEUED_AT",
}
_MINUTES: Final = {"MINUTES": "1", "HOURS": "60", "DAYS": "1440"}


_TELL: Final = Function(
    "tell_when_late",
    '''
def tell_when_late(what, since, minutes, to):
    """Make a callback that mails when a task or a run comes so many minutes later than its SLA: counted from nominal, run or task."""

    def callback(context):
        ti, run = context.get("ti"), context["dag_run"]
        begin = run.logical_date if since == "nominal" else (ti if since == "task" else run).start_date
        if begin is not None and datetime.now(timezone.utc) > begin + timedelta(minutes=minutes):
            SmtpNotifier(to=to, subject=f"SLA of {ti.task_id if ti else run.run_id} in {run.dag_id} missed: {what}").notify(context)

    return callback
''',
    (
        symbols.DATETIME,
        symbols.TIMEDELTA,
        Symbol("timezone", {"2.11": "datetime", "3.3": "datetime"}),
        symbols.SMTP_NOTIFIER,
    ),
)
_SINCE: Final = {"DAGRUN_LOGICAL_DATE": "nominal", "DAGRUN_QUEUED_AT": "run"}
_EVENTS: Final = {"should-start": "start_miss", "should-end": "end_miss", "max-duration": "duration_miss"}


@dataclass(frozen=True)
class Watch:
    """What becomes of an SLA: arguments of the DAG, the callback of the first task, and the caveat that says so."""

    arguments: Mapping[Target, tuple[tuple[str, Expression], ...]]
    code: str
    reason: str
    begin: Code | None = None
    function: Function | None = None


def watch(info: Element, scope: Scope) -> Watch:
    """Watch <sla:info> of a coordinator or workflow: by deadlines of Airflow 3, when the run ends by Airflow 2; a late start when it starts."""
    contact, limits = _limits(info, scope, "DAGRUN_QUEUED_AT")
    if not contact or not limits:
        return Watch({}, "sla-unknown", "its limit or its contact is not known: it is not watched")
    start = limits.pop("should-start", None)
    alerts = [_alert(name, *limit, contact) for name, limit in limits.items()]
    told = [_told(name, _SINCE.get(since, since), minutes, contact) for name, (since, minutes) in limits.items()]
    arguments: dict[Target, tuple[tuple[str, Expression], ...]] = {}
    if alerts:
        arguments["3.3"] = (("deadline", alerts[0] if len(alerts) == 1 else alerts),)
    if told:
        arguments["2.11"] = (("on_success_callback", told), ("on_failure_callback", told))
    begin = _told("should-start", _SINCE.get(start[0], start[0]), start[1], contact) if start else None
    words = []
    if limits:
        words.append(f"{' and '.join(limits)}: by Airflow 3 at that time, by Airflow 2 when the run ends")
    if begin:
        words.append("should-start: told when the first task starts late, not before")
    return Watch(arguments, "sla-deadline", f"{'; '.join(words)}; events of success are not told", begin, _TELL)


def watch_action(info: Element, scope: Scope) -> Watch:
    """Watch <sla:info> of an action by callbacks of its task, which are its `arguments` for every target."""
    contact, limits = _limits(info, scope, "task")
    if not contact or not limits:
        return Watch({}, "sla-unknown", "the limit or the contact of its SLA is not known: it is not watched")
    told = {name: _told(name, _SINCE.get(since, since), minutes, contact) for name, (since, minutes) in limits.items()}
    given: list[tuple[str, Expression]] = []
    if "should-start" in told:
        given.append(("on_execute_callback", told.pop("should-start")))
    if told:
        ends = list(told.values())
        given += [("on_success_callback", ends), ("on_failure_callback", ends)]
    reason = "its SLA is told when it starts or ends late, not before; events of success are not told"
    return Watch(dict.fromkeys(("2.11", "3.3"), tuple(given)), "sla-late", reason, function=_TELL)


def _limits(info: Element, scope: Scope, duration: str) -> tuple[str, dict[str, tuple[str, int]]]:
    """Give the contact and the limits that are watched: what each is counted from, and the minutes."""
    known = Scope((*scope.layers, Layer("minutes", _MINUTES)))
    base = _base(info.value("nominal-time"), scope)
    events = scope.text(info.value("alert-events")) or ""
    found: dict[str, tuple[str, int]] = {}
    for name, event in _EVENTS.items():
        minutes = _sla_minutes(info.value(name), known)
        since = duration if name == "max-duration" else base
        if minutes is not None and since is not None and (not events or event in events.lower()):
            found[name] = (since, minutes)
    return scope.text(info.value("alert-contact")) or "", found


def _told(name: str, since: str, minutes: int, contact: str) -> Code:
    return Code(f'{_TELL.name}("{name}", "{since}", {minutes}, {contact!r})')


def _base(text: str, scope: Scope) -> str | None:
    """Tell what the limits are counted from: also a value that the coordinator gives its workflow."""
    for _ in range(10):
        try:
            pieces = parse(text.strip())
        except Invalid:
            return None
        match pieces:
            case (ElCall(name, ()),):
                return _BASES.get(name)
            case (Name(name),) if (found := scope.find(name)) is not None and len(found.pieces) == 1:
                piece = found.pieces[0]
                if isinstance(piece, ElCall):
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
