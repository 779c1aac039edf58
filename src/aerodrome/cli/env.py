"""`aerodrome env …`: connections, Airflow variables and environment variables of a workspace or a deployment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import cell, write_fields, write_json, write_rows, write_table
from aerodrome.cli.words import confirm, pairs, secret_from
from aerodrome.client.client import Client
from aerodrome.client.environment import EnvironmentObject
from aerodrome.client.models import Deployment
from aerodrome.kernel.errors import Conflict, Invalid
from aerodrome.kernel.secret import Secret

app = App(name="env", help="Connections, Airflow variables and environment variables.")
Kind = Annotated[
    Literal["connection", "variable", "env"], Parameter(help="What it is; env is an environment variable.")
]
Workspace = Annotated[str | None, Parameter(help="The workspace (id or name): all of its deployments.")]
Target = Annotated[str | None, Parameter(help="The deployment (id or name): it alone.")]
Name = Annotated[str, Parameter(help="Its name.")]
Format = Annotated[
    Literal["json", "yaml", "env"] | None, Parameter(help="By default what the file's ending says, else json.")
]
FromFile = Annotated[Path | None, Parameter(help="Read the secret's value from this file.")]
FromEnv = Annotated[str | None, Parameter(help="Read the secret's value from this environment variable.")]
FIELDS = {
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
            _write_env(client.deployments.set_env(str(deployment), wanted), common)
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
    _write(items, common)


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
            _write_env(client.deployments.set_env(deployment, dict.fromkeys(names)), common)
            return
        found = [client.environment.find(kind, name, workspace=workspace, deployment=deployment) for name in names]
        _write([client.environment.delete(item.id) for item in found], common)


@app.command(name="list")
def list_all(
    *,
    kind: Annotated[Literal["connection", "variable", "env"] | None, Parameter(help="Only of this kind.")] = None,
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
            _write_env(client.deployments.get(deployment), common)
        else:
            _write(
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


@app.command
def link(
    name: Name,
    *fields: Annotated[str, Parameter(help="FIELD=VALUE in place of the object's own; an empty value removes it.")],
    kind: Kind,
    workspace: Annotated[str, Parameter(help="The workspace of the object.")],
    deployment: Annotated[str | None, Parameter(help="The deployment that gets it; none: all of them.")] = None,
    secret: Annotated[
        str | None, Parameter(help="A field whose other value is read from the terminal or a pipe.")
    ] = None,
    from_file: FromFile = None,
    from_env: FromEnv = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Let a deployment get a workspace's object, with other fields when given; without --deployment all of them."""
    with common.connect() as client:
        item = client.environment.find(kind, name, workspace=workspace)
        if deployment is None:
            write_fields(common.output, client.environment.link_all(item.id, is_auto_linked=True), FIELDS)
            return
        words = pairs(fields, option="link") if kind == "connection" else _value(fields)
        overrides: dict[str, Any] = {field: value or None for field, value in words.items()}
        if secret is not None:
            overrides[secret] = secret_from(env=from_env, file=from_file, prompt=f"Value of {secret}")
        write_fields(common.output, client.environment.link(item.id, deployment, overrides), FIELDS)


