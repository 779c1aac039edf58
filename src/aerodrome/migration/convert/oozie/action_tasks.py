"""Makes the task of an action: by the profile's runner, with its retries, or one that raises and says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import (
    Task,
)
from aerodrome.migration.convert.oozie import commands
from aerodrome.migration.convert.oozie.actions import Action
from aerodrome.migration.convert.oozie.body import NOT_CONVERTED, Body, raising_arguments
from aerodrome.migration.convert.oozie.compiling import Compiler
from aerodrome.migration.convert.oozie.credentials import named
from aerodrome.migration.convert.oozie.mails import mail
from aerodrome.migration.convert.oozie.model import Node, Workflow
from aerodrome.migration.convert.oozie.needs import Unsupported, Words
from aerodrome.migration.convert.oozie.profiles import Command, operator
from aerodrome.migration.convert.oozie.sla import watch_action
from aerodrome.migration.convert.xmlreading import to_text

# Oozie 4.x/5.x, oozie-default.xml: oozie.service.LiteWorkflowStoreService.user.retry.max
_RETRIES_OF_SERVER: Final = 3
_ALIKE: Final = {"spark3": "spark"}  # types of a distribution that are written as one of Oozie's


def action_task(body: Body, words: Words, node: Node) -> Task:
    """Make the task of an action and account for it."""
    assert node.body is not None  # noqa: S101  (a workflow without defects)
    kind = _ALIKE.get(node.body.name, node.body.name)
    snapshot = (
        dict(body.needs.parameters),
        dict(body.needs.functions),
        dict(body.needs.caveats),
        dict(body.needs.macros),
        dict(body.needs.filters),
    )
    body.needs.caveats.clear()
    compiler = Compiler(body.scope, words, body.needs)
    caveats: dict[str, str] = {}
    doc = ""
    try:
        if kind == "sub-workflow":
            arguments, caveats = body.start_child(body, compiler, node)
            task = Task(node.name, symbols.TRIGGER_DAG, arguments)
        elif kind == "email":
            task = mail(body.profile, compiler, node, caveats)
        else:
            action = _prepare(body, compiler, node, kind)
            action.counters = words.counters.get(node.name, ())
            command = commands.translate(action)
            caveats |= action.caveats
            _check_capture(body, kind, command)
            if body.profile.runner_of(kind) in ("livy", "dataproc"):
                _check_engine(action, command)
            chosen, arguments = operator(body.profile, kind, command)
            is_engine = body.profile.runner_of(kind) in ("livy", "dataproc")
            if is_engine and "app-library" in caveats:
                caveats["app-library"] = "jars of lib/ below the application's path are not given to the engine"
            if kind == "spark" and is_engine:
                caveats.pop("spark-files", "")
                caveats["spark-engine"] = (
                    "the flags of spark-opts are given as properties; master and deploy mode are the engine's"
                )
            task = Task(node.name, chosen, arguments)
        caveats |= body.needs.caveats
        task = _retrying(compiler, node, task, caveats)
        failure = None
    except Unsupported as error:
        body.needs.parameters, body.needs.functions, _, body.needs.macros, body.needs.filters = snapshot
        body.needs.functions[NOT_CONVERTED.name] = NOT_CONVERTED
        failure = error
        doc = f"```xml\n{to_text(node.element)}\n```"
        task = Task(
            node.name,
            symbols.PYTHON,
            raising_arguments(f"{node.name} ({kind}) is not converted: {error.reason}"),
            role="raises",
        )
    body.needs.caveats = snapshot[2]
    if node.element.get("cred"):
        caveats["credentials"] = (
            f"the worker needs its own ticket or login in place of the credentials {node.element.get('cred')}"
        )
    if (info := node.element.first("info")) is not None:
        sla = watch_action(info, body.scope)
        caveats[sla.code] = sla.reason
        if sla.arguments and sla.function is not None and failure is None:
            body.needs.functions[sla.function.name] = sla.function
            task = replace(task, arguments=(*task.arguments, *sla.arguments["3.3"]))
    body.account(f"action/{node.body.name}", node, caveats, failure)
    return replace(task, origin=node.origin, doc=doc)


def is_counted(workflow: Workflow, name: str) -> bool:
    """Tell whether a node is an action with counters."""
    node = workflow.nodes.get(name)
    return node is not None and node.body is not None and node.body.name == "map-reduce"


def _check_capture(body: Body, kind: str, command: Command) -> None:
    runner = body.profile.runner_of(kind)
    if command.is_capturing and runner != "local":
        raise Unsupported("capture-elsewhere", f"captured output is only read from the local runner, not {runner}")


def _check_engine(action: Action, command: Command) -> None:
    """Refuse what an engine would not be given: it takes a job, no commands around it."""
    for name in ("prepare", "file", "archive", "job-xml", "query"):
        if action.body.first(name) is not None:
            raise Unsupported(
                "engine-element", f"<{name}> has no place in a job of this engine: run it by another runner"
            )
    if action.unread or (action.kind != "spark" and (action.settings() or action.body.first("argument") is not None)):
        raise Unsupported("engine-settings", "its configuration or arguments have no place in a job of this engine")
    if left := command.engine.get("left"):
        raise Unsupported("engine-flags", f"{', '.join(left)} of spark-opts has no place in a job of this engine")


def _prepare(body: Body, compiler: Compiler, node: Node, kind: str) -> Action:
    assert node.body is not None  # noqa: S101
    common, files = body.common()
    credentials = named(body.workflow.root, node.element)
    action = Action(kind, node.body, compiler, {**body.defaults, **common}, body.read_job_xml, files, credentials)
    action.most_output = body.profile.most_output
    return action


def _retrying(compiler: Compiler, node: Node, task: Task, caveats: dict[str, str]) -> Task:
    most = compiler.scope.text(node.element.get("retry-max", "0")) or ""
    if not most.isdigit():
        raise Unsupported("retry-max", "retry-max is not known")
    if int(most) == 0:
        return task
    interval = compiler.scope.text(node.element.get("retry-interval", "10")) or "10"
    caveats["retry-any-error"] = "Oozie tries again only after certain errors; here after any"
    if int(most) > _RETRIES_OF_SERVER:
        caveats["retry-limit"] = (
            f"Oozie's server limits retry-max, to {_RETRIES_OF_SERVER} unless its oozie-site.xml says other; here it is {most}"
        )
    is_exponential = node.element.get("retry-policy", "periodic").lower() == "exponential"
    delay = timedelta(minutes=int(interval) if interval.isdigit() else 10)
    return replace(task, retries=int(most), retry_delay=delay, is_retry_exponential=is_exponential)
