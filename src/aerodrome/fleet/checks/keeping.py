"""Keeps what the checks of a deploy found: a summary with the deploy, its DAGs and what they use in a row of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from aerodrome.store.tables.deploy import DeployRow, DeployUsageRow

_APART = ("dags", "usage")


def keep(session: Session, deploy_id: str, result: Mapping[str, Any]) -> None:
    """Write the result in the caller's transaction; again replaces it."""
    session.get_one(DeployRow, deploy_id).checks = {key: value for key, value in result.items() if key not in _APART}
    row = session.get(DeployUsageRow, deploy_id)
    if row is None:
        session.add(DeployUsageRow(deploy_id=deploy_id, dags=result["dags"], usage=result["usage"]))
    else:
        row.dags, row.usage = result["dags"], result["usage"]
