"""What Oozie gives to the workflow of a coordinator or a job, for `bench.convert_oozie`: written apart from the compiler.

The properties of the job come first, then the configuration of the coordinator, whose values are read outside of it (Oozie 5.2,
CoordELEvaluator.createDataEvaluator). Times are shown by the clock of the server. What only a run has is no value on paper.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie import evaluation, oracle
from aerodrome.migration.convert.oozie.estate import Application, Estate
from aerodrome.migration.convert.oozie.properties import Layer, Scope, configuration
from aerodrome.migration.convert.oozie.subworkflows import names_in

OF_SERVER = ("user.name", "group.name", "mapreduce.job.user.name", "oozie.wf.application.path")
_PATTERN = re.compile(r"'([^']*)'|(yyyy|MM|dd|HH|mm)|([A-Za-z])|([^A-Za-z']+)")
_UNITS = {"MINUTE": "minutes", "HOUR": "hours", "DAY": "days", "MONTH": "months"}


@dataclass(frozen=True)
class Moment:
    """A time with the methods of pendulum's that rendered texts use."""

    at: datetime

    def in_timezone(self, zone: str | float) -> Moment:
        """Give it in another zone, named or hours from UTC."""
        return Moment(self.at.astimezone(ZoneInfo(zone) if isinstance(zone, str) else timezone(timedelta(hours=zone))))

    def strftime(self, text: str) -> str:
        return self.at.strftime(text)

    def add(self, **amount: int) -> Moment:
        ((unit, number),) = amount.items()
        zone = self.at.tzinfo or UTC
        return Moment(oracle.plus(self.at, unit, number, zone).astimezone(zone))

    def subtract(self, **amount: int) -> Moment:
        return self.add(**{unit: -number for unit, number in amount.items()})


def shown(moment: datetime, pattern: str) -> str:
    """Write a time by a pattern of Java's SimpleDateFormat of numbers; Unknown for any other."""
    codes = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M"}
    parts = []
    for quoted, code, other, plain in _PATTERN.findall(pattern):
        if other:
            raise evaluation.Unknown(pattern)
        parts.append(moment.strftime(codes[code]) if code else quoted or plain)
    return "".join(parts)


@dataclass
class Given:
    """The values of one DAG: of its job, and of its coordinator when it has one."""

    job: Scope
    own: Mapping[str, str] = field(default_factory=dict)  # the configuration of the coordinator
    params: Mapping[str, str | None] = field(default_factory=dict)
    computed: tuple[str, ...] = ()  # params whose default is put together in the run
    ending: str = "Z"
    path_name: str = ""  # the variable that is the whole application path
    moment: datetime = datetime(2024, 3, 1, 20, 5, tzinfo=UTC)

    def param(self, name: str) -> str:
        """Give a param of the run: its default, or a sample."""
        found = self.params[name]
        if isinstance(found, str):
            return found
        return "/apps/of a value/workflow.xml" if name == self.path_name else f"value of {name}"

    def of_job(self, name: str, start: int = 0, depth: int = 0) -> str:
        """Give a property of the job, from one of its layers on; what is put together from what nobody knows, with samples for that."""
        known, found = self.job.constant(name, start), self.job.find(name, start)
        if known is not None or found is None or depth > 9:
            return self.param(name) if known is None else known
        layer = self.job.layers[found.layer]
        return evaluation.evaluate(
            layer.values[name],
            lambda inner: self._of_value(inner, found.layer, is_same=inner == name, depth=depth + 1),
            self.functions(self.param),
        )

    def _of_value(self, name: str, number: int, *, is_same: bool, depth: int) -> str:
        """Give a name that a value uses: a default sees all that the workflow is given, what a job is submitted with that job."""
        layer = self.job.layers[number]
        if layer.is_outward or is_same:
            return self.of_job(name, number + 1, depth)
        if layer.is_default and depth < 9:
            return self.of_workflow(name, depth)
        is_of_entry = layer.title != "parameters" and self.job.layers[0].is_outward
        return self.of_job(name, int(is_of_entry), depth)

    def of_workflow(self, name: str, depth: int = 0) -> str:
        """Give a variable as the workflow has it."""
        if name in self.own:
            return evaluation.evaluate(self.own[name], self.of_job, self.functions(self.of_job))
        return self.param(name) if name in self.params else self.of_job(name, 0, depth)

    def looked_up(self, name: str) -> str:
        """Give what wf:conf finds; what every job has is never empty."""
        found = self.of_workflow(name)
        return f"value of {name}" if name in OF_SERVER and not found else found

    def functions(self, look_up: Callable[[str], str]) -> dict[str, Any]:
        zone = UTC if self.ending == "Z" else datetime.strptime(self.ending, "%z").tzinfo or UTC

        def text(moment: datetime) -> str:
            return moment.astimezone(zone).strftime("%Y-%m-%dT%H:%M") + self.ending

        def read(given: str) -> datetime:
            return datetime.strptime(given.replace("Z", "+0000"), "%Y-%m-%dT%H:%M%z").astimezone(zone)

        def moved(given: str, amount: int, unit: str) -> str:
            return text(oracle.plus(read(given), _UNITS[unit], int(amount), zone))

        return {
            "coord:nominalTime": lambda: text(self.moment),
            "coord:formatTime": lambda given, pattern: shown(read(given), pattern),
            "coord:dateOffset": moved,
            "wf:user": lambda: look_up("user.name"),
            "concat": lambda one, two: f"{one}{two}",
            "wf:conf": look_up,
            "coord:conf": look_up,
        }

    def is_missing(self, text: str) -> bool:
        """Tell whether a text needs a value that nobody gives, but that has an empty default: Oozie does not go on without."""
        return any(
            self.params.get(name) == "" and name not in self.own and self.job.find(name) is None
            for name in names_in(text)
        )


