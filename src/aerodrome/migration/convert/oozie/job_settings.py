"""What the properties of a job ask of Oozie itself, for which a DAG has no equivalent: it is told, never dropped."""

from __future__ import annotations

from typing import Final

from aerodrome.migration.convert.contract import Account, Origin
from aerodrome.migration.convert.oozie.body import Body

# Oozie 4.x/5.x, OozieClient: WORKFLOW_NOTIFICATION_URL, ACTION_NOTIFICATION_URL, COORD_ACTION_NOTIFICATION_URL, OOZIE_SUSPEND_ON_NODES
_NOTIFIED: Final = (
    "oozie.wf.workflow.notification.url",
    "oozie.wf.action.notification.url",
    "oozie.coord.action.notification.url",
)
_SUSPENDING: Final = "oozie.suspend.on.nodes"


def tell_settings(body: Body) -> None:
    """Account for notifications, and for nodes at which the job stops until somebody resumes it."""
    given = [name for name in _NOTIFIED if body.scope.find(name) is not None]
    if given:
        reason = f"nobody is notified of how the job and its actions go ({', '.join(given)}): a callback of the DAG can"
        _tell(body, "notification-url", reason)
    if body.scope.find(_SUSPENDING) is None:
        return
    known = body.scope.text(f"${{{_SUSPENDING}}}")
    names = [name.strip() for name in (known or "").split(",") if name.strip()]
    there = [name for name in names if name in body.workflow.nodes]
    if known is None or names == ["*"] or there:
        where = "every node" if names == ["*"] else ", ".join(there) or "nodes that only the run knows"
        reason = f"Oozie suspends the job before {where} until somebody resumes it: here it goes on"
        _tell(body, "suspend-on-nodes", reason)


def _tell(body: Body, code: str, reason: str) -> None:
    origin = Origin(body.workflow.file, "workflow-app", body.workflow.root.line)
    body.accounts.append(Account("workflow/properties", "caveat", origin, code, reason, body.app_name))
