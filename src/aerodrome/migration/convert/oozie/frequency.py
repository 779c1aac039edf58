"""When a coordinator runs: its frequency as a timetable whose logical dates are Oozie's nominal times.

Days and months count in the wall clock of the coordinator's zone, minutes and hours do not; cron counts in the server's zone: UTC, or
that of the offset with which its times are written (Oozie 4.x/5.x: CoordMaterializeTransitionXCommand, CoordELFunctions, CoordCommandUtils).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Call, Expression, Symbol
from aerodrome.migration.convert.oozie.el import Binary, Function, Literal, Name, Node, Unary, parse
from aerodrome.migration.convert.oozie.inside.oozie_cron import CronTimes, NotEveryMonth
from aerodrome.migration.convert.oozie.properties import Scope, name_in
from aerodrome.migration.convert.xmlreading import Element

TIMETABLE: Final = Symbol("OozieTimetable", {"2.11": "oozie_timetable", "3.3": "oozie_timetable"})
INSTANCES: Final = Symbol("Instances", {"2.11": "oozie_instances", "3.3": "oozie_instances"})
CRON_TIMES: Final = Symbol("CronTimes", {"2.11": "oozie_cron", "3.3": "oozie_cron"})
_UNITS: Final = {
    "coord:minutes": ("minutes", 1, ""), "coord:hours": ("hours", 1, ""), "coord:days": ("days", 1, ""), "coord:months": ("months", 1, ""),
    "coord:endOfDays": ("days", 1, "days"), "coord:endOfMonths": ("months", 1, "months"), "coord:endOfWeeks": ("days", 7, "weeks"),
}  # fmt: skip
_RESOLVED: Final = {"MINUTE": "minutes", "HOUR": "hours", "DAY": "days", "MONTH": "months"}
_ENDS: Final = {"END_OF_DAY": "days", "END_OF_WEEK": "weeks", "END_OF_MONTH": "months"}
_ZONES: Final = {
    "Universal": "UTC",
    "GMT": "UTC",
    "UTC": "UTC",
    "Zulu": "UTC",
    "CET": "CET",
    # the short names of java.time.ZoneId.SHORT_IDS
    "EST": "Etc/GMT+5", "MST": "Etc/GMT+7", "HST": "Etc/GMT+10", "ACT": "Australia/Darwin", "AET": "Australia/Sydney",
    "AGT": "America/Argentina/Buenos_Aires", "ART": "Africa/Cairo", "AST": "America/Anchorage", "BET": "America/Sao_Paulo",
    "BST": "Asia/Dhaka", "CAT": "Africa/Harare", "CNT": "America/St_Johns", "CST": "America/Chicago", "CTT": "Asia/Shanghai",
    "EAT": "Africa/Addis_Ababa", "ECT": "Europe/Paris", "IET": "America/Indiana/Indianapolis", "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo", "MIT": "Pacific/Apia", "NET": "Asia/Yerevan", "NST": "Pacific/Auckland", "PLT": "Asia/Karachi",
    "PNT": "America/Phoenix", "PRT": "America/Puerto_Rico", "PST": "America/Los_Angeles", "SST": "Pacific/Guadalcanal",
    "VST": "Asia/Ho_Chi_Minh",
}  # fmt: skip
_TIME: Final = re.compile(
    r"[ \t]*{0}-[ \t]*{0}-[ \t]*{0}T[ \t]*{0}:[ \t]*{0}(Z|[+-]\d{{4}})".format(r"(\d{1,18})"), re.ASCII
)
_FIRST_YEAR: Final = 1583
_FIELDS: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (1, 7))
_DAYS: Final = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}


@dataclass(frozen=True)
class Frequency:
    """A frequency; `cron` in Oozie's own words when it is one."""

    unit: str = ""
    amount: int = 0
    end_of: str = ""
    cron: str = ""


def frequency_of(element: Element, scope: Scope) -> Frequency | None:
    """Read the frequency of a coordinator or dataset, also as Oozie itself writes it down: a number and its unit apart."""
    unit = _RESOLVED.get(element.get("freq_timeunit").upper())
    text = scope.text(element.get("frequency")) or ""
    if unit is None or not text.isdigit() or int(text) == 0:
        return read_frequency(element.get("frequency"), scope)
    end_of = _ENDS.get(element.get("end_of_duration").upper(), "")
    return Frequency(unit, int(text) * (7 if end_of == "weeks" and unit == "days" and int(text) % 7 else 1), end_of)


def read_frequency(text: str, scope: Scope) -> Frequency | None:
    """Read a frequency; None when a value in it is not known, or it is none."""
    known = scope.text(text)
    if known is None:
        try:
            pieces = [piece for piece in parse(text.strip()) if not (isinstance(piece, str) and not piece.strip())]
        except Invalid:
            return None
        piece = pieces[0] if len(pieces) == 1 else None
        for _ in range(10):
            if not isinstance(piece, Name):
                break
            found = scope.find(piece.name)
            piece = found.pieces[0] if found and len(found.pieces) == 1 else None
        if isinstance(piece, Function) and piece.name in _UNITS and len(piece.arguments) <= 1:
            unit, times, end_of = _UNITS[piece.name]
            amount = number(piece.arguments[0], scope) if piece.arguments else 1
            return Frequency(unit, amount * times, end_of) if amount and amount > 0 else None
        known = piece if isinstance(piece, str) else None
    known = (known or "").strip()
    if known.isdigit() and int(known) > 0:
        return Frequency("minutes", int(known))
    return Frequency(cron=" ".join(known.split())) if len(known.split()) == 5 else None