def given_to(estate: Estate, dag: Dag, ending: str) -> Given | None:
    """Give the values of a DAG; None for one that no definition stands behind."""
    item = estate.applications.get(dag.origin.file)
    if item is None:
        return None
    computed = tuple(item.name for item in dag.parameters if item.is_computed)
    params = {
        item.name: item.default if isinstance(item.default, str) else None
        for item in dag.parameters
        if not item.is_computed
    }
    flow = next((account.origin.file for account in dag.accounts if account.element == "start"), "")
    holders = [item, *([estate.applications[flow]] if flow in estate.applications else [])]
    layers = (*_submitted(estate, dag, item), *(layer for holder in holders for layer in estate.defaults(holder)))
    action = (item.root.first("action") or item.root).first("workflow")
    own = configuration(action.first("configuration")) if action is not None else {}
    path = action.value("app-path") if action is not None else ""
    whole = re.fullmatch(r"\$\{\s*([\w.]+)\s*\}", path)
    return Given(Scope(layers), own, params, computed, ending, whole[1] if whole else "")


def _submitted(estate: Estate, dag: Dag, item: Application) -> tuple[Layer, ...]:
    """Give what a definition is submitted with: its properties, or what the entry of its bundle and the bundle's properties say."""
    own = Layer("parameters", _defaults(estate, item, "coord"))
    entry = next((account.origin for account in dag.accounts if account.element == "bundle/coordinator"), None)
    bundle = estate.applications.get(entry.file) if entry is not None else None
    if entry is None or bundle is None:
        return (*estate.job(item), own)
    found = next(element for element in bundle.root.every("coordinator") if element.line == entry.line)
    given = Layer("entry", configuration(found.first("configuration")), is_outward=True)
    return (given, *estate.job(bundle), Layer("bundle", _defaults(estate, bundle, "bundle")), own)


def _defaults(estate: Estate, item: Application, kind: str) -> dict[str, str]:
    """Give the file of defaults beside a definition, and its parameters for what that lacks (Oozie 5.2, CoordSubmitXCommand.submitJob)."""
    found = configuration(estate.configurations.get(str(PurePosixPath(item.folder) / f"{kind}-config-default.xml")))
    for name, value in configuration(item.root.first("parameters")).items():
        found.setdefault(name, value)
    return found
