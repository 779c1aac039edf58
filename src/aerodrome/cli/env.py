"""`aerodrome env …`: connections, Airflow variables and environment variables of a workspace or a deployment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from aerodrome.cli import env_files, env_links
from aerodrome.cli.env_options import (
    FIELDS,
    FromEnv,
    FromFile,
    Kind,
    KindName,
    Name,
    Target,
    Workspace,
    write_env,
    write_objects,
)
from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import cell, write_fields, write_json, write_rows, write_table
from aerodrome.cli.words import pairs, secret_from
from aerodrome.client.client import Client
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret

app = App(name="env", help="Connections, Airflow variables and environment variables.")
for command in (env_links.link, env_links.unlink, env_links.exclude, env_files.export):
    app.command(command)
app.command(env_files.import_file, name="import")


@app.command(name="set")
def set_values(
    *values: Annotated[
        str,
        Parameter(
            help="NAME=VALUE of variables, or the NAME of a connection and FIELD=VALUE (conn_type, host, port, schema, "
            "login, extra.KEY); not for secrets, other people see command lines."
        ),
    ],
    kind: Kind = "env",
    workspace: Workspace = None,
    deployment: Target = None,
    secret: Annotated[
        str | None,
        Parameter(
            help="A variable, or a connection's field (password, extra.KEY, or uri for the whole connection), whose value "
            "is read from the terminal or a pipe; nobody may read it back."
        ),
    ] = None,
    from_file: FromFile = None,
    from_env: FromEnv = None,
    mark_secret: Annotated[
        bool | None, Parameter(name="--mark-secret", negative="--mark-plain", help="Change the secret flag.")
    ] = None,
    description: Annotated[str | None, Parameter(help="What it is for.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Set variables, or a connection; running DAGs see connections and variables at once, env ones by a restart."""
    if kind == "connection":
        name, *rest = values or ("",)
        if not name or "=" in name:
            raise Invalid(
                "Say which connection.",
                code="usage",
                hint="aerodrome env set warehouse conn_type=postgres host=db --kind connection --deployment NAME",
            )
        fields, uri = _connection(rest, secret, from_env, from_file)
        with common.connect() as client:
            item = client.environment.put(
                kind,
                name,
                fields,
                workspace=workspace,
                deployment=deployment,
                uri=uri,
                is_secret=mark_secret,
                description=description,
            )
        write_fields(common.output, item, FIELDS)
        return
    wanted: dict[str, str | Secret | None] = {**pairs([word for word in values if "=" in word], option="set")}
    bare = [word for word in values if "=" not in word]  # names whose flag or description changes
    if secret is not None:
        wanted[secret] = secret_from(env=from_env, file=from_file, prompt=f"Value of {secret}")
    if bare and mark_secret is None and description is None:
        pairs(bare, option="set")
    with common.connect() as client:
        is_short = kind == "env" and workspace is None and deployment is not None
        if is_short and mark_secret is None and description is None:
            write_env(client.deployments.set_env(str(deployment), wanted), common)
            return
        items = [
            client.environment.put(
                kind,
                name,
                {} if value is None else {"value": value},
                workspace=workspace,
                deployment=deployment,
                is_secret=mark_secret,
                description=description,
            )
            for name, value in {**wanted, **dict.fromkeys(bare)}.items()
        ]
    write_objects(items, common)


