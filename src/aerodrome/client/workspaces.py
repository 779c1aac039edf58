"""Workspaces and clusters."""

from __future__ import annotations

from aerodrome.client.models import Cluster, Workspace, read
from aerodrome.client.transport import Transport, segment
from aerodrome.kernel.ids import new_id


class Workspaces:
    """`client.workspaces`."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(self) -> list[Workspace]:
        return [read(Workspace, item) for item in self._http.pages("/workspaces")]

    def create(self, name: str, description: str = "", *, key: str | None = None) -> Workspace:
        return read(
            Workspace,
            self._http.post("/workspaces", {"name": name, "description": description}, key=key or new_id("key")),
        )

    def get(self, ref: str) -> Workspace:
        return read(Workspace, self._http.get(f"/workspaces/{segment(ref)}"))

    def update(self, ref: str, *, name: str | None = None, description: str | None = None) -> Workspace:
        body = {"name": name, "description": description}
        return read(Workspace, self._http.patch(f"/workspaces/{segment(ref)}", body))

    def delete(self, ref: str) -> None:
        self._http.delete(f"/workspaces/{segment(ref)}")


class Clusters:
    """`client.clusters`."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(self) -> list[Cluster]:
        return [read(Cluster, item) for item in self._http.pages("/clusters")]
