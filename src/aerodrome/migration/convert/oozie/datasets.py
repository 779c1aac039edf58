"""Datasets and events of a coordinator: which instances a run waits for, and which it makes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Call, Code, Expression, Function, Symbol, Task
from aerodrome.migration.convert.oozie import frequency
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.el import Binary, Literal, Name, Node
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.oozie.properties import Scope
from aerodrome.migration.convert.oozie.writing import constant
from aerodrome.migration.convert.xmlreading import Element

_PARTS: Final = {"YEAR": "%Y", "MONTH": "%m", "DAY": "%d", "HOUR": "%H", "MINUTE": "%M"}
POKE: Final = Symbol("PokeReturnValue", {"2.11": "airflow.sensors.base", "3.3": "airflow.sdk"})
_ASKED: Final = {
    "initial-instance": "Its first instance: 2015-01-01T00:00Z",
    "unit": "Of its frequency: minutes, hours, days, months",
    "amount": "Of its frequency: how many units lie between instances",
    "zone": "Its time zone: UTC, Europe/Paris",
    "uri": "Of an instance, as strftime writes it: hdfs://cluster/data/%Y/%m/%d, with the done-flag",
}
_SHOWN: Final = Symbol("shown", {"2.11": "oozie_instances", "3.3": "oozie_instances"})
_LATE: Final = r"""\$\{\s*["']\$["']\s*\}\{"""  # ${"$"}{MONTH + 0}: evaluated with the instance
_NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class DataSet:
    """One dataset, its values known."""

    name: str
    initial: datetime
    frequency: frequency.Frequency
    zone: str
    template: str
    done_flag: str  # "" : the instance itself
    asked: tuple[str, ...] = ()  # what nobody defines: params of the DAG do
    why: str = ""  # is something asked

    @property
    def is_asked(self) -> bool:
        """Tell whether a param of the DAG defines something of it."""
        return bool(self.asked)

    @property
    def calendar(self) -> Expression:
        """Give the call that makes its instances."""
        keywords: list[tuple[str, Expression]] = []
        if self.zone != "UTC":
            keywords.append(("zone", self.zone))
        if self.frequency.end_of:
            keywords.append(("end_of", self.frequency.end_of))
        arguments = (self.initial.strftime("%Y-%m-%dT%H:%MZ"), self.frequency.unit, self.frequency.amount)
        return Call(frequency.INSTANCES, arguments, tuple(keywords))


@dataclass(frozen=True)
class Event:
    """One data-in or data-out. `kind` is what its instances are: current, offset, latest, future, absolute, since, end, several."""

    name: str
    dataset: DataSet
    kind: str
    first: str  # Python of a whole number; of an offset the amount
    last: str
    unit: str = ""  # of an offset; of end: days, weeks, months
    last_unit: str = ""  # of a range of offsets
    limit: str = ""  # of future
    moments: tuple[datetime, ...] = ()  # absolute; of since the first
    parts: tuple[tuple[str, str, str], ...] = ()  # of several <instance>s: kind, amount or time, unit


def read_datasets(elements: Iterable[Element], scope: Scope, ending: str) -> dict[str, DataSet]:
    """Read datasets by name; what is not known now is asked for."""
    return {element.get("name"): _dataset(element, scope, ending) for element in elements}


def _dataset(element: Element, scope: Scope, ending: str) -> DataSet:
    name = element.get("name")
    rhythm = frequency.frequency_of(element, scope)
    text = scope.text(element.get("initial-instance"))
    initial = frequency.read_time(text or "", ending)
    zone = frequency.read_zone(scope.text(element.get("timezone")) or ("" if not element.get("timezone") else "?"))
    unknown: dict[str, tuple[str, ...]] = {}
    if rhythm is None or rhythm.cron:
        unknown[f"the frequency {element.get('frequency')!r} of the dataset {name} is not known"] = ("unit", "amount")
    if initial is None and text is not None:
        why = f"Oozie refuses {text!r} as the initial instance of the dataset {name}: {frequency.refused_time(text, ending)}"
        unknown[why] = ("initial-instance",)
    elif initial is None:
        why = f"the initial instance {element.get('initial-instance')!r} of the dataset {name} is not known"
        unknown[why] = ("initial-instance",)
    if zone is None:
        unknown[f"the time zone {element.get('timezone')!r} of the dataset {name} is not known"] = ("zone",)
    flag = element.first("done-flag")
    return DataSet(
        name,
        initial or _NO_TIME,
        rhythm if rhythm is not None and not rhythm.cron else frequency.Frequency(),
        zone or "UTC",
        element.value("uri-template"),
        "_SUCCESS" if flag is None else flag.text.strip(),
        tuple(what for found in unknown.values() for what in found),
        "; ".join(unknown),
    )


def dataset_name(element: Element, scope: Scope) -> str:
    """Name the dataset of an event; of a name that is not known now the variables that make it."""
    text = element.get("dataset")
    return scope.text(text) or re.sub(r"\$\{\s*(.*?)\s*\}", r"\1", scope.partly(text))


def asked_dataset(name: str) -> DataSet:
    """Give a dataset whose definition is asked for by params: its initial instance, unit, amount, and its URI as strftime writes it."""
    why = f"the dataset {name} is not defined in any file that was given"
    return DataSet(name, _NO_TIME, frequency.Frequency(), "UTC", "", "", tuple(_ASKED), why)


def asked_params(name: str) -> dict[str, str]:
    """Give the params that define a dataset, by what they say."""
    return {what: f"dataset.{name}.{what}" for what in _ASKED}


def describe_asked(param: str) -> str:
    """Say what a param of `asked_params` takes; nothing for any other."""
    return _ASKED.get(param.rpartition(".")[2], "") if param.startswith("dataset.") else ""


def identifier(name: str) -> str:
    """Give a name as Python writes one."""
    text = re.sub(r"\W+", "_", name).strip("_").lower() or "data"
    return text if not text[0].isdigit() else f"data_{text}"


def uri_function(event: Event, compiler: Compiler) -> Function:
    """Write the function that names the URIs of an event for a nominal time."""
    name, constant = f"{identifier(event.name)}_uris", f"{identifier(event.name)}_instances".upper()
    uri = _uri(event.dataset, compiler)
    if event.kind in ("latest", "future"):
        raise Unsupported("event-late", "its instances are only known when they are there")
    imports: list[Symbol] = [frequency.INSTANCES]
    if event.kind == "absolute":
        times = ", ".join(f'datetime.fromisoformat("{moment:%Y-%m-%dT%H:%M}+00:00")' for moment in event.moments)
        source, imports = f"[{times}]", [symbols.DATETIME]
        head = ""
    else:
        head = "" if event.dataset.is_asked else f"{constant} = {_call(event.dataset)}\n\n\n"
        constant = _call(event.dataset, compiler) if event.dataset.is_asked else constant
        if event.kind == "offset" and event.last_unit:
            source = f'{constant}.offsets(logical_date, ({event.first}, "{event.unit}"), ({event.last}, "{event.last_unit}"))'
        elif event.kind == "offset":
            source = f'{constant}.offset(logical_date, {event.first}, "{event.unit}")'
        elif event.kind == "end":
            source = f'{constant}.since_end_of("{event.unit}", {event.first}, logical_date, {event.last})'
        elif event.kind == "since":
            source = f'{constant}.since("{event.moments[0]:%Y-%m-%dT%H:%MZ}", logical_date, {event.last})'
        elif event.parts:
            source = " + ".join(_one(constant, *part) for part in event.parts)
            imports += [symbols.DATETIME] if "datetime." in source else []
        else:
            source = f"{constant}.between(logical_date, {event.first}, {event.last})"
    imports += [
        Symbol(word, dict.fromkeys(("2.11", "3.3"), "oozie_instances"))
        for word in ("days_in_month", "hours_in_day", "tz_offset")
        if f"{word}(" in source
    ]
    text = f'{head}def {name}(logical_date, params):\n    """Name the instances of {event.name} (dataset {event.dataset.name}) for a nominal time."""\n    return [{uri} for moment in {_by_server(source, compiler)}]'
    imports += [_SHOWN] if "shown(" in text else []
    return Function(name, text, tuple(imports))


def _by_server(moments: str, compiler: Compiler) -> str:
    """Write times in the zone of the server, in which Oozie writes the parts of a URI (4.x/5.x: CoordinatorFunctionalSpec 4.1)."""
    zone = frequency.server_zone(compiler.words.ending)
    return moments if zone == "UTC" else f'shown({moments}, "{zone}")'


def _one(series: str, kind: str, amount: str, unit: str) -> str:
    """Write the list of one instance."""
    if kind == "absolute":
        moment = frequency.read_time(amount)
        assert moment is not None  # noqa: S101  (it was read before)
        return f'[datetime.fromisoformat("{moment:%Y-%m-%dT%H:%M}+00:00")]'
    if kind == "offset":
        return f'{series}.offset(logical_date, {amount}, "{unit}")'
    return f"{series}.between(logical_date, {amount}, {amount})"


def _uri(dataset: DataSet, compiler: Compiler) -> str:
    if "uri" not in dataset.asked:
        return uri_expression(dataset.template, compiler)
    return f"moment.strftime({compiler.parameter(asked_params(dataset.name)['uri'], None)})"


def _call(dataset: DataSet, compiler: Compiler | None = None) -> str:
    if dataset.is_asked and compiler is not None:
        known = {
            "initial-instance": f'"{dataset.initial:%Y-%m-%dT%H:%MZ}"',
            "unit": f'"{dataset.frequency.unit}"',
            "amount": str(dataset.frequency.amount),
            "zone": f'"{dataset.zone}"',
        }
        names = asked_params(dataset.name)
        written = {
            what: compiler.parameter(names[what], None) if what in dataset.asked else text
            for what, text in known.items()
        }
        written |= {"amount": f"int({written['amount']})"} if "amount" in dataset.asked else {}
        more = f', end_of="{dataset.frequency.end_of}"' if dataset.frequency.end_of else ""
        return f"Instances({', '.join(written.values())}{more})"
    call = dataset.calendar
    assert isinstance(call, Call)  # noqa: S101
    parts = [repr(item).replace("'", '"') for item in call.arguments] + [
        f'{key}="{value}"' for key, value in call.keywords
    ]
    return f"Instances({', '.join(parts)})"


def uri_expression(template: str, compiler: Compiler) -> str:
    """Write a URI template as Python over `moment`."""
    parts: list[tuple[bool, str]] = []  # (is a format, text)
    template = re.sub(_LATE, "${", template)
    for piece in compiler.pieces(template):
        if isinstance(piece, str):
            parts.append((True, piece.replace("%", "%%")))
        elif isinstance(piece, Name) and piece.name in _PARTS:
            parts.append((True, _PARTS[piece.name]))
        elif (computed := _part_number(piece)) is not None and isinstance(piece, Binary):
            parts.append((False, f"str({computed})"))
        else:
            parts.append((False, compiler.text_of(piece)))
    merged: list[tuple[bool, str]] = []
    for is_format, text in parts:
        if merged and merged[-1][0] and is_format:
            merged[-1] = (True, merged[-1][1] + text)
        else:
            merged.append((is_format, text))
    written = []
    for is_format, text in merged:
        if not is_format:
            written.append(text)
        elif re.search(r"(?<!%)(%%)*%[YmdHM]", text):
            written.append(f"moment.strftime({_quoted(text)})")
        else:
            written.append(_quoted(text.replace("%%", "%")))
    return " + ".join(written) or '""'


def _part_number(node: Node) -> str | None:
    """Write arithmetic with parts of the instance's time, such as MONTH + 0; None when it is something else."""
    match node:
        case Name(name) if name in _PARTS:
            return f"moment.{name.lower()}"
        case Literal(int() as value):
            return str(value)
        case Binary(operator, left, right) if operator in "+-*":
            one, two = _part_number(left), _part_number(right)
            return None if one is None or two is None else f"{one} {operator} {two}"
    return None


def _quoted(text: str) -> str:
    plain = repr(text)
    return f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in plain else plain


def has_pattern(dataset: DataSet, scope: Scope) -> bool:
    """Tell whether a path of a dataset has signs that the HDFS shell takes for a pattern."""
    texts = (re.sub(_LATE, "${", text) for text in (dataset.template, dataset.done_flag))
    return any(re.search(r"[*?\[\]{}]", re.sub(r"\$\{.*?\}", "", scope.partly(text))) for text in texts)


def is_partition(dataset: DataSet, compiler: Compiler) -> bool:
    """Say whether the instances of a dataset are partitions of a Hive table."""
    return compiler.scope.partly(dataset.template).strip().startswith("hcat:")


def late_search(event: Event, compiler: Compiler, method: str = "") -> tuple[str, str]:
    """Write what stands before a function and the call that looks for instances which are only known when they are there."""
    constant = f"{identifier(event.name)}_instances".upper()
    head = "" if event.dataset.is_asked else f"{constant} = {_call(event.dataset)}\n\n\n"
    series = _call(event.dataset, compiler) if event.dataset.is_asked else constant
    since = "dag_run.start_date" if event.kind == "latest" else "logical_date"
    limit = f", {event.limit}" if event.kind == "future" else ""
    return head, f"{series}.{method or event.kind}({since}, {event.first}, {event.last}{limit}, is_there)"


def _shown(compiler: Compiler) -> str:
    moment = _by_server("[moment]", compiler)
    return "" if moment == "[moment]" else f"        (moment,) = {moment}\n"


def _shown_imports(compiler: Compiler) -> tuple[Symbol, ...]:
    return (_SHOWN,) if _shown(compiler) else ()


def so_far_function(event: Event, compiler: Compiler) -> Function:
    """Write the function that gives the URIs which are there so far, and whether these are all; `exists` asks."""
    name = f"{identifier(event.name)}_so_far"
    head, search = late_search(event, compiler, f"{event.kind}_so_far")
    flag = "None" if is_partition(event.dataset, compiler) else '""'
    if flag != "None" and event.dataset.done_flag:
        flag = _below(event.dataset.done_flag, compiler)
    text = f'''{head}def {name}(params, logical_date, dag_run):
    """Name the instances of {event.name} (dataset {event.dataset.name}) that are there, and tell whether these are all."""

    def uri(moment):
{_shown(compiler)}        return {_uri(event.dataset, compiler)}

    def is_there(moment):
        return exists(uri(moment), {flag})

    moments, is_enough = {search}
    return [uri(moment) for moment in moments], is_enough
'''
    return Function(name, text, (frequency.INSTANCES, *_shown_imports(compiler)))


def _below(flag: str, compiler: Compiler) -> str:
    """Write the done-flag as it stands behind the URI of an instance."""
    written = uri_expression(flag, compiler)
    known = constant(written)
    return f'"/" + {written}' if known is None else _quoted(f"/{known}")


def sensor(event: Event, compiler: Compiler, functions: dict[str, Function], timeout: timedelta) -> Task:
    """Make the task that waits for a data-in, with its functions."""
    name = identifier(event.name)
    flag = ""
    if event.dataset.done_flag:
        flag = f" + {_below(event.dataset.done_flag, compiler)}"
    probe = compiler.words.probe
    if probe is None:
        raise Unsupported("el-fs", "no way to HDFS is known in this profile")
    functions[probe.name] = probe
    asks = 'hdfs_test("-e", {uri}' + flag + ")"
    if is_partition(event.dataset, compiler):
        if compiler.words.partition_probe is None:
            raise Unsupported("hcat", "no way to Hive is known in this profile")
        functions[compiler.words.partition_probe.name] = compiler.words.partition_probe
        asks = "partition_test({uri})"
    if event.kind in ("latest", "future"):
        head, search = late_search(event, compiler)
        text = f'''{head}def {name}_arrived(params, logical_date, dag_run, **_):
    """Wait until enough instances of {event.name} are there; give their URIs."""

    def uri(moment):
{_shown(compiler)}        return {_uri(event.dataset, compiler)}

    def is_there(moment):
        return {asks.replace("{uri}", "uri(moment)")}

    try:
        moments = {search}
    except ConnectionError as error:
        print(f"{{error}}, it is asked again")
        return False
    return PokeReturnValue(moments is not None, [uri(moment) for moment in moments or []])
'''
        functions[f"{name}_arrived"] = Function(
            f"{name}_arrived", text, (frequency.INSTANCES, POKE, *_shown_imports(compiler))
        )
    else:
        made = uri_function(event, compiler)
        functions[made.name] = made
        text = f'''
def {name}_arrived(params, logical_date, **_):
    """Wait until every instance of {event.name} is there."""
    try:
        return all({asks.replace("{uri}", "uri")} for uri in {made.name}(logical_date, params))
    except ConnectionError as error:
        print(f"{{error}}, it is asked again")
        return False
'''
        if "moment" in flag:
            raise Unsupported("done-flag", "the done-flag depends on the time")
        functions[f"{name}_arrived"] = Function(f"{name}_arrived", text)
    return Task(
        f"wait_for_{event.name}",
        symbols.PYTHON_SENSOR,
        (
            ("python_callable", Code(f"{name}_arrived")),
            ("mode", "reschedule"),
            ("poke_interval", 60),
            ("timeout", timeout),
        ),
        role="control",
        is_waiting=True,
    )