def number(node: Node, scope: Scope) -> int | None:
    """Compute a whole number that is known now."""
    match node:
        case Literal(bool()):
            return None
        case Literal(int() as value):
            return value
        case Literal(str() as value) if re.fullmatch(r"-?\d+", value.strip()):
            return int(value)
        case Name() | Function("coord:conf" | "wf:conf" | "bundle:conf", _) if (name := name_in(node)) is not None:
            text = scope.constant(name)
            return int(text) if text is not None and re.fullmatch(r"\s*-?\d+\s*", text) else None
        case Unary("-", inner):
            found = number(inner, scope)
            return None if found is None else -found
        case Binary(operator, left, right) if operator in "+-*/":
            one, two = number(left, scope), number(right, scope)
            if one is None or two is None or (operator == "/" and two == 0):
                return None
            return {"+": one + two, "-": one - two, "*": one * two, "/": int(one / two) if two else 0}[operator]
    return None


def read_time(text: str, ending: str = "") -> datetime | None:
    """Read a time as an Oozie server does whose times end so: `Z`, or an offset; with either by default. None when it refuses the text.

    Its SimpleDateFormat `yyyy-MM-dd'T'HH:mm'Z'` takes numbers of any length, blanks before them, no day or hour that there is not, and
    nothing behind (Oozie 4.x/5.x: DateUtils.parseDateOozieTZ). Years before 1583, which Java counts in the Julian calendar, are not read.
    """
    match = _TIME.fullmatch(text.strip())
    if not match or (ending and match[6] != ending):
        return None
    year, month, day, hour, minute = (int(match[at]) for at in range(1, 6))
    if not _FIRST_YEAR <= year <= MAXYEAR:
        return None
    try:
        return datetime(year, month, day, hour, minute, tzinfo=distance(match[6])).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def ending_of(text: str) -> str:
    """Give what a time ends with: `Z`, or the offset of its server; nothing when it is none."""
    match = _TIME.fullmatch(text.strip())
    return match[6] if match and read_time(text) is not None else ""


def refused_time(text: str, ending: str) -> str:
    """Say why a server whose times end so refuses a text as a time."""
    if found := ending_of(text):
        return f"its other times end with {ending}, this one with {found}, and a server takes one of them"
    return f"it is no time like 2009-01-01T08:00{ending}"


