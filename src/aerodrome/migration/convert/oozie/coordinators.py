"""Makes one DAG of a coordinator and its workflow: the schedule, the waits, and the workflow behind them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from aerodrome.migration.convert.contract import (
    Dag,
    Origin,
    Question,
    Schedule,
    Symbol,
)
from aerodrome.migration.convert.oozie import executions, frequency
from aerodrome.migration.convert.oozie.body import Body
from aerodrome.migration.convert.oozie.building import make_dag, unlike
from aerodrome.migration.convert.oozie.estate import Application, Estate
from aerodrome.migration.convert.oozie.events import make_inputs, make_outputs
from aerodrome.migration.convert.oozie.functions import APP_PATH
from aerodrome.migration.convert.oozie.grouping import child_body
from aerodrome.migration.convert.oozie.needs import Unsupported
from aerodrome.migration.convert.oozie.plan import Plan
from aerodrome.migration.convert.oozie.properties import Layer, Scope, configuration, incomplete
from aerodrome.migration.convert.oozie.scheduled import find_workflow, stand_in
from aerodrome.migration.convert.oozie.sla import Watch, watch
from aerodrome.migration.convert.oozie.subworkflows import Children, names_in
from aerodrome.migration.convert.xmlreading import Element

_EXECUTIONS: Final = ("FIFO", "LIFO", "LAST_ONLY", "NONE")
_HELD_UP: Final = (
    "runs that wait for data count among the {most} that go at a time: one whose data does not come holds up later ones as long as it waits;"
    " in Oozie only those that run count, and whichever has its data starts"
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
    formal = estate.submitted_defaults(item)
    layers = (*more, *(estate.job(item) if job is None else job))
    defaults = Layer("coordinator parameters", formal, world=0)
    plan = Plan(item, Scope((*layers, defaults)))
    root = item.root
    plan.ending = _ending(plan, estate.profile.ending)
    if job is None and (assumed := estate.properties_assumed(item)):
        plan.note("properties", "caveat", "properties-assumed", assumed)
    name = plan.scope.text(root.get("name")) or dag_id
    zone = _zone(plan)
    schedule, series = _schedule(plan, zone)
    action = (root.first("action") or root).first("workflow")
    path = action.value("app-path") if action is not None else ""
    own = configuration(action.first("configuration")) if action is not None else {}
    workflow_item = find_workflow(estate, plan, path, item.folder)
    is_here = workflow_item is not None and workflow_item.workflow is not None
    given = {
        **(own if is_here else {}),
        APP_PATH: path,
    }  # what a DAG of its own gets is read outside of what it is given
    inner = Scope((Layer("coordinator configuration", given, is_outward=True), *layers, replace(defaults, world=1)))
    if workflow_item is not None and workflow_item.workflow is not None:
        workflow, folder = workflow_item.workflow, workflow_item.folder
        inner = inner.with_layers(*estate.defaults(workflow_item))
        plan.note("action", "converted", name=path)
    else:
        workflow, folder = stand_in(item, name, path, own), item.folder
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
        partial(child_body, children),
        coordinator_name=root.get("name"),
        zone=zone,
        ending=plan.ending,
        defaults={} if workflow_item is None else estate.hadoop_defaults(workflow_item),
        events=plan.events,
    )
    if lacking := incomplete(root):
        plan.fail("configuration", Unsupported("configuration-refused", f"Oozie refuses it: {lacking}"), "")
    make_inputs(estate, plan, body, zone)
    body.outlets = make_outputs(estate, plan, body, zone)
    _check_controls(plan)
    body.needs.functions |= plan.functions
    body.event_macros = plan.macros
    body.app_name = inner.text(workflow.name) or workflow.name or name
    execution = _execution(plan)
    gate = None
    if execution in executions.SKIPPING and series is not None:
        gate = executions.gate(execution, series, unlike("is_due", body.workflow), body.needs.functions)
        plan.before = [
            executions.until_over(task, body.needs.functions) if task.is_waiting else task for task in plan.before
        ]
    dag = make_dag(
        body,
        dag_id,
        schedule=schedule,
        before=tuple(plan.before),
        gate=gate,
        origin=Origin(item.file, "coordinator-app", root.line),
        doc=f"Coordinator {name}.",
        sla=_sla(plan),
    )
    dag = replace(
        dag,
        max_active_runs=_controls(plan, is_skipping=gate is not None),
        accounts=(*plan.accounts, *dag.accounts),
    )
    return dag, tuple(plan.questions)


def _sla(plan: Plan) -> Watch | None:
    info = (plan.item.root.first("action") or plan.item.root).first("info")
    if info is None:
        return None
    found = watch(info, plan.scope)
    plan.note("sla", "caveat", found.code, found.reason, at=info)
    return found


def _zone(plan: Plan) -> str:
    text = plan.scope.text(plan.item.root.get("timezone"))
    zone = frequency.read_zone(text) if text is not None else None
    if zone is None:
        given = plan.scope.partly(plan.item.root.get("timezone"))
        if _is_refused(plan, plan.item.root.get("timezone")):
            plan.fail("timezone", Unsupported("timezone-refused", f"Oozie refuses the time zone {given!r}"), "")
            return "UTC"
        reason = f"the time zone {given!r} is not known: give its value in the profile"
        plan.fail("timezone", Unsupported("timezone-unknown", reason), "")
        _ask(plan, "unknown-timezone", plan.item.root.get("timezone"))
        return "UTC"
    plan.note("timezone", "converted")
    return zone


def _ask(plan: Plan, code: str, text: str) -> None:
    question = f"{plan.item.file}: what is {plan.scope.partly(text) or 'nothing'} ({code.removeprefix('unknown-')})? Give it as a value under `defaults` in the profile."
    plan.questions.append(Question(code, question, plan.origin(code.removeprefix("unknown-"))))


def _schedule(plan: Plan, zone: str) -> tuple[Schedule, tuple[str, Symbol] | None]:
    """Give the schedule, and its nominal times as Python; none when they are not known."""
    root = plan.item.root
    rhythm = frequency.frequency_of(root, plan.scope)
    begin, end_text = plan.scope.text(root.get("start")), plan.scope.text(root.get("end"))
    start, end = (frequency.read_time(text or "", plan.ending) for text in (begin, end_text))
    server = frequency.server_zone(plan.ending)
    is_catching_up = _execution(plan) not in ("LAST_ONLY", "NONE")
    for what, found, text in (("frequency", rhythm, root.get("frequency")), ("start", start, root.get("start"))):
        if found is None and _is_refused(plan, text):
            reason = f"Oozie refuses the {what} {text!r}, and all of its values are known"
            if what == "start" and begin is not None:
                reason = f"Oozie refuses the start {begin!r}: {frequency.refused_time(begin, plan.ending)}"
            plan.fail(what, Unsupported(f"{what}-refused", reason), "")
        elif found is None:
            plan.fail(
                what,
                Unsupported(
                    f"{what}-unknown",
                    f"the {what} {plan.scope.partly(text)!r} is not known: give its values in the profile",
                ),
                "",
            )
            _ask(plan, f"unknown-{what}", text)
        else:
            plan.note(what, "converted")
    if end is None and end_text is not None:
        reason = f"Oozie refuses the end {end_text!r}: {frequency.refused_time(end_text, plan.ending)}"
        if not root.get("end"):
            reason = "Oozie refuses a coordinator without end: it has none, and the schema asks for it"
        plan.fail("end", Unsupported("end-refused", reason), "")
    elif end is None:
        plan.note("end", "caveat", "end-unknown", f"the end {root.get('end')!r} is not known: the DAG runs on")
        _ask(plan, "unknown-end", root.get("end"))
    else:
        plan.note("end", "converted")
    if rhythm is None or start is None:
        return Schedule(), None
    execution = _execution(plan)
    expression = frequency.timetable(
        rhythm, start, zone, is_catching_up=is_catching_up, execution=execution, server=server
    )
    if rhythm.cron and server != "UTC" and execution in executions.SKIPPING:
        expression = None
    if expression is None:
        code, reason = frequency.cron_refused(rhythm.cron) or (
            "cron-unknown",
            f"the cron {rhythm.cron!r} is not computed for a server of the zone {server}",
        )
        plan.fail("frequency", Unsupported(code, reason), "cron")
        return Schedule(), None
    oracle = {
        "unit": rhythm.unit,
        "amount": str(rhythm.amount),
        "end_of": rhythm.end_of,
        "cron": rhythm.cron,
        "server": server,
        "zone": zone,
        "start": start.isoformat(),
        "end": end.isoformat() if end else "",
    }
    if end is not None and end <= start:
        plan.note("end", "caveat", "never-runs", "it ends before it starts: it never runs")
    last = end - timedelta(minutes=1) if end else None
    series = frequency.times_of(rhythm, start, zone)
    return Schedule(expression, start, last, zone, is_catching_up, oracle), series


def _ending(plan: Plan, given: str) -> str:
    """Tell what the times of the server end with, by the profile or by the coordinator's own."""
    texts = (plan.scope.text(plan.item.root.get(name)) or "" for name in ("start", "end"))
    return given or next((found for text in texts if (found := frequency.ending_of(text))), "Z")


