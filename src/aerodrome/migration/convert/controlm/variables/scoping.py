"""Which variables and system words a job sees: those of its folders from outside to inside, then its own."""

from __future__ import annotations

from aerodrome.migration.convert.controlm.definitions.model import Folder, Job, Node
from aerodrome.migration.convert.controlm.variables.autoedit import Scope


def scope_of(folder: Folder, job: Job | None, *, is_week_from_sunday: bool = False) -> Scope:
    """Give the scope of a job, or of the folder itself."""
    node: Node = job if job is not None else folder
    around: list[Node] = [folder]
    if job is not None:
        around += folder.around(job.path)
        around.append(job)
    variables = {
        item.name: item.value for level in around for item in level.variables if not item.name.startswith("\\")
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
        "NODEID": job.host if job is not None else "",
        "AGENT": job.host if job is not None else "",
        "MEMNAME": details.get("MEMNAME", node.name),
        "$MEMNAME": details.get("MEMNAME", node.name),
        "MEMLIB": details.get("MEMLIB", ""),
    }
    return Scope(system, variables, is_week_from_sunday)