@app.command
def unset(
    *names: Annotated[str, Parameter(help="Names.")],
    kind: Kind = "env",
    workspace: Workspace = None,
    deployment: Target = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Remove objects; an older version can be restored."""
    with common.connect() as client:
        if kind == "env" and workspace is None and deployment is not None:
            write_env(client.deployments.set_env(deployment, dict.fromkeys(names)), common)
            return
        found = [client.environment.find(kind, name, workspace=workspace, deployment=deployment) for name in names]
        write_objects([client.environment.delete(item.id) for item in found], common)


@app.command(name="list")
def list_all(
    *,
    kind: Annotated[KindName | None, Parameter(help="Only of this kind.")] = None,
    workspace: Workspace = None,
    deployment: Target = None,
    effective: Annotated[
        bool, Parameter(negative=(), help="All that the deployment's Airflow finds, from where, and what hides what.")
    ] = False,
    deleted: Annotated[bool, Parameter(negative=(), help="Also deleted ones.")] = False,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """List objects; secret values are masked. With --deployment and no --kind: its environment variables."""
    with common.connect() as client:
        if effective:
            _write_effective(client, _needed(deployment), kind, common)
        elif deployment is not None and kind is None and workspace is None and not deleted:
            write_env(client.deployments.get(deployment), common)
        else:
            write_objects(
                client.environment.list(workspace=workspace, deployment=deployment, kind=kind, with_deleted=deleted),
                common,
            )


@app.command
def show(
    name: Name,
    /,
    *,
    kind: Kind,
    workspace: Workspace = None,
    deployment: Target = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show an object and how it reaches deployments."""
    with common.connect() as client:
        item = client.environment.find(kind, name, workspace=workspace, deployment=deployment)
    write_fields(common.output, item, FIELDS)
    if common.output == "table" and item.links:
        sys.stdout.write("\n")
        rows = [
            [link.deployment_name, "excluded" if link.is_excluded else "linked", cell(link.fields)]
            for link in item.links
        ]
        write_table(("Deployment", "Link", "Other fields"), rows)


@app.command
def history(
    name: Name,
    /,
    *,
    kind: Kind,
    workspace: Workspace = None,
    deployment: Target = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """List who changed an object and what, newest first; values of secrets are never shown."""
    with common.connect() as client:
        item = client.environment.find(kind, name, workspace=workspace, deployment=deployment)
        versions = client.environment.history(item.id)
    columns = {
        "Version": "number", "Change": "change", "Changed": "changed", "By": "actor", "At": "at", "Note": "note",
    }  # fmt: skip
    write_rows(common.output, versions, columns)


@app.command
def restore(
    name: Name,
    /,
    *,
    version: Annotated[int, Parameter(help="The version to bring back.")],
    kind: Kind,
    workspace: Workspace = None,
    deployment: Target = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Bring an older version back as a new one, secret values included."""
    with common.connect() as client:
        item = client.environment.find(kind, name, workspace=workspace, deployment=deployment)
        write_fields(common.output, client.environment.restore(item.id, version), FIELDS)


@app.command(name="test")
def try_connection(
    name: Annotated[str, Parameter(help="The connection.")],
    /,
    *,
    deployment: Annotated[str, Parameter(help="The deployment in which it is tested.")],
    timeout_s: Annotated[float, Parameter(help="Seconds to wait at most.")] = 30,
    common: Common = COMMON_DEFAULTS,
) -> int:
    """Test a connection from inside a deployment, where its tasks run."""
    with common.connect() as client:
        result = client.environment.test(deployment, name, timeout_s)
    write_fields(
        common.output, result, {"Outcome": "outcome", "Message": "message", "Next": "hint", "Seconds": "seconds"}
    )
    return 0 if result.outcome == "good" else 1


def _connection(
    words: list[str], secret: str | None, from_env: str | None, from_file: Path | None
) -> tuple[dict[str, Any], Secret | None]:
    fields: dict[str, Any] = {name: value or None for name, value in pairs(words, option="set").items()}
    uri = None
    if secret is not None:
        value = secret_from(env=from_env, file=from_file, prompt=f"Value of {secret}")
        if secret == "uri":  # noqa: S105  (the name of a field)
            uri = value
        else:
            fields[secret] = value
    return fields, uri


def _needed(deployment: str | None) -> str:
    if deployment is None:
        raise Invalid("Say for which deployment.", code="usage", hint="Add --deployment NAME.")
    return deployment


def _write_effective(client: Client, deployment: str, kind: str | None, common: Common) -> None:
    found = client.environment.effective(deployment, kind)
    if common.output == "json":
        write_json(found)
        return
    columns = {
        "Kind": "kind", "Name": "name", "From": "source", "Fields": "fields", "Overridden": "overridden", "Hides": "hides",
    }  # fmt: skip
    write_rows(common.output, list(found.items), columns, nothing="Nothing there yet.")
    if found.remark:
        say(found.remark)