def _is_refused(plan: Plan, text: str) -> bool:
    """Tell whether a text is wrong as it stands: no value of it is missing."""
    return all(plan.scope.constant(name) is not None for name in names_in(text))


def _execution(plan: Plan) -> str:
    controls = plan.item.root.first("controls")
    return plan.scope.text(controls.value("execution")) or "FIFO" if controls is not None else "FIFO"


def _controls(plan: Plan, *, is_skipping: bool) -> int | None:
    """Account for the controls and give how many runs may go at a time; None is any number. `is_skipping`: late runs are skipped."""
    controls = plan.item.root.first("controls") or Element("controls", {}, 0)
    text = plan.scope.text(controls.value("concurrency")) or ""
    most: int | None = 1
    is_waiting = any(task.is_waiting for task in plan.before)
    execution = _execution(plan)
    codes: dict[str, str] = {}
    if controls.value("concurrency") and re.fullmatch(r"-?\d+", text):
        most = int(text) if int(text) >= 0 else None
    elif controls.value("concurrency"):
        codes["concurrency-unknown"] = (
            f"the concurrency {controls.value('concurrency')!r} is not known: 1, as Oozie's default"
        )
    if is_waiting:
        codes["waiting-runs-count"] = _HELD_UP.format(most=most or "max_active_runs_per_dag of Airflow (16)")
    if codes:
        plan.note("concurrency", "caveat", ",".join(codes), "; ".join(codes.values()))
    elif controls.value("concurrency"):
        plan.note("concurrency", "converted")
    if controls.value("throttle"):
        if is_waiting or execution == "LIFO":
            reason = "how many runs may wait at a time is not limited apart from max_active_runs"
            plan.note("throttle", "caveat", "throttle", reason)
        else:  # without inputs a run that is made only waits for its turn, the oldest first
            plan.note("throttle", "converted")
    reasons = {
        "LIFO": "the oldest run goes first, not the newest",
        "LAST_ONLY": "Airflow makes only the latest of the missed runs",
        "NONE": "Airflow makes the latest of the missed runs, Oozie none of them",
    }
    if controls.value("execution") and plan.scope.text(controls.value("execution")) is None:
        reason = f"the execution {controls.value('execution')!r} is not known: FIFO, as Oozie's default"
        plan.note("execution", "caveat", "execution-unknown", reason)
    elif controls.value("execution") and execution in _EXECUTIONS:
        is_exact = is_skipping or execution not in reasons or (execution == "LIFO" and most is None)
        plan.note(
            "execution",
            "converted" if is_exact else "caveat",
            "" if is_exact else f"execution-{execution.lower()}",
            "" if is_exact else reasons[execution],
        )
    return most


def _check_controls(plan: Plan) -> None:
    """Raise for a concurrency of 0, with which no run ever starts, and for an execution that Oozie refuses.

    Oozie 4.x and 5.x: CoordActionReadyXCommand; CoordSubmitXCommand asks for one of the four words as they are written.
    """
    if (execution := _execution(plan)) not in _EXECUTIONS:
        plan.fail("execution", Unsupported("execution-refused", f"Oozie refuses the execution {execution!r}"), "")
    controls = plan.item.root.first("controls")
    text = plan.scope.text(controls.value("concurrency")) or "" if controls is not None else ""
    if re.fullmatch(r"-?0+", text):
        plan.fail("concurrency", Unsupported("concurrency-zero", "with a concurrency of 0 Oozie starts no run"), "")
