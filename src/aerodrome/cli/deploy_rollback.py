"""`aerodrome deploy rollback N`: an earlier deploy again, across Airflow versions too."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from aerodrome.cli.deployment_upgrade import describe, finish, require_passed, show
from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.progress import changes
from aerodrome.cli.words import confirm


def rollback(
    number: Annotated[str, Parameter(help="Number or id of the deploy that comes back.")],
    /,
    *,
    deployment: Annotated[str, Parameter(help="The deployment, id or name.")],
    with_configuration: Annotated[
        bool, Parameter(help="Bring back its settings and environment objects too.", negative=())
    ] = False,
    rehearse_only: Annotated[
        bool, Parameter(help="Try it on a copy, show what would be lost, change nothing.", negative=())
    ] = False,
    description: Annotated[str, Parameter(help="Why.")] = "",
    yes: Annotated[bool, Parameter(help="Do not ask.", negative=())] = False,
    force: Annotated[
        bool, Parameter(help="Go on although checks or the rehearsal find problems.", negative=())
    ] = False,
    timeout_s: Annotated[float, Parameter(help="Seconds to wait for each of the two at most.")] = 1800,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Bring an earlier deploy back as a new one; another Airflow version is rehearsed on a copy first."""
    with common.connect() as client:
        target = client.deploys.get(deployment, number)
        current = client.deployments.get(deployment)
        is_other = target.airflow_version not in (None, current.airflow_version)
        tried = None
        if is_other:
            asked = client.versions.rehearse(current.id, deploy=target.id)
            tried = client.versions.wait_rehearsed(current.id, asked.id, timeout_s, changes(describe))
            show(tried, common, is_last=rehearse_only)
        elif rehearse_only:
            say(f"Deploy {target.number} runs on the same Airflow: running tasks finish on the code they started with.")
        if rehearse_only:
            return
        if tried is not None:
            require_passed(tried, force=force)
        also = f" and from Airflow {current.airflow_version} to {target.airflow_version}" if is_other else ""
        confirm(f"Roll {current.name} back to deploy {target.number}{also}?", yes=yes)
        item = client.versions.roll_back(
            current.id,
            target.id,
            with_configuration=with_configuration,
            rehearsal_id=tried.id if tried is not None and tried.status == "passed" else None,
            description=description,
            origin="cli",
            force=force,
        )
        finish(client, item, common, timeout_s)
