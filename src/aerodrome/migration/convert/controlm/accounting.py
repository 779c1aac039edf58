"""What became of every element of a job or a folder: the accounts that the report counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aerodrome.migration.convert.controlm.definitions.model import Job, Node, Wait
from aerodrome.migration.convert.controlm.definitions.times import clock
from aerodrome.migration.convert.controlm.draft import Draft, at
from aerodrome.migration.convert.controlm.jobs.workbench import Work
from aerodrome.migration.convert.controlm.variables.autoedit import is_of_folder, variable_key
from aerodrome.migration.convert.controlm.waits.conditions import is_ambiguous
from aerodrome.migration.convert.controlm.waits.linking import days_of
from aerodrome.migration.convert.controlm.world import Plan, World


def job_accounts(draft: Draft, job: Job, work: Work, read_by_effects: Mapping[str, None]) -> None:
    element = f"JOB/{job.kind}"
    if work.failure:
        draft.account(element, "raises", job.origin, work.failure[0], work.failure[1], job.name)
    elif not work.notes:
        draft.account(element, "converted", job.origin, name=job.name)
    for code, text in work.notes:
        draft.account(element, "caveat", job.origin, code, text, job.name)
    unknown_accounts(draft, job, {**dict.fromkeys(work.unknown), **read_by_effects})
    node_accounts(draft, job)


def unknown_accounts(draft: Draft, node: Node, names: Iterable[str]) -> None:
    """Name the %% variables that nothing in the exports defines."""
    what = "JOB" if isinstance(node, Job) else "FOLDER"
    for name in names:
        draft.built.unknown.setdefault(name, f"used by {'/'.join(node.path)}")
        if name.startswith("controlm.pgp."):
            continue  # told where the transfer was made
        text = f"%%{name.removeprefix('controlm.')} is not defined in the exports: it is the Airflow variable {name}."
        draft.account(f"{what}/variable", "caveat", node.origin, "variable-unknown", text, node.name)


def cutover_notes(world: World, plan: Plan) -> list[tuple[str, str]]:
    """Give what the first runs miss: conditions that Control-M has added before the cutover, which no run of Airflow has."""
    kept: dict[str, None] = {}
    awaited: dict[str, None] = {}
    leaders: dict[str, None] = {}
    firsts: dict[str, None] = {}  # of the date before the first one, which nobody knows
    for node in (plan.folder, *plan.folder.folders(), *plan.folder.jobs()):
        for wait in node.waits:
            for link in world.links.of(plan.number, node, wait):
                if link.kind == "stored":
                    kept[wait.name] = None
                    firsts |= {wait.name: None} if link.is_previous else {}
                elif link.kind == "sensor":
                    awaited[wait.name] = None
                    if link.producer is not None and link.producer.folder != plan.number:
                        leaders[world.plans[link.producer.folder].dag_id] = None
    todo = []
    if kept:
        todo.append(
            f"add those that are set to the Airflow variables controlm.condition.NAME, with .MMDD behind it and the whole date (YYYYMMDD) as the value where they have a date: {', '.join(kept)}"
        )
    if firsts:
        keys = ", ".join(f"controlm.condition.{name}.PREV" for name in firsts)
        todo.append(f"{keys} stands for the date before the first one where dates are listed")
    if awaited:
        todo.append(f"mark the sensors as success whose jobs have ended under Control-M: {', '.join(awaited)}")
    if not todo:
        return []
    text = "Conditions that Control-M has added before the cutover do not cross. For the first runs "
    notes = [("conditions-at-cutover", f"{text}{'; '.join(todo)}.")]
    if leaders:
        names, are = ", ".join(leaders), "runs" if len(leaders) == 1 else "run"
        ends = (
            "fail"
            if plan.folder.is_adjusting
            else "are skipped, as are the jobs behind them, and the run is no failure"
        )
        text = f"Until {names} {are} here (a later wave, paused), no run of theirs is found: waits for them end with their time (MAXWAIT and a day) and {ends}. Move them before this one or with it."
        notes.append(("condition-other-wave", text))
    return notes


def node_accounts(draft: Draft, node: Node) -> None:
    if _is_without_criteria(draft, node):
        text = "It has no scheduling criteria of its own: it runs on every date of its folder. Outside of SMART folders nothing orders such jobs; look at a date in Control-M, or give it RULE_BASED_CALENDARS NAME='*'."
        draft.account("JOB/schedule", "caveat", node.origin, "criteria-of-folder", text, node.name)
    if is_ambiguous(node.waits):
        text = "AND and OR are mixed without parentheses: each mark joins its condition to the one before, AND first."
        draft.account("INCOND", "caveat", node.origin, "condition-order", text, node.name)
    own = {wait.name for wait in node.waits}
    by_edge = {
        wait.name
        for wait in node.waits
        if any(link.kind != "stored" for link in draft.world.links.of(draft.plan.number, node, wait))
    }
    for wait in node.waits:
        _wait_account(draft, node, wait)
    for out in node.outs:
        if (
            out.sign == "-"
            and out.name not in own
            and out.name not in draft.world.links.stored
            and draft.world.index.of(out.name, draft.plan.number)
        ):
            text = f"It deletes {out.name}, which is an edge or a run here: later jobs of the same date still see it."
            draft.account("OUTCOND", "caveat", at(node, out.line), "condition-delete", text, node.name)
        elif (
            out.sign == "-"
            and out.name in own
            and draft.world.index.waiters(out.name, draft.plan.number) > 1
            and (out.name not in draft.world.links.stored or out.name in by_edge)
        ):
            text = f"It deletes {out.name} after use, for which other jobs wait, too: here all of them run, in Control-M those that started before."
            draft.account("OUTCOND", "caveat", at(node, out.line), "condition-shared", text, node.name)
        else:
            draft.account("OUTCOND", "converted", at(node, out.line), name=node.name)
    for number, resource in enumerate(node.resources):
        element = "QUANTITATIVE" if resource.kind == "quantitative" else "CONTROL"
        if not isinstance(node, Job):
            text = (
                f"The resource {resource.name} is held by a whole folder, which a pool cannot: its jobs do not take it."
            )
            draft.account(element, "caveat", at(node, resource.line), "resource-folder", text, node.name)
        elif number:
            text = f"A task has one pool: {node.resources[0].name} is used, {resource.name} is not."
            draft.account(element, "caveat", at(node, resource.line), "resource-second", text, node.name)
        elif resource.is_kept:
            text = f"{resource.name} stays taken in Control-M (after a failure, or for good after OK); a pool frees it when the task has ended."
            draft.account(element, "caveat", at(node, resource.line), "resource-kept", text, node.name)
        else:
            draft.account(element, "converted", at(node, resource.line), name=node.name)
    for variable in node.variables:
        if not isinstance(node, Job) and variable.name.startswith("\\") and not is_of_folder(variable.name):
            key = variable_key(variable.name)
            text = f"The folder sets %%{variable.name} when it is ordered, which no task does: set the Airflow variable {key} yourself, or let a job set it."
            draft.account("VARIABLE", "caveat", at(node, variable.line), "variable-folder", text, variable.name)
            continue
        if variable.name.upper() == "LIBMEMSYM":
            text = f"The variables in the file {variable.value} are not read: give them to the job as its own, or as the Airflow variables that variable-unknown names."
            draft.account("VARIABLE", "caveat", at(node, variable.line), "variable-file", text, variable.name)
            continue
        draft.account("VARIABLE", "converted", at(node, variable.line), name=variable.name)
    if node.is_critical:
        text = "CRITICAL reserves resources for the job; here only its priority weight counts."
        draft.account("JOB@CRITICAL", "caveat", node.origin, "critical", text, node.name)
    if node.time_to is not None and (node.max_wait or 0) > 0 and isinstance(node, Job) and not node.cyclic:
        text = f"It may wait {node.max_wait} days; it is skipped after {clock(node.time_to % 1440)} of the last of them, without a window on each day."
        draft.account("JOB@TIMETO", "caveat", node.origin, "window-days", text, node.name)
    if not isinstance(node, Job) and (node.time_to is not None):
        text = "The end of the time window of a folder is not applied to its jobs."
        draft.account("FOLDER@TIMETO", "caveat", node.origin, "folder-window", text, node.name)


def _is_without_criteria(draft: Draft, node: Node) -> bool:
    """Say whether a node of a scheduled SMART folder is ordered by nothing but its folder, and does not say so; JSON means the folder by saying nothing."""
    plan = draft.plan
    is_inside = plan.folder.is_smart and node.path != plan.folder.path and not node.origin.file.endswith(".json")
    if not is_inside or not plan.is_scheduled or node.rule.has_criteria:
        return False
    return not any(not name.startswith("!") for name in node.rule_names) and bool(plan.dates_of(node))


def _wait_account(draft: Draft, node: Node, wait: Wait) -> None:
    links = draft.world.links.of(draft.plan.number, node, wait)
    origin = at(node, wait.line)
    own = draft.plan.folder.server
    producers = draft.world.index.of(wait.name, draft.plan.number)
    servers = {draft.world.plans[item.folder].folder.server for item in producers}
    if own and servers and all(server not in ("", own) for server in servers):
        text = f"{wait.name} is added on the Control-M server {', '.join(sorted(servers))}, and awaited on {own}: it is taken as a global condition, which both have."
        draft.account("INCOND", "caveat", origin, "condition-server", text, node.name)
    if any(link.kind == "never" for link in links):
        return  # told where the raising task was made
    why = next((link.why for link in links if link.kind == "stored"), "")
    if not why:
        has_previous = any(link.is_previous for link in links)
        if days_of(wait.odate) is None and wait.name not in draft.world.index.deleted:
            text = f"{wait.name} has no date and nobody deletes it: in Control-M only the first date waits for it, here each one does."
            draft.account("INCOND", "caveat", origin, "condition-static", text, node.name)
            return
        text = "The first run has no run before it to wait for: mark its sensor as success." if has_previous else ""
        draft.account(
            "INCOND", "caveat" if text else "converted", origin, "condition-first" if text else "", text, node.name
        )
        return
    key = f"controlm.condition.{wait.name}"
    dated = key if days_of(wait.odate) is None else f"{key}.MMDD, with its date (YYYYMMDD) as the value,"
    texts = {
        "condition-unknown-producer": f"Nothing in the exports adds {wait.name}: the job waits for the Airflow variable {dated} which whoever adds it sets. A DAG that is converted apart sets it when nobody there waits for {wait.name}, or when kept_conditions of its profile names it.",
        "condition-undated": f"{wait.name} has no date: it is kept as the Airflow variable {key}.",
        "condition-stored": f"{wait.name} cannot be an edge or a wait for a run (a circle, a cyclic job, another date, a job that others order, or a folder without a schedule): it is kept as the Airflow variable {key} with its date.",
    }
    draft.account("INCOND", "caveat", origin, why, texts[why], node.name)
