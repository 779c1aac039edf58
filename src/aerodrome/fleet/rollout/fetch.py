"""Step `fetch`: the project of a deploy from git is fetched, frozen and written into the deploy.

It is the only step that a deploy from git begins with; what comes after depends on what was fetched (its versions) and is
chosen here, in the transaction that writes it. After a kill before that it is fetched again, after it nothing is left to do.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial

from aerodrome.builds import git as repositories
from aerodrome.builds.trees import left_out
from aerodrome.fleet import composing, contents, git, steps, wishes
from aerodrome.fleet.rollout.visit import Step, Visit
from aerodrome.kernel.errors import Denied
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow

Choose = Callable[[DeploymentRow, DeployRow], Sequence[Step]]


def run(visit: Visit, choose: Choose) -> float:
    context, deploy = visit.context, visit.deploy
    if deploy.bundle_digest:
        return 0
    wish, source = git.wish_of(deploy)
    folder = context.home / "fetched" / deploy.id
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    try:
        facts = repositories.fetch(
            source,
            folder,
            protocols=context.git_protocols,
            login=git.login(context, visit.deployment, source.credentials),
            timeout_s=context.git_timeout_s,
            say=visit.say,
            known_hosts=context.home / "git_known_hosts",
        )
        project = folder / source.folder
        for name in left_out(project):
            visit.say(f"{name} is left out: it may hold secrets, and the project file does not list it.")
        bundle = context.bundles.put(project, composing.TAKEN[wish.kind])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    visit.say(f"{bundle.file_count} files are kept.")
    with context.store.reading() as session:
        before = contents.newest(session, deploy.deployment_id, below=deploy.number)
    whole = composing.compose(context, composing.with_bundle(wish, bundle), before)
    with wishes.writing(context) as session:
        deployment = session.get_one(DeploymentRow, deploy.deployment_id, with_for_update=True)
        row = session.get_one(DeployRow, deploy.id)
        row.git = {**(row.git or {}), **facts}
        # nothing came in between: a deployment moves one deploy at a time, in the order of their numbers
        before = contents.newest(session, deployment.id, below=row.number)
        contents.fill(row, deployment, before, whole)
        if contents.changes_version(row, deployment, before) and not (deploy.git or {}).get("may_change_version"):
            raise Denied(
                f"The project file asks for Airflow {row.airflow_version} on Python {row.python_version}, and"
                f" {row.actor} may not change the deployment's versions.",
                code="permission-missing",
                hint="Somebody with the role operator can deploy it, or upgrade the deployment first.",
            )
        steps.create_all(session, row.id, [step.name for step in choose(deployment, row)], after=1)
    return 0


def step(choose: Choose) -> Step:
    """Make the step; `choose` gives the ones after it."""
    return Step("fetch", partial(run, choose=choose))
