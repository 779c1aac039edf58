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
from aerodrome.migration.convert.oozie.el import Literal, Name, Node, Piece, Unary, parse
from aerodrome.migration.convert.oozie.properties import Layer, Scope, name_in
from aerodrome.migration.convert.xmlreading import Element

_ALERT: Final = Symbol("DeadlineAlert", {"3.3": "airflow.sdk", "2.11": ""})
_BASES: Final = {  # what should-end is counted from: the nominal time, or the time at which the run was made
    "coord:nominalTime": "DAGRUN_LOGICAL_DATE",
    "coord:actualTime": "DAGRUN_QUEUED_AT",
}
_UNITS: Final = {"MINUTE": 1, "HOUR": 60, "DAY": 1440, "WEEK": 10080}
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
    contact, limits, left = _limits(info, scope, "DAGRUN_QUEUED_AT")
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
    reason = f"{'; '.join(words)}; events of success are not told{_left(left)}"
    return Watch(arguments, "sla-deadline", reason, begin, _TELL)


def watch_action(info: Element, scope: Scope) -> Watch:
    """Watch <sla:info> of an action by callbacks of its task, which are its `arguments` for every target."""
    contact, limits, left = _limits(info, scope, "task")
    if not contact or not limits:
        return Watch({}, "sla-unknown", "the limit or the contact of its SLA is not known: it is not watched")
    told = {name: _told(name, _SINCE.get(since, since), minutes, contact) for name, (since, minutes) in limits.items()}
    given: list[tuple[str, Expression]] = []
    if "should-start" in told:
        given.append(("on_execute_callback", told.pop("should-start")))
    if told:
        ends = list(told.values())
        given += [("on_success_callback", ends), ("on_failure_callback", ends)]
    reason = f"its SLA is told when it starts or ends late, not before; events of success are not told{_left(left)}"
    return Watch(dict.fromkeys(("2.11", "3.3"), tuple(given)), "sla-late", reason, function=_TELL)


def _limits(info: Element, scope: Scope, duration: str) -> tuple[str, dict[str, tuple[str, int]], list[str]]:
    """Give the contact, the limits that are watched, by what each is counted from and the minutes, and those that are not."""
    known = Scope((*scope.layers, Layer("minutes", _MINUTES)))
    base = _base(info.value("nominal-time"), scope)
    events = scope.text(info.value("alert-events")) or ""
    found: dict[str, tuple[str, int]] = {}
    left: list[str] = []
    for name, event in _EVENTS.items():
        if not info.value(name) or (events and event not in events.lower()):
            continue
        minutes = _sla_minutes(info.value(name), known)
        since, more = (duration, 0) if name == "max-duration" else base or (None, 0)
        if minutes is not None and since is not None and minutes + more >= 0:
            found[name] = (since, minutes + more)
        else:
            left.append(name)
    return scope.text(info.value("alert-contact")) or "", found, left


def _left(names: list[str]) -> str:
    return (
        f"; {' and '.join(names)}: what it is counted from or its minutes are not known, it is not watched"
        if names
        else ""
    )


def _told(name: str, since: str, minutes: int, contact: str) -> Code:
    return Code(f'{_TELL.name}("{name}", "{since}", {minutes}, {contact!r})')


def _base(text: str, scope: Scope) -> tuple[str, int] | None:
    """Tell what the limits are counted from, and how many minutes after it: also a value that the coordinator gives its workflow."""
    try:
        pieces = parse(text.strip())
    except Invalid:
        return None
    for _ in range(10):
        match pieces:
            case (Name(name),) if (found := scope.find(name)) is not None and found.pieces != pieces:
                pieces = found.pieces
            case (node,):
                return _counted(node)
            case _:
                return None
    return None


def _counted(node: Piece) -> tuple[str, int] | None:
    """Read a time of the run, which may lie a fixed time after or before another one: days of Oozie's server have 24 hours."""
    match node:
        case ElCall(name, ()) if name in _BASES:
            return _BASES[name], 0
        case ElCall("coord:dateOffset", (time, amount, Literal(unit))) if str(unit).upper() in _UNITS:
            sign, value = (-1, amount.value) if isinstance(amount, Unary) and amount.operator == "-" else (1, amount)
            before = _counted(time)
            if before is None or not isinstance(value, Literal) or not isinstance(value.value, int):
                return None
            return before[0], before[1] + sign * value.value * _UNITS[str(unit).upper()]
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
    if len(pieces) != 1 or isinstance(pieces[0], str):
        return None
    return frequency.number(_given(pieces[0], scope), scope)


def _given(node: Node, scope: Scope) -> Node:
    """Give the expression that is the value of a name: `limit=${10 * MINUTES}` (Oozie 4.x/5.x, example apps/bundle: job.properties)."""
    for _ in range(10):
        name = name_in(node)
        found = scope.find(name) if name is not None and scope.constant(name) is None else None
        if found is None or len(found.pieces) != 1 or isinstance(found.pieces[0], str):
            return node
        node = found.pieces[0]
    return node