def distance(ending: str) -> timezone:
    """Give the zone of times that end so; ValueError when there is none so far away."""
    if ending == "Z":
        return UTC
    hours, minutes = int(ending[1:3]), int(ending[3:])
    if hours > 23 or minutes > 59:
        raise ValueError(ending)
    return timezone((-1 if ending[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))


def read_zone(text: str) -> str | None:
    """Give the IANA name of a zone, or +05:30 for one that has none; None when it is not known; no text is UTC.

    Of offsets Oozie takes GMT+0530 and GMT+05:30 only: of GMT+5 and UTC+05:30 Java makes other names, or none (4.x/5.x: DateUtils.getTimeZone).
    """
    name = text.strip() or "UTC"
    if match := re.fullmatch(r"GMT([+-])(\d\d):?(\d\d)", name):
        if int(match[2]) > 23 or int(match[3]) > 59:
            return None
        if int(match[3]) or int(match[2]) > (14 if match[1] == "+" else 12):
            return f"{match[1]}{match[2]}:{match[3]}"
        return f"Etc/GMT{'-' if match[1] == '+' else '+'}{int(match[2])}" if int(match[2]) else "UTC"
    name = _ZONES.get(name, name)
    try:
        ZoneInfo(name)
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return None
    except KeyError:
        return None
    return name


def server_zone(ending: str) -> str:
    """Give the zone of the server whose times end so: UTC, or that of an offset.

    Oozie takes an offset only where it is that of oozie.processing.timezone, and counts crons in that zone (4.x/5.x, DateUtils,
    CoordCommandUtils).
    """
    return (read_zone(f"GMT{ending}") if ending not in ("", "Z") else None) or "UTC"


def timetable(
    frequency: Frequency,
    start: datetime,
    zone: str,
    *,
    is_catching_up: bool,
    execution: str = "FIFO",
    server: str = "UTC",
) -> Expression | None:
    """Give the timetable of a frequency, of a `server` whose crons count in that zone; None for a cron that is not computed."""
    more: list[tuple[str, Expression]] = [("execution", execution)] if execution == "NONE" else []
    if frequency.cron:
        if cron_refused(frequency.cron) is not None:
            return None
        if not more and ":" not in server and (cron := translate_cron(frequency.cron)):
            return Call(symbols.CRON, (cron,), (("timezone", server),))
        if server != "UTC":
            return None
        return Call(TIMETABLE, (start.strftime("%Y-%m-%dT%H:%MZ"),), (("cron", frequency.cron), *more))
    is_utc = zone in ("UTC", "Etc/UTC", "Etc/GMT")
    unit, amount = frequency.unit, frequency.amount
    clock = f"{start.minute} {start.hour}"
    if is_utc and not frequency.end_of and not start.second and not more:
        if (unit, amount) == ("days", 1):
            return Call(symbols.CRON, (f"{clock} * * *",), (("timezone", "UTC"),))
        if (unit, amount) == ("months", 1) and start.day <= 28:
            return Call(symbols.CRON, (f"{clock} {start.day} * *",), (("timezone", "UTC"),))
    if unit == "hours" and amount == 1 and not frequency.end_of and not more:
        return Call(symbols.CRON, (f"{start.minute} * * * *",), (("timezone", "UTC"),))
    if (unit in ("minutes", "hours") or (is_utc and unit == "days")) and not frequency.end_of and is_catching_up:
        return Call(symbols.DELTA, (timedelta(**{unit: amount}),))
    keywords: list[tuple[str, Expression]] = [("unit", unit), ("amount", amount)]
    if zone != "UTC":
        keywords.append(("zone", zone))
    if frequency.end_of:
        keywords.append(("end_of", frequency.end_of))
    return Call(TIMETABLE, (start.strftime("%Y-%m-%dT%H:%MZ"),), (*keywords, *more))


def cron_refused(cron: str) -> tuple[str, str] | None:
    """Give code and reason for a cron that Quartz refuses, or that is not computed here; None for any other."""
    try:
        CronTimes(cron, "1970-01-01T00:00Z")
    except NotEveryMonth as error:
        return "cron-unknown", f"the cron {cron!r} is not computed: {error}"
    except ValueError as error:
        return "frequency-refused", f"Oozie refuses the cron {cron!r}: {error}"
    return None


def times_of(frequency: Frequency, start: datetime, zone: str) -> tuple[str, Symbol]:
    """Write the series of a coordinator's nominal times as Python."""
    first = f'"{start:%Y-%m-%dT%H:%MZ}"'
    if frequency.cron:
        return f'CronTimes("{frequency.cron}", {first})', CRON_TIMES
    more = (f', zone="{zone}"' if zone != "UTC" else "") + (
        f', end_of="{frequency.end_of}"' if frequency.end_of else ""
    )
    return f'Instances({first}, "{frequency.unit}", {frequency.amount}{more})', INSTANCES


def translate_cron(text: str) -> str | None:
    """Write Oozie's cron (Quartz: 1 is Sunday, `a/b`, `?`) as Airflow's; None when it has no equivalent."""
    fields = text.upper().split()
    found = []
    for place, (value, (low, high)) in enumerate(zip(fields, _FIELDS, strict=True)):
        parts = [_part(part, low, high, place) for part in value.split(",")]
        if any(part is None for part in parts):
            return None
        found.append(",".join(str(part) for part in parts))
    return " ".join(found)


def _part(text: str, low: int, high: int, place: int) -> str | None:
    if text in ("*", "?"):
        return "*"
    if place == 4:
        if match := re.fullmatch(r"(\w+)#(\d)", text):
            day = _day(match[1])
            return None if day is None else f"{day}#{match[2]}"
        if match := re.fullmatch(r"(\w{3}|\d)L", text):
            day = _day(match[1])
            return None if day is None else f"L{day}"
        if text == "L":
            return "6"
    if place == 2 and text == "L":
        return "L"
    match = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?", text)
    if not match:
        return None
    first, last, step = match.groups()
    if place == 4:
        return _weekdays(first, last, step)
    if place == 3:
        months = {
            name: str(at)
            for at, name in enumerate(
                ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1
            )
        }
        first, last = months.get(first, first), months.get(last, last) if last else last
    if not (first == "*" or first.isdigit()) or (last and not last.isdigit()):
        return None
    if step is None:
        return f"{first}-{last}" if last else first
    if first == "*":
        return f"*/{step}" if low == 0 else f"{low}-{high}/{step}"
    return f"{first}-{last or high}/{step}"


def _day(text: str) -> int | None:
    number_ = _DAYS.get(text, int(text) if text.isdigit() else 0)
    return number_ - 1 if 1 <= number_ <= 7 else None


def _weekdays(first: str, last: str | None, step: str | None) -> str | None:
    """Write weekdays one by one: a range may go past Saturday."""
    start = 1 if first == "*" else (_day(first) if _day(first) is not None else -1) + 1  # type: ignore[operator]
    end = (_day(last) if _day(last) is not None else -1) + 1 if last else 7 if step or first == "*" else start  # type: ignore[operator]
    if start < 1 or end < 1:
        return None
    if end < start:
        end += 7
    days = sorted({(day - 1) % 7 for day in range(start, end + 1, int(step or 1))})
    return ",".join(map(str, days))
