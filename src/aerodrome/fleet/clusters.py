"""Clusters: reads, and the one that is always there."""

from __future__ import annotations

from sqlalchemy import select

from aerodrome.access import permissions
from aerodrome.access.actor import Actor
from aerodrome.fleet import queries
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.views import ClusterView
from aerodrome.kernel.ids import new_id
from aerodrome.store.tables.cluster import ClusterRow
from aerodrome.store.turns import take_turns

LOCAL = "local"


def ensure_local(context: FleetContext) -> None:
    """Make sure that the cluster `local` (this machine) exists. Called at every start."""
    with context.store.writing() as session:
        take_turns(session, "local-cluster")  # several processes may start at once
        if session.scalars(select(ClusterRow.id).where(ClusterRow.name == LOCAL)).first() is None:
            session.add(
                ClusterRow(id=new_id("clu"), name=LOCAL, kind="local", settings={}, created_at=context.clock.now())
            )


def list_all(context: FleetContext, actor: Actor) -> list[ClusterView]:
    """Give all clusters by name."""
    permissions.require(actor, "cluster.read")
    with context.store.reading() as session:
        return queries.clusters(session)