@app.command
def unlink(
    name: Name,
    /,
    *,
    kind: Kind,
    workspace: Annotated[str, Parameter(help="The workspace of the object.")],
    deployment: Annotated[
        str | None, Parameter(help="The deployment; none: only single links count from now on.")
    ] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Forget other fields and exclusion of a deployment; without --deployment: not all deployments get it any more."""
    with common.connect() as client:
        item = client.environment.find(kind, name, workspace=workspace)
        if deployment is None:
            item = client.environment.link_all(item.id, is_auto_linked=False)
        else:
            item = client.environment.unlink(item.id, deployment)
    write_fields(common.output, item, FIELDS)


@app.command
def exclude(
    name: Name,
    /,
    *,
    kind: Kind,
    workspace: Annotated[str, Parameter(help="The workspace of the object.")],
    deployment: Annotated[str, Parameter(help="The deployment that does not get it.")],
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Keep a workspace's object away from a deployment."""
    with common.connect() as client:
        item = client.environment.find(kind, name, workspace=workspace)
        write_fields(common.output, client.environment.link(item.id, deployment, is_excluded=True), FIELDS)


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


@app.command(name="import")
def import_file(
    path: Annotated[
        Path, Parameter(help="A file of `airflow connections|variables export`, or a .env file; - is stdin.")
    ],
    /,
    *,
    kind: Kind,
    format: Format = None,  # noqa: A002  (the option's name)
    workspace: Workspace = None,
    deployment: Target = None,
    policy: Annotated[
        Literal["fail", "skip", "overwrite"], Parameter(help="For names that are there already.")
    ] = "fail",
    dry_run: Annotated[bool, Parameter(negative=(), help="Only show what would happen to each line.")] = False,
    mark_secret: Annotated[
        bool | None,
        Parameter(name="--mark-secret", negative="--mark-plain", help="By default telling names are secret."),
    ] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Import connections, variables or environment variables, all or nothing."""
    text = Secret(sys.stdin.read() if str(path) == "-" else _read(path))
    with common.connect() as client:
        result = client.environment.import_text(
            kind,
            format or _format_of(path),
            text,
            workspace=workspace,
            deployment=deployment,
            policy=policy,
            is_dry_run=dry_run,
            is_secret=mark_secret,
        )
    if common.output == "json":
        write_json(result)
        return
    write_table(("Name", "Outcome", "Message"), [[line.name, line.outcome, line.message] for line in result.lines])
    counted = ", ".join(f"{count} {outcome}" for outcome, count in sorted(result.counts.items()))
    say(f"{counted or 'Nothing in it'}.{' Nothing was written.' if dry_run else ''}")


@app.command
def export(
    *,
    kind: Kind,
    format: Format = None,  # noqa: A002
    workspace: Workspace = None,
    deployment: Target = None,
    with_secrets: Annotated[
        bool, Parameter(negative=(), help="Secret values too: needs the right to, and is audited.")
    ] = False,
    to: Annotated[
        Path | None, Parameter(help="Write this new file, readable by you alone; none: standard output.")
    ] = None,
    yes: Annotated[bool, Parameter(negative=(), help="Do not ask.")] = False,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Export objects in the format that Airflow's own command line imports."""
    if with_secrets:
        confirm("Secret values will stand there in the clear. Go on?", yes=yes)
    chosen = format or (_format_of(to) if to else "json")
    with common.connect() as client:
        text = client.environment.export(
            kind, chosen, workspace=workspace, deployment=deployment, with_secrets=with_secrets
        )
    if to is None:
        sys.stdout.write(text.reveal())
        return
    try:
        to.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise Conflict(f"{to} is there already.", code="file-exists", hint="Name a new file.") from None
    to.write_text(text.reveal(), encoding="utf-8")


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


def _value(words: tuple[str, ...]) -> dict[str, str]:
    """Read the override of a variable: `value=…`, or the value itself."""
    return {"value": words[0].removeprefix("value=")} if words else {}


def _needed(deployment: str | None) -> str:
    if deployment is None:
        raise Invalid("Say for which deployment.", code="usage", hint="Add --deployment NAME.")
    return deployment


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(
            f"The file {path} cannot be read as text.", code="file-unreadable", hint="Check the path."
        ) from error


def _format_of(path: Path) -> str:
    ending = path.suffix.lower().lstrip(".") or path.name.lstrip(".")
    return {"yml": "yaml", "yaml": "yaml", "env": "env"}.get(ending, "json")


def _write(items: list[EnvironmentObject], common: Common) -> None:
    columns = {
        "Kind": "kind", "Name": "name", "Scope": "scope", "Secret": "is_secret", "Fields": "fields", "Version": "version",
        "By": "updated_by", "Changed": "updated_at",
    }  # fmt: skip
    write_rows(common.output, items, columns, nothing="Nothing there yet: `aerodrome env set`, `aerodrome env import`.")


def _write_env(item: Deployment, common: Common) -> None:
    if common.output == "json":
        write_json(item.env)
    else:
        write_table(("Name", "Value"), [[name, cell(value)] for name, value in sorted(item.env.items())])


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
