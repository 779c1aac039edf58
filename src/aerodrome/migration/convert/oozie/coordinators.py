"""Makes one DAG of a coordinator and its workflow: the schedule, the waits, and the workflow behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Final

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import (
    Account,
    Call,
    Code,
    Dag,
    Expression,
    Function,
    Origin,
    Outcome,
    Question,
    Schedule,
    Symbol,
    Target,
    Task,
)
from aerodrome.migration.convert.oozie import datasets, frequency, logic
from aerodrome.migration.convert.oozie.building import NOT_CONVERTED, Body, make_dag, raising_arguments
from aerodrome.migration.convert.oozie.compiling import APP_PATH, Compiler, Unsupported, Words
from aerodrome.migration.convert.oozie.el import parse
from aerodrome.migration.convert.oozie.estate import Application, Estate
from aerodrome.migration.convert.oozie.model import Workflow, read_workflow
from aerodrome.migration.convert.oozie.properties import Layer, Scope, configuration
from aerodrome.migration.convert.oozie.subworkflows import Children, names_in
from aerodrome.migration.convert.xmlreading import Element

_DEFAULT_TIMEOUT: Final = timedelta(minutes=120)  # oozie.service.coord.normal.default.timeout, Oozie 5.2
_ALERT: Final = Symbol("DeadlineAlert", {"3.3": "airflow.sdk", "2.11": ""})
_MINUTES: Final = {"MINUTES": "1", "HOURS": "60", "DAYS": "1440"}


@dataclass
class Plan:
    """A coordinator while it is read."""

    item: Application
    scope: Scope
    accounts: list[Account] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    events: dict[str, str] = field(default_factory=dict)
    macros: dict[str, Code] = field(default_factory=dict)
    before: list[Task] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def origin(self, path: str, element: Element | None = None) -> Origin:
        return Origin(self.item.file, f"coordinator-app/{path}", (element or self.item.root).line)

    def note(
        self,
        element: str,
        outcome: Outcome,
        code: str = "",
        reason: str = "",
        name: str = "",
        at: Element | None = None,
    ) -> None:
        self.accounts.append(Account(f"coordinator/{element}", outcome, self.origin(element, at), code, reason, name))

    def fail(self, element: str, error: Unsupported, name: str, at: Element | None = None) -> None:
        """Put a task that raises before the workflow."""
        self.note(element, "raises", error.code, error.reason, name, at)
        self.functions[NOT_CONVERTED.name] = NOT_CONVERTED
        task_id = re.sub(r"[^\w.-]+", "_", f"{element}_{name}".strip("_"))
        self.before.append(
            Task(
                task_id,
                symbols.PYTHON,
                raising_arguments(f"{element} {name}: {error.reason}"),
                role="raises",
                origin=self.origin(element, at),
            )
        )


def coordinator_dag(
    estate: Estate,
    children: Children,
    item: Application,
    dag_id: str,
    more: tuple[Layer, ...] = (),
    job: tuple[Layer, ...] | None = None,
) -> tuple[Dag, tuple[Question, ...]]:
    """Make the DAG. `more` and `job` are what a bundle gives: its configuration for it, and the properties of the bundle."""
    formal = configuration(item.root.first("parameters"))
    layers = (*more, *(estate.job(item) if job is None else job), Layer("coordinator parameters", formal))
    plan = Plan(item, Scope(layers))
    root = item.root
    name = plan.scope.text(root.get("name")) or dag_id
    zone = _zone(plan)
    schedule = _schedule(plan, zone)
    action = (root.first("action") or root).first("workflow")
    path = action.value("app-path") if action is not None else ""
    own = configuration(action.first("configuration")) if action is not None else {}
    workflow_item = _workflow(estate, plan, path, item.folder)
    inner = Scope((Layer("coordinator configuration", {**own, APP_PATH: path}, is_outward=True), *layers))
    if workflow_item is not None and workflow_item.workflow is not None:
        workflow, folder = workflow_item.workflow, workflow_item.folder
        inner = inner.with_layers(*estate.defaults(workflow_item))
        plan.note("action", "converted", name=path)
    else:
        workflow, folder = _stand_in(item, name, path, own), item.folder
        plan.note(
            "action",
            "caveat",
            "workflow-missing",
            f"the workflow {path} is not among the definitions: its DAG is triggered",
            name=path,
        )
    body = Body(
        workflow,
        inner,
        inner.text(workflow.name) or name,
        estate.profile,
        lambda file: estate.read_configuration(folder, file),
        children.start,
        zone,
        plan.events,
    )
    _inputs(estate, plan, body, zone)
    body.outlets = _outputs(estate, plan, body, zone)
    body.needs.functions |= plan.functions
    body.event_macros = plan.macros
    body.app_name = inner.text(workflow.name) or workflow.name or name
    dag = make_dag(
        body,
        dag_id,
        schedule=schedule,
        before=tuple(plan.before),
        origin=Origin(item.file, "coordinator-app", root.line),
        doc=f"Coordinator {name}.",
    )
    dag = replace(
        dag,
        max_active_runs=_controls(plan),
        arguments_by_target=_deadline(plan, root),
        accounts=(*plan.accounts, *dag.accounts),
    )
    return dag, tuple(plan.questions)


def _zone(plan: Plan) -> str:
    text = plan.scope.text(plan.item.root.get("timezone"))
    zone = frequency.read_zone(text) if text is not None else None
    if zone is None:
        plan.fail(
            "timezone",
            Unsupported(
                "timezone-unknown",
                f"the time zone {plan.item.root.get('timezone')!r} is not known: give its value in the profile",
            ),
            "",
        )
        _ask(plan, "unknown-timezone", plan.item.root.get("timezone"))
        return "UTC"
    plan.note("timezone", "converted")
    return zone


def _ask(plan: Plan, code: str, text: str) -> None:
    question = f"{plan.item.file}: what is {text or 'nothing'} ({code.removeprefix('unknown-')})? Give it as a value under `defaults` in the profile."
    plan.questions.append(Question(code, question, plan.origin(code.removeprefix("unknown-"))))


def _schedule(plan: Plan, zone: str) -> Schedule:
    root = plan.item.root
    rhythm = frequency.read_frequency(root.get("frequency"), plan.scope)
    start = frequency.read_time(plan.scope.text(root.get("start")) or "")
    end_text = plan.scope.text(root.get("end"))
    end = frequency.read_time(end_text or "")
    is_catching_up = _execution(plan) not in ("LAST_ONLY", "NONE")
    for what, found, text in (("frequency", rhythm, root.get("frequency")), ("start", start, root.get("start"))):
        if found is None and _is_refused(plan, text):
            reason = f"Oozie refuses the {what} {text!r}, and all of its values are known"
            plan.fail(what, Unsupported(f"{what}-refused", reason), "")
        elif found is None:
            plan.fail(
                what,
                Unsupported(f"{what}-unknown", f"the {what} {text!r} is not known: give its values in the profile"),
                "",
            )
            _ask(plan, f"unknown-{what}", text)
        else:
            plan.note(what, "converted")
    if end is None:
        plan.note("end", "caveat", "end-unknown", f"the end {root.get('end')!r} is not known: the DAG runs on")
        _ask(plan, "unknown-end", root.get("end"))
    else:
        plan.note("end", "converted")
    if rhythm is None or start is None:
        return Schedule()
    expression = frequency.timetable(rhythm, start, zone, is_catching_up=is_catching_up)
    if expression is None:
        plan.fail("frequency", Unsupported("cron-unknown", f"the cron {rhythm.cron!r} has no equivalent"), "cron")
        return Schedule()
    oracle = {
        "unit": rhythm.unit,
        "amount": str(rhythm.amount),
        "end_of": rhythm.end_of,
        "cron": rhythm.cron,
        "zone": zone,
        "start": start.isoformat(),
        "end": end.isoformat() if end else "",
    }
    if end is not None and end <= start:
        plan.note("end", "caveat", "never-runs", "it ends before it starts: it never runs")
    last = end - timedelta(minutes=1) if end else None
    return Schedule(expression, start, last, zone, is_catching_up, oracle)


def _is_refused(plan: Plan, text: str) -> bool:
    """Tell whether a text is wrong as it stands: no value of it is missing."""
    return all(plan.scope.constant(name) is not None for name in names_in(text))


def _execution(plan: Plan) -> str:
    controls = plan.item.root.first("controls")
    return (plan.scope.text(controls.value("execution")) or "FIFO").upper() if controls is not None else "FIFO"


def _controls(plan: Plan) -> int | None:
    """Account for the controls and give how many runs may go at a time; None is any number."""
    controls = plan.item.root.first("controls") or Element("controls", {}, 0)
    text = plan.scope.text(controls.value("concurrency")) or ""
    most: int | None = 1
    if controls.value("concurrency"):
        if re.fullmatch(r"-?\d+", text):
            most = int(text) if int(text) > 0 else None
            plan.note(
                "concurrency",
                "caveat",
                "waiting-runs-count",
                "runs that wait for data count, too; in Oozie only running ones do",
            ) if plan.events else plan.note("concurrency", "converted")
        else:
            plan.note(
                "concurrency",
                "caveat",
                "concurrency-unknown",
                f"the concurrency {controls.value('concurrency')!r} is not known: 1, as Oozie's default",
            )
    if controls.value("throttle"):
        plan.note(
            "throttle",
            "caveat",
            "throttle",
            "how many runs may wait at a time is not limited apart from max_active_runs",
        )
    execution = _execution(plan)
    reasons = {
        "LIFO": "the oldest run goes first, not the newest",
        "LAST_ONLY": "Airflow makes only the latest of the missed runs",
        "NONE": "Airflow makes the latest of the missed runs, Oozie none of them",
    }
    if controls.value("execution"):
        plan.note(
            "execution",
            "caveat" if execution in reasons else "converted",
            f"execution-{execution.lower()}" if execution in reasons else "",
            reasons.get(execution, ""),
        )
    return most


def _timeout(plan: Plan) -> timedelta | None:
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
    known = plan.scope.text(text) or ""
    if not re.fullmatch(r"-?\d+", known):
        plan.note("timeout", "caveat", "timeout-unknown", f"the timeout {text!r} is not known: it waits without end")
        return None
    if int(known) < 0:
        plan.note("timeout", "converted")
        return None
    plan.note("timeout", "caveat", "timeout-fails", "a run that waited in vain is failed, not timed out")
    return timedelta(minutes=max(int(known), 1))


def _workflow(estate: Estate, plan: Plan, path: str, folder: str) -> Application | None:
    found = estate.locate("workflow", plan.scope.partly(path), folder)
    if found is None and "$" in plan.scope.partly(path).rpartition("/")[2]:
        beside = [item for item in estate.of_kind("workflow") if item.folder == folder]
        if len(beside) == 1:
            plan.note(
                "app-path",
                "caveat",
                "app-path-assumed",
                f"{path} is not known: the workflow beside the coordinator is taken",
            )
            return beside[0]
    return found


def _stand_in(item: Application, name: str, path: str, own: Mapping[str, str]) -> Workflow:
    """Give a workflow that only runs the one that is not there."""
    line = item.root.line
    settings = Element("configuration", {}, line)
    for key, value in own.items():
        settings.children.append(
            Element(
                "property",
                {},
                line,
                children=[Element("name", {}, line, text=key), Element("value", {}, line, text=value)],
            )
        )
    child = Element(
        "sub-workflow",
        {},
        line,
        children=[Element("app-path", {}, line, text=path), Element("propagate-configuration", {}, line), settings],
    )
    action = Element(
        "action",
        {"name": "workflow"},
        line,
        children=[child, Element("ok", {"to": "end"}, line), Element("error", {"to": "kill"}, line)],
    )
    nodes = [
        Element("start", {"to": "workflow"}, line),
        action,
        Element("kill", {"name": "kill"}, line),
        Element("end", {"name": "end"}, line),
    ]
    return read_workflow(Element("workflow-app", {"name": name}, line, children=nodes), item.file)


def _series(estate: Estate, plan: Plan) -> dict[str, datasets.DataSet | Unsupported]:
    element = plan.item.root.first("datasets")
    if element is None:
        return {}
    found: list[Element] = []
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
    return datasets.read_datasets([*found, *element.every("dataset")], plan.scope)


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


def _inputs(estate: Estate, plan: Plan, body: Body, zone: str) -> None:
    """Make a task that waits for each data-in."""
    events = plan.item.root.first("input-events")
    series = _series(estate, plan)
    elements = events.every("data-in") if events is not None else []
    timeout = _timeout(plan) if elements else None
    compiler = Compiler(plan.scope, Words(body.app_name, {}, zone=zone, probe=body.profile.probe), body.needs, "python")
    if (alternatives := plan.item.root.first("input-logic")) is not None:
        _alternatives(plan, compiler, alternatives, elements, (series, zone, timeout))
        return
    for element in elements:
        name = element.get("name")
        try:
            _check_name(plan, body, name)
            event = datasets.read_event(element, series, plan.scope, zone)
            task = datasets.sensor(event, compiler, plan.functions, timeout)
        except Unsupported as error:
            plan.fail("data-in", error, name, element)
            continue
        plan.before.append(replace(task, origin=plan.origin("input-events", element)))
        if event.dataset.is_asked:
            known = series.get(event.dataset.name)
            why = (
                known.reason
                if isinstance(known, Unsupported)
                else f"the dataset {event.dataset.name} is not defined in any file that was given"
            )
            names = f"dataset.{event.dataset.name}.*"
            plan.note(
                "data-in",
                "caveat",
                "dataset-asked",
                f"{why}: the params {names} define it, and the run fails until they are set",
                name,
                element,
            )
        else:
            plan.note("data-in", "converted", name=name, at=element)
        if event.kind in ("latest", "future"):
            plan.events[name] = f'ti.xcom_pull(task_ids="wait_for_{name}")'
        else:
            function = f"{datasets.identifier(name)}_uris"
            plan.events[name] = f"{function}(logical_date, params)"
            plan.macros[function] = Code(function)


def _alternatives(
    plan: Plan,
    compiler: Compiler,
    root: Element,
    elements: list[Element],
    around: tuple[dict[str, datasets.DataSet | Unsupported], str, timedelta | None],
) -> None:
    """Make the one task that waits as <input-logic> says."""
    series, zone, timeout = around
    try:
        events = {element.get("name"): datasets.read_event(element, series, plan.scope, zone) for element in elements}
        task, found = logic.sensor(root, events, compiler, plan.functions, timeout)
    except Unsupported as error:
        plan.fail("input-logic", error, "", root)
        return
    plan.before.append(replace(task, origin=plan.origin("input-logic", root)))
    plan.events |= found
    plan.note("input-logic", "converted", at=root)
    for element in elements:
        plan.note("data-in", "converted", name=element.get("name"), at=element)


def _outputs(estate: Estate, plan: Plan, body: Body, zone: str) -> tuple[Expression, ...]:
    """Give the assets that the run makes."""
    events = plan.item.root.first("output-events")
    elements = events.every("data-out") if events is not None else []
    quiet = replace_accounts(plan)
    series = _series(estate, quiet) if elements else {}
    compiler = Compiler(plan.scope, Words(body.app_name, {}, zone=zone, probe=body.profile.probe), body.needs, "python")
    made: list[Expression] = []
    for element in elements:
        name = element.get("name")
        try:
            _check_name(plan, body, name)
            event = datasets.read_event(element, series, plan.scope, zone)
            function = datasets.uri_function(event, compiler)
        except Unsupported as error:
            plan.note("data-out", "caveat", "data-out-unknown", f"it is no asset: {error.reason}", name, element)
            continue
        plan.functions[function.name] = function
        plan.events[name] = f"{function.name}(logical_date, params)"
        plan.macros[function.name] = Code(function.name)
        if event.dataset.is_asked:
            plan.note(
                "data-out",
                "caveat",
                "dataset-asked",
                f"the params dataset.{event.dataset.name}.* define its dataset",
                name,
                element,
            )
        made.append(Call(symbols.ASSET, (f"oozie-{event.dataset.name}",)))
        if not event.dataset.is_asked:
            plan.note("data-out", "converted", name=name, at=element)
    return tuple(made)


def _check_name(plan: Plan, body: Body, name: str) -> None:
    alike = {datasets.identifier(other) for other in plan.events}
    if datasets.identifier(name) in alike or f"wait_for_{name}" in body.workflow.nodes:
        raise Unsupported("event-name", f"the name {name} cannot be told from another one of this coordinator")


def replace_accounts(plan: Plan) -> Plan:
    """Give a copy whose notes nobody reads: datasets are read twice, and counted once."""
    return Plan(plan.item, plan.scope)


def _deadline(plan: Plan, root: Element) -> dict[Target, tuple[tuple[str, Expression], ...]]:
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
