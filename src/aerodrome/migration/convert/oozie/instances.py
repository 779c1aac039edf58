"""The instances of a dataset that a data-in or a data-out names, as Python of the nominal time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.oozie import frequency
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.datasets import DataSet, Event, asked_dataset, asked_params, dataset_name
from aerodrome.migration.convert.oozie.el import Binary, Conditional, Literal, Name, Node, Unary, parse
from aerodrome.migration.convert.oozie.el import Function as ElCall
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.oozie.properties import Scope, name_in
from aerodrome.migration.convert.xmlreading import Element

_OFFSET_UNITS: Final = {"MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "YEAR"}


_Instance = tuple[str, str, str, str]  # kind, amount, unit, limit


def read_event(element: Element, datasets: Mapping[str, DataSet], zone: str, compiler: Compiler) -> Event:
    """Read a data-in or data-out; Unsupported says what cannot be known. The compiler is one for Python."""
    name = dataset_name(element, compiler.scope)
    found = datasets.get(name) or asked_dataset(name)
    texts = [item.text.strip() for item in element.every("instance")]
    ends = _ends(texts[0], found, zone, compiler) if len(texts) == 1 else None
    if start := element.value("start-instance"):
        ends = [_instance(text, found, zone, compiler) for text in (start, element.value("end-instance"))]
    if ends is not None:
        first, last = ends
        if (first[0], last[0]) == ("absolute", "current"):
            moment = frequency.read_time(first[1])
            return Event(element.get("name"), found, "since", "", last[1], moments=(moment,) if moment else ())
        if (first[0], last[0]) == ("end", "current"):
            return Event(element.get("name"), found, "end", first[1], last[1], first[2])
        if first[0] != last[0] or first[0] == "end":
            raise Unsupported("instance-mixed", "Oozie refuses a range between instances of these kinds")
        if first[0] == "absolute":
            raise Unsupported("instance-absolute-range", "a range between fixed times has no equivalent")
        if first[0] == "offset":
            return Event(element.get("name"), found, "offset", first[1], last[1], first[2], last[2])
        return Event(element.get("name"), found, first[0], first[1], last[1], limit=last[3])
    parts = [_instance(text, found, zone, compiler) for text in texts]
    if not parts:
        raise Unsupported("instance-missing", "it names no instance")
    kinds = {part[0] for part in parts}
    if kinds == {"absolute"}:
        moments = tuple(moment for part in parts if (moment := frequency.read_time(part[1])) is not None)
        return Event(element.get("name"), found, "absolute", "", "", moments=moments)
    if len(parts) == 1:
        kind, amount, unit, limit = parts[0]
        if kind == "end":
            raise Unsupported(
                "instance-refused", "Oozie takes coord:endOf…() only as the start of a range to current()"
            )
        return Event(element.get("name"), found, kind, amount, amount, unit, limit=limit)
    if kinds == {"latest"} and (span := _span([part[1] for part in parts])):
        return Event(element.get("name"), found, "latest", *span)
    if not kinds <= {"current", "offset", "absolute"}:
        raise Unsupported(
            "instance-mixed", "several instances of latest() or future() beside others have no equivalent"
        )
    return Event(element.get("name"), found, "several", "", "", parts=tuple(part[:3] for part in parts))


def _ends(text: str, dataset: DataSet, zone: str, compiler: Compiler) -> list[_Instance] | None:
    """Give both ends of a range that is written as one instance, which Oozie's functions of that name are; None for any other."""
    match compiler.pieces(text):
        case (ElCall("coord:currentRange" | "coord:latestRange" as name, (first, last)),):
            calls = [ElCall(name.removesuffix("Range"), (amount,)) for amount in (first, last)]
        case (ElCall("coord:futureRange", (first, last, limit)),):
            calls = [ElCall("coord:future", (amount, limit)) for amount in (first, last)]
        case _:
            return None
    return [found for call in calls if (found := _instance_of(call, dataset, zone, compiler)) is not None]


def _span(amounts: list[str]) -> tuple[str, str] | None:
    """Give the range that amounts one by one are, from the newest on; None when they are none."""
    if not all(re.fullmatch(r"-?\d+", text) for text in amounts):
        return None
    numbers = list(map(int, amounts))
    if numbers != list(range(numbers[0], numbers[0] - len(numbers), -1)):
        return None
    return amounts[-1], amounts[0]


