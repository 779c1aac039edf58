"""What the commands of `aerodrome env` share: their options, and how objects are written out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from aerodrome.cli.options import Common
from aerodrome.cli.output import cell, write_json, write_rows, write_table
from aerodrome.client.environment import EnvironmentObject
from aerodrome.client.models import Deployment

KindName = Literal["connection", "variable", "env"]
Kind = Annotated[KindName, Parameter(help="What it is; env is an environment variable.")]
Workspace = Annotated[str | None, Parameter(help="The workspace (id or name): all of its deployments.")]
Target = Annotated[str | None, Parameter(help="The deployment (id or name): it alone.")]
Name = Annotated[str, Parameter(help="Its name.")]
FromFile = Annotated[Path | None, Parameter(help="Read the secret's value from this file.")]
FromEnv = Annotated[str | None, Parameter(help="Read the secret's value from this environment variable.")]
FIELDS: Final = {
    "Kind": "kind",
    "Name": "name",
    "Scope": "scope",
    "Id": "id",
    "Description": "description",
    "Secret": "is_secret",
    "Fields": "fields",
    "All deployments": "is_auto_linked",
    "Version": "version",
    "Deleted": "is_deleted",
    "Changed": "updated_at",
    "By": "updated_by",
}


def write_objects(items: Sequence[EnvironmentObject], common: Common) -> None:
    """Write objects as rows."""
    columns = {
        "Kind": "kind", "Name": "name", "Scope": "scope", "Secret": "is_secret", "Fields": "fields", "Version": "version",
        "By": "updated_by", "Changed": "updated_at",
    }  # fmt: skip
    write_rows(
        common.output, list(items), columns, nothing="Nothing there yet: `aerodrome env set`, `aerodrome env import`."
    )


def write_env(item: Deployment, common: Common) -> None:
    """Write a deployment's environment variables."""
    if common.output == "json":
        write_json(item.env)
    else:
        write_table(("Name", "Value"), [[name, cell(value)] for name, value in sorted(item.env.items())])
