"""/clusters: where deployments run."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from aerodrome.web.api.edge import GUARDED, Caller, Cursor, Limit, Page, The, View, page_of

router = APIRouter(tags=["clusters"])


class Cluster(View):
    """Where deployments run; `local` is the server's own machine."""

    id: str
    name: Annotated[str, Field(examples=["local"])]
    kind: Annotated[str, Field(examples=["local"])]
    created_at: datetime


@router.get("/clusters", responses=GUARDED)
def list_clusters(the: The, actor: Caller, limit: Limit = 100, cursor: Cursor = None) -> Page[Cluster]:
    """List the clusters, by name."""
    return page_of(the.fleet.list_clusters(actor), Cluster, limit, cursor, lambda view: view.name)
