"""GET /health: is the server there. Open to everybody, so it tells nothing else."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from aerodrome.kernel.version import version
from aerodrome.web.api.edge import The, View, problems

router = APIRouter(tags=["health"])


class Health(View):
    """The server answers and reaches its database."""

    status: Literal["ok"] = "ok"
    version: str


@router.get("/health", responses=problems(503), openapi_extra={"security": []})
def get_health(the: The) -> Health:
    """Tell that the server answers and reaches its database."""
    the.store.check()
    return Health(version=version())
