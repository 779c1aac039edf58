"""/workspaces: the rooms in which teams keep their deployments."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from aerodrome.fleet.views import WorkspaceView
from aerodrome.web.api.edge import GUARDED, NAMED, Body, Caller, Cursor, Limit, Page, The, View, page_of, problems
from aerodrome.web.api.once import Key, once

router = APIRouter(tags=["workspaces"])


class Workspace(View):
    """A workspace."""

    id: Annotated[str, Field(examples=["ws_01k9zq3v5m8n2p4r6s8t0w2x4y"])]
    name: Annotated[str, Field(examples=["sales"])]
    description: str
    created_at: datetime
    deployment_count: int


class NewWorkspace(Body):
    """What a new workspace needs."""

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["sales"])]
    description: Annotated[str, Field(max_length=2000, examples=["Everything of the sales team"])] = ""


class WorkspaceChanges(Body):
    """What to change; what is left out or null stays as it is."""

    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    description: Annotated[str, Field(max_length=2000)] | None = None


@router.get("/workspaces", responses=GUARDED)
def list_workspaces(the: The, actor: Caller, limit: Limit = 100, cursor: Cursor = None) -> Page[Workspace]:
    """List the workspaces that you may see, by name."""
    return page_of(the.fleet.list_workspaces(actor), Workspace, limit, cursor, lambda view: view.name)


@router.post("/workspaces", status_code=201, responses=GUARDED | problems(409, 503))
def create_workspace(the: The, actor: Caller, body: NewWorkspace, key: Key = None) -> Workspace:
    """Create a workspace; its name must be free."""

    def make() -> WorkspaceView:
        return the.fleet.create_workspace(actor, body.name, body.description)

    return once(the, actor, key, Workspace, ("create_workspace", body), make)


@router.get("/workspaces/{ref}", responses=NAMED)
def get_workspace(the: The, actor: Caller, ref: str) -> Workspace:
    """Show a workspace by id or name."""
    return Workspace.model_validate(the.fleet.get_workspace(actor, ref))


@router.patch("/workspaces/{ref}", responses=NAMED | problems(409))
def update_workspace(the: The, actor: Caller, ref: str, body: WorkspaceChanges) -> Workspace:
    """Rename a workspace or describe it anew."""
    found = the.fleet.update_workspace(actor, ref, name=body.name, description=body.description)
    return Workspace.model_validate(found)


@router.delete("/workspaces/{ref}", status_code=204, responses=NAMED | problems(409))
def delete_workspace(the: The, actor: Caller, ref: str) -> None:
    """Delete an empty workspace."""
    the.fleet.delete_workspace(actor, ref)