def _instance(text: str, dataset: DataSet, zone: str, compiler: Compiler) -> _Instance:
    """Give kind, amount, unit and limit of an instance."""
    scope = compiler.scope
    fixed = scope.text(text)
    if fixed is not None and frequency.read_time(fixed, compiler.words.ending):
        return "absolute", fixed, "", ""
    try:
        pieces = [piece for piece in parse(text) if not (isinstance(piece, str) and not piece.strip())]
    except Invalid as error:
        raise Unsupported("el-invalid", error.message) from error
    piece = pieces[0] if len(pieces) == 1 else None
    for _ in range(10):
        if not isinstance(piece, Name):
            break
        value = scope.find(piece.name)
        if value is None:
            break
        piece = value.pieces[0] if len(value.pieces) == 1 else None
    found = None if piece is None or isinstance(piece, str) else _instance_of(piece, dataset, zone, compiler)
    if found is None and isinstance(piece, Name):
        raise Unsupported(
            "instance-asked",
            f"the instance {text!r} is not known: give ${{{piece.name}}} under `defaults` in the profile, such as ${{coord:current(0)}}",
        )
    if found is None:
        raise Unsupported("instance-unknown", f"the instance {text!r} has no equivalent")
    return found


def _instance_of(node: Node, dataset: DataSet, zone: str, compiler: Compiler) -> _Instance | None:
    """Give kind, amount, unit and limit of an instance as an expression; None when it has no equivalent."""
    match node:
        case ElCall("coord:current" | "coord:latest" as name, (amount,)):
            return name.partition(":")[2], python_number(amount, dataset, zone, compiler), "", ""
        case ElCall("coord:future", (amount, limit)):
            numbers = [python_number(item, dataset, zone, compiler) for item in (amount, limit)]
            return "future", numbers[0], "", numbers[1]
        case ElCall("coord:offset", (amount, Literal(unit))) if str(unit).upper() in _OFFSET_UNITS:
            return "offset", python_number(amount, dataset, zone, compiler), str(unit).upper(), ""
        case ElCall("coord:endOfDays" | "coord:endOfWeeks" | "coord:endOfMonths" as name, (amount,)):
            return "end", python_number(amount, dataset, zone, compiler), name.partition("endOf")[2].lower(), ""
        case ElCall("coord:absolute", (Literal(moment),)) if frequency.read_time(str(moment), compiler.words.ending):
            return "absolute", str(moment), "", ""
        case Conditional(test, yes, no):
            is_true = _known_truth(test, compiler.scope)
            if is_true is not None:
                return _instance_of(yes if is_true else no, dataset, zone, compiler)
            one, two = (_instance_of(item, dataset, zone, compiler) for item in (yes, no))
            if one is None or two is None or (one[0], one[2:]) != (two[0], two[2:]) or one[0] == "absolute":
                return None
            return one[0], f"({one[1]} if {compiler.truth(test)} else {two[1]})", one[2], one[3]
    return None


def _known_truth(node: Node, scope: Scope) -> bool | None:
    """Decide a comparison of texts that are known now; None when one is not."""
    match node:
        case Binary("==" | "!=" as operator, left, right):
            one, two = _known_text(left, scope), _known_text(right, scope)
            return None if one is None or two is None else (one == two) == (operator == "==")
    return None


def _known_text(node: Node, scope: Scope) -> str | None:
    match node:
        case Literal(str() as value):
            return value
        case Name(name):
            return scope.constant(name)
    return None


def python_number(node: Node, dataset: DataSet, zone: str, compiler: Compiler) -> str:
    """Write a whole number as Python: fixed, computed from the nominal time, or a param of the DAG.

    daysInMonth(n) and hoursInDay(n) are those of the nominal time moved by n instances of the dataset, in the dataset's zone (Oozie 4.x/5.x:
    CoordELFunctions.ph2_coord_daysInMonth).
    """
    known = frequency.number(node, compiler.scope)
    if known is not None:
        return str(known)
    match node:
        case Unary("-", inner):
            return f"-({python_number(inner, dataset, zone, compiler)})"
        case Binary(operator, left, right) if operator in "+-*/":
            one, two = (python_number(item, dataset, zone, compiler) for item in (left, right))
            return f"int({one} / {two})" if operator == "/" else f"({one} {operator} {two})"
        case ElCall("coord:daysInMonth" | "coord:hoursInDay" as asked, (amount,)):
            if {"zone", "unit", "amount"} & set(dataset.asked):
                raise Unsupported("instance-number", f"{asked}() counts instances of a dataset that nobody defines")
            function = "days_in_month" if asked == "coord:daysInMonth" else "hours_in_day"
            steps = python_number(amount, dataset, zone, compiler)
            apart = "" if steps == "0" else f', {steps}, "{dataset.frequency.unit}", {dataset.frequency.amount}'
            return f'{function}(logical_date, "{dataset.zone}"{apart})'
        case ElCall("coord:tzOffset", ()):
            if "zone" in dataset.asked:
                own = compiler.parameter(asked_params(dataset.name)["zone"], None)
                return f'tz_offset(logical_date, {own}, "{zone}")'
            return f'tz_offset(logical_date, "{dataset.zone}", "{zone}")'
        case Name() | ElCall("coord:conf" | "wf:conf", _) if (name := name_in(node)) and compiler.scope.constant(
            name
        ) is None:
            return f"int({compiler.text_of(node)})"
    raise Unsupported("instance-number", "the number of an instance is not known")
