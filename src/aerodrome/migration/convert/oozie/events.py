"""The data of a coordinator: datasets, the waits for its inputs, the assets of its outputs."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import (
    Call,
    Code,
    Expression,
    Outcome,
    Question,
)
from aerodrome.migration.convert.oozie import datasets, frequency, logic
from aerodrome.migration.convert.oozie.body import Body
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.estate import Estate
from aerodrome.migration.convert.oozie.instances import read_event
from aerodrome.migration.convert.oozie.needs import Unsupported, Words, output_key
from aerodrome.migration.convert.oozie.plan import Plan
from aerodrome.migration.convert.xmlreading import Element

_DEFAULT_TIMEOUT: Final = timedelta(minutes=120)  # oozie.service.coord.normal.default.timeout, Oozie 4.x/5.x
_LONGEST: Final = timedelta(
    days=60
)  # oozie.service.coord.default.max.timeout, also for -1 (Oozie 4.x/5.x: CoordSubmitXCommand)


def _timeout(plan: Plan) -> timedelta:
    controls = plan.item.root.first("controls")
    text = controls.value("timeout") if controls is not None else ""
    if not text:
        plan.note(
            "timeout",
            "caveat",
            "timeout-default",
            "nothing was said: it waits 120 minutes, Oozie's default; then the run is failed, not timed out",
        )
        return _DEFAULT_TIMEOUT
    known = plan.scope.text(text) or _minutes(text, plan) or ""
    if not re.fullmatch(r"-?\d+", known):
        plan.note("timeout", "caveat", "timeout-unknown", f"the timeout {text!r} is not known: it waits 60 days")
        return _LONGEST
    limit, reason = timedelta(minutes=max(int(known), 1)), "a run that waited in vain is failed, not timed out"
    if int(known) < 0 or limit > _LONGEST:
        limit, reason = _LONGEST, f"{reason}: after 60 days, the longest that Oozie waits"
    plan.note("timeout", "caveat", "timeout-fails", reason)
    return limit


def _minutes(text: str, plan: Plan) -> str | None:
    """Compute a timeout that is written as a frequency: a day has 24 hours, a month 30 days (Oozie 4.x/5.x: CoordSubmitXCommand)."""
    rhythm = frequency.read_frequency(text, plan.scope)
    if rhythm is None or rhythm.cron or rhythm.end_of:
        return None
    return str(rhythm.amount * {"minutes": 1, "hours": 60, "days": 1440, "months": 43200}[rhythm.unit])


def _series(estate: Estate, plan: Plan) -> dict[str, datasets.DataSet]:
    element = plan.item.root.first("datasets") or Element("datasets", {}, plan.item.root.line)
    found = [  # as Oozie itself writes a coordinator down
        inner
        for name in ("input-events", "output-events")
        if (events := plan.item.root.first(name)) is not None
        for event in events.children
        for inner in event.every("dataset")
    ]
    for include in element.every("include"):
        path = plan.scope.partly(include.text.strip())
        known = _include(estate, path, plan.item.folder)
        if known is None:
            plan.note(
                "include",
                "caveat",
                "include-missing",
                f"the datasets file {path} is not among the files; a dataset that is missing raises",
                name=path,
                at=include,
            )
        else:
            found += known.every("dataset")
            plan.note("include", "converted", name=path, at=include)
    return datasets.read_datasets([*found, *element.every("dataset")], plan.scope, plan.ending)


def _include(estate: Estate, path: str, folder: str) -> Element | None:
    parts = [part for part in re.sub(r"^[A-Za-z][\w+.-]*:/*", "", path).split("/") if part]
    known: list[str] = []
    for part in reversed(parts):
        if "$" in part or "}" in part:
            break
        known.insert(0, part)
    best: list[tuple[int, int, str]] = []
    for name in estate.datasets:
        own = PurePosixPath(name).parts
        common = 0
        for one, two in zip(reversed(own), reversed(known), strict=False):
            if one != two:
                break
            common += 1
        near = sum(1 for one, two in zip(own, PurePosixPath(folder).parts, strict=False) if one == two)
        if common:
            best.append((common, near, name))
    if not best and not known:  # the whole path is a value that nobody knows: the one beside it
        beside = [name for name in estate.datasets if str(PurePosixPath(name).parent) == folder]
        return estate.datasets[beside[0]] if len(beside) == 1 else None
    return estate.datasets[max(best)[2]] if best else None


def _compiler(plan: Plan, body: Body, zone: str) -> Compiler:
    words = Words(
        body.app_name,
        {},
        zone=zone,
        probe=body.profile.probe,
        partition_probe=body.profile.partition_probe,
        coordinator_name=body.coordinator_name,
        functions=body.profile.functions,
        ending=body.ending,
    )
    return Compiler(plan.scope, words, body.needs, "python")


def make_inputs(estate: Estate, plan: Plan, body: Body, zone: str) -> None:
    """Make a task that waits for each data-in."""
    events = plan.item.root.first("input-events")
    series = _series(estate, plan)
    elements = events.every("data-in") if events is not None else []
    timeout = _timeout(plan) if elements else _LONGEST
    if not elements and (plan.item.root.first("controls") or plan.item.root).value("timeout"):
        plan.note("timeout", "converted")  # nothing is waited for
    compiler = _compiler(plan, body, zone)
    if (alternatives := plan.item.root.first("input-logic")) is not None:
        _alternatives(plan, body, compiler, alternatives, elements, (series, zone, timeout))
        return
    for element in elements:
        name = element.get("name")
        try:
            event = read_event(element, series, zone, compiler)
            event = replace(event, name=_free_name(plan, body, name))
            task = datasets.sensor(event, compiler, plan.functions, timeout)
        except Unsupported as error:
            plan.fail("data-in", error, name, element)
            _ask_instance(plan, error, element)
            continue
        plan.before.append(replace(task, origin=plan.origin("input-events", element)))
        _tell_input(plan, event, element)
        if event.kind in ("latest", "future"):
            plan.events[name] = f'ti.xcom_pull(task_ids="wait_for_{event.name}")'
        else:
            function = f"{datasets.identifier(event.name)}_uris"
            plan.events[name] = f"{function}(logical_date, params)"
            plan.macros[function] = Code(function)


def _tell_input(plan: Plan, event: datasets.Event, element: Element) -> None:
    """Say what became of an input: what params define of its dataset, and what is asked of HDFS otherwise."""
    dataset, codes = event.dataset, {}
    if dataset.is_asked:
        names = ", ".join(datasets.asked_params(dataset.name)[what] for what in dataset.asked)
        codes["dataset-asked"] = f"{dataset.why}: the params {names} define it, and the run fails until they are set"
    if datasets.has_pattern(dataset, plan.scope):
        codes["uri-pattern"] = (
            f"{dataset.template} has signs of a pattern: `hdfs dfs -test` finds what fits it, Oozie only a file that is called so"
        )
    outcome: Outcome = "caveat" if codes else "converted"
    plan.note("data-in", outcome, ",".join(codes), "; ".join(codes.values()), element.get("name"), element)


def _alternatives(
    plan: Plan,
    body: Body,
    compiler: Compiler,
    root: Element,
    elements: list[Element],
    around: tuple[dict[str, datasets.DataSet], str, timedelta],
) -> None:
    """Make the one task that waits as <input-logic> says."""
    series, zone, timeout = around
    try:
        events = {}
        for element in elements:
            event = read_event(element, series, zone, compiler)
            events[element.get("name")] = replace(event, name=_free_name(plan, body, event.name))
        task, found = logic.sensor(root, events, compiler, plan.functions, timeout)
    except Unsupported as error:
        plan.fail("input-logic", error, "", root)
        _ask_instance(plan, error, root)
        return
    plan.before.append(replace(task, origin=plan.origin("input-logic", root)))
    plan.events |= found
    plan.note("input-logic", "converted", at=root)
    for element in elements:
        _tell_input(plan, events[element.get("name")], element)


def make_outputs(estate: Estate, plan: Plan, body: Body, zone: str) -> tuple[Expression, ...]:
    """Give the assets that the run makes."""
    events = plan.item.root.first("output-events")
    elements = events.every("data-out") if events is not None else []
    quiet = replace_accounts(plan)
    series = _series(estate, quiet) if elements else {}
    compiler = _compiler(plan, body, zone)
    made: list[Expression] = []
    for element in elements:
        name = element.get("name")
        try:
            event = read_event(element, series, zone, compiler)
            event = replace(event, name=_free_name(plan, body, name))
            function = datasets.uri_function(event, compiler)
        except Unsupported as error:
            plan.note("data-out", "caveat", "data-out-unknown", f"it is no asset: {error.reason}", name, element)
            continue
        plan.functions[function.name] = function
        plan.events[output_key(name)] = f"{function.name}(logical_date, params)"
        plan.macros[function.name] = Code(function.name)
        if event.dataset.is_asked:
            plan.note(
                "data-out",
                "caveat",
                "dataset-asked",
                f"the params {', '.join(datasets.asked_params(event.dataset.name)[what] for what in event.dataset.asked)} define its dataset",
                name,
                element,
            )
        made.append(Call(symbols.ASSET, (f"oozie-{event.dataset.name}",)))
        if not event.dataset.is_asked:
            plan.note("data-out", "converted", name=name, at=element)
    return tuple(made)


def _ask_instance(plan: Plan, error: Unsupported, element: Element) -> None:
    """Ask for an instance whose whole text is a variable that nobody knows."""
    if error.code == "instance-asked":
        question = f"{plan.item.file}: {error.reason}."
        plan.questions.append(Question("unknown-instance", question, plan.origin("input-events", element)))


def _free_name(plan: Plan, body: Body, name: str) -> str:
    """Give the name under which an event is written: numbered when another one is written so; `dataIn` reads the last of a name."""
    free, number = name, 1
    while datasets.identifier(free) in plan.taken or f"wait_for_{free}" in body.workflow.nodes:
        number += 1
        free = f"{name}_{number}"
    plan.taken.add(datasets.identifier(free))
    return free


def replace_accounts(plan: Plan) -> Plan:
    """Give a copy whose notes nobody reads: datasets are read twice, and counted once."""
    return Plan(plan.item, plan.scope, plan.ending)
