"""Who is told when something breaks, and who may look."""

from __future__ import annotations

from datetime import timedelta

from aerodrome.access import users
from aerodrome.access.permissions import allows
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.estate.records import UserRecord
from aerodrome.migration.service.people import people_of
from aerodrome.migration.service.proofs.checklist.items import (
    Params,
    Result,
    item_of,
    moving_dags,
    row_of,
    target_of,
)
from aerodrome.migration.service.proofs.contract import ProofContext

WATCHED = timedelta(minutes=30)


def check_alerts(context: ProofContext, params: Params) -> Result:
    """The target is watched, and somebody is told: a notification channel, or callbacks of the DAGs themselves."""
    del params
    target, dags = target_of(context), moving_dags(context)
    if target is None:
        return item_of(
            context, "alerts", "open", "There is no target yet.", next_=f"aerodrome migrate apply {context.row.name}"
        )
    now = context.migrations.clock.now()
    try:
        vitals = context.fleet.deployment_vitals(context.actor, target)
        standing = context.fleet.deployment_incidents(context.actor, target, is_open=True)
        channels = list(context.migrations.alert_channels(target))
    except AerodromeError as error:
        return item_of(context, "alerts", "open", error.message, next_=error.hint)
    is_watched = vitals is not None and now - vitals.measured_at < WATCHED
    rows = [
        row_of("watching", "done" if is_watched else "open", f"Last looked at {to_text(vitals.measured_at)}." if vitals else "Never looked at."),
        *(row_of(name, "done", "A notification channel.") for name in channels),
        *(row_of(incident.code, "attention", f"Open now: {incident.reason}") for incident in standing),
    ]  # fmt: skip
    own = [dag.dag_id for dag in dags if dag.callbacks or any(task.get("has_callbacks") for task in dag.tasks)]
    if own:
        rows.append(row_of("callbacks", "done", f"{len(own)} of {len(dags)} DAGs have callbacks of their own."))
    if not is_watched:
        return item_of(
            context, "alerts", "open", "Nobody watches the target.", next_="Start the platform's worker.", rows=rows
        )
    if channels:
        state = "attention" if standing else "done"
        return item_of(context, "alerts", state, f"{len(channels)} channels tell of incidents.", rows=rows)
    if dags and len(own) == len(dags):
        return item_of(context, "alerts", "done", "Every DAG tells of its failures by its own callbacks.", rows=rows)
    rows.append(row_of("channels", "open", "No notification channel reaches anybody."))
    evidence = "Incidents are recorded and shown, but nobody is told."
    next_ = "aerodrome alert create NAME --workspace WORKSPACE sets up a channel; or let a monitoring system read /metrics and alert on aerodrome_deployment_incidents."
    return item_of(context, "alerts", "open", evidence, next_=next_, rows=rows)


def check_access(context: ProofContext, params: Params) -> Result:
    """Every active user of the source has an account here whose role on the workspace allows as much as before."""
    del params
    scope = f"workspace/{context.row.workspace_id}"
    with context.migrations.store.reading() as session:
        here = sum(1 for _, actor in users.actors(session) if allows(actor, "deployment.read", scope))
        people = people_of(session, context.estate.all(UserRecord), scope)
    rows = []
    for person in people:
        was = ", ".join(person.source_roles)
        if not person.account:
            rows.append(row_of(person.username, "open", f"Has no account here; was {was or 'without a role'}."))
        elif person.is_shut_out:
            why = f"The account {person.account} is deactivated; `aerodrome user activate {person.account}` lets it in."
            rows.append(row_of(person.username, "open", why))
        elif not person.has_access:
            rows.append(row_of(person.username, "open", f"Has no role here that allows what {was} did: {person.role}."))
        else:
            rows.append(row_of(person.username, "done", f"Has an account; {person.role} or more on the workspace."))
    bad = [row for row in rows if row["state"] != "done"]
    if not people:
        state = "done" if here > 1 else "attention"
        evidence = f"The source names no users; {_people(here)} with a role on the workspace."
        next_ = "" if state == "done" else "aerodrome user create NAME --role author, for each of the team."
        return item_of(context, "access", state, evidence, next_=next_)
    evidence = (
        f"{len(people) - len(bad)} of {len(people)} users of the source have what they need; {_people(here)} may look."
    )
    invite = (
        f"aerodrome migrate people {context.row.name} --invite; a user who shall not come is deactivated in the source."
    )
    next_ = invite if bad else ""
    return item_of(context, "access", "open" if bad else "done", evidence, next_=next_, rows=rows)


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"
