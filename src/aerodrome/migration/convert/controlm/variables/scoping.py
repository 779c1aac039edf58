"""Which variables and system words a job sees: those of its folders from outside to inside, then its own."""

from __future__ import annotations

from collections.abc import Iterable

from aerodrome.migration.convert.controlm.definitions.model import Folder, Job, Node, Variable
from aerodrome.migration.convert.controlm.variables.autoedit import Scope, is_of_folder, variable_key
from aerodrome.migration.convert.controlm.waits.conditions import event_of


def keys_set(folders: Iterable[Folder]) -> frozenset[str]:
    """Give the Airflow variables that jobs set for others: by a variable of their own or by an ON block, global, of a pool or of the SMART folder."""
    found = set()
    for folder in folders:
        for node in (folder, *folder.folders(), *folder.jobs()):
            names = [item.name for item in shared(node)]
            names += [
                action.values.get("NAME", "").strip().removeprefix("%%")
                for reaction in node.reactions
                if event_of(reaction.statement, reaction.code) is not None
                for action in reaction.actions
                if action.kind == "variable"
            ]
            found |= {variable_key(name, folder.name) for name in names if name.startswith("\\")}
    return frozenset(found)


def shared(node: Node) -> list[Variable]:
    """Give the variables that a job sets for others when it starts."""
    return [item for item in node.variables if item.name.startswith("\\")] if isinstance(node, Job) else []


def scope_of(
    folder: Folder, job: Job | None, *, kept: frozenset[str] = frozenset(), is_week_from_sunday: bool = False
) -> Scope:
    """Give the scope of a job, or of the folder itself. `kept`: the Airflow variables that jobs set."""
    node: Node = job if job is not None else folder
    around: list[Node] = [folder]
    if job is not None:
        around += folder.around(job.path)
        around.append(job)
    variables = {
        item.name.strip("\\"): item.value
        for level in around
        for item in level.variables
        if not item.name.startswith("\\") or (level is not job and is_of_folder(item.name))
    }
    details = job.details if job is not None else {}
    system = {
        "JOBNAME": node.name,
        "SCHEDTAB": folder.name,
        "SCHEDTABLE": folder.name,
        "SMART_FOLDER": folder.name,
        "TABLE": folder.name,
        "FOLDER": folder.name,
        **({"DATACENTER": folder.server} if folder.server else {}),
        "APPLIC": node.application,
        "APPLICATION": node.application,
        "APPLGROUP": node.sub_application,
        "SUBAPPLICATION": node.sub_application,
        "GROUP": node.sub_application,
        "OWNER": job.run_as if job is not None else "",
        "RUN_AS": job.run_as if job is not None else "",
        "NODEGRP": job.host if job is not None else "",
        "NODEID": job.host if job is not None else "",
        "AGENT": job.host if job is not None else "",
        "MEMNAME": details.get("MEMNAME", node.name),
        "$MEMNAME": details.get("MEMNAME", node.name),
        "MEMLIB": details.get("MEMLIB", ""),
    }
    return Scope(system, variables, is_week_from_sunday, folder.name, kept)
