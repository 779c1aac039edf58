"""`aerodrome secrets-backend …`: the services in which teams keep connections and variables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_fields, write_json, write_rows
from aerodrome.cli.words import confirm, pairs, secret_from
from aerodrome.client.secrets_backends import BackendProbe
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret

app = App(name="secrets-backend", help="Vault, AWS, GCP and Azure services in which teams keep their secrets.")
FIELDS = {
    "Name": "name",
    "Id": "id",
    "Workspace": "workspace_name",
    "Kind": "title",
    "Settings": "settings",
    "Credentials": "credentials",
    "Asked by": "deployments",
    "Changed": "updated_at",
}
Backend = Annotated[str, Parameter(help="The backend, id or name.")]
Sets = Annotated[
    tuple[str, ...], Parameter(name="--set", negative=(), help="FIELD=VALUE; `secrets-backend kinds` tells the fields.")
]
Env = Annotated[
    tuple[str, ...],
    Parameter(
        name="--credential-env", negative=(), help="FIELD=VARIABLE: read a credential from an environment variable."
    ),
]
Files = Annotated[
    tuple[str, ...], Parameter(name="--credential-file", negative=(), help="FIELD=PATH: read a credential from a file.")
]
Prompted = Annotated[
    str | None, Parameter(name="--credential", help="A FIELD whose value is read from the terminal or a pipe.")
]
Object = Annotated[str, Parameter(help="connection or variable.")]


@app.command
def kinds(*, common: Common = COMMON_DEFAULTS) -> None:
    """List the kinds of backends with their fields; * is required, a credential stands in brackets."""
    with common.connect() as client:
        items = client.secrets_backends.kinds()
    if common.output == "json":
        write_json(items)
        return
    rows = [
        {
            "kind": kind.name,
            "field": f"[{item.name}]" if item.is_secret else item.name,
            "needed": "*" if item.is_required else "",
            "help": " ".join(
                filter(
                    None,
                    (
                        item.help,
                        f"({item.when})" if item.when else "",
                        f"Default {item.default}." if item.default else "",
                    ),
                )
            ),
        }
        for kind in items
        for item in kind.fields
    ]
    write_rows("table", rows, {"Kind": "kind", "Field": "field", "": "needed", "Meaning": "help"})


@app.command
def create(
    name: Annotated[str, Parameter(help="Its name: a-z, 0-9 and -.")],
    /,
    *,
    workspace: Annotated[str, Parameter(help="Whose it is, id or name.")],
    kind: Annotated[str, Parameter(help="vault, aws-secrets-manager, …: `secrets-backend kinds` lists them.")],
    settings: Sets = (),
    credential: Prompted = None,
    credential_env: Env = (),
    credential_file: Files = (),
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Register a backend, then probe it."""
    credentials = _credentials(credential, credential_env, credential_file)
    with common.connect() as client:
        made = client.secrets_backends.create(workspace, name, kind, pairs(settings, option="--set"), credentials)
        if common.output == "json":
            write_json(made)
            return
        write_fields(common.output, made, FIELDS)
        _tell(client.secrets_backends.probe(made.id))


@app.command(name="list")
def list_all(
    *,
    workspace: Annotated[str | None, Parameter(help="Only of this workspace.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """List the backends that you may see."""
    with common.connect() as client:
        items = client.secrets_backends.list(workspace)
    columns = {"Name": "name", "Kind": "title", "Workspace": "workspace_name", "Asked by": "deployments", "Id": "id"}
    nothing = "No secrets backend yet: `aerodrome secrets-backend create NAME --workspace NAME --kind KIND`."
    write_rows(common.output, items, columns, nothing=nothing)


@app.command
def show(backend: Backend, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """Show a backend and what its last probe found."""
    with common.connect() as client:
        item = client.secrets_backends.get(backend)
    write_fields(common.output, item, FIELDS)
    if common.output != "json" and item.probe is not None:
        _tell(item.probe)


@app.command
def update(
    backend: Backend,
    /,
    *,
    settings: Sets = (),
    unset: Annotated[tuple[str, ...], Parameter(negative=(), help="FIELD to remove.")] = (),
    credential: Prompted = None,
    credential_env: Env = (),
    credential_file: Files = (),
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Change settings and credentials."""
    wanted: dict[str, str | None] = {**pairs(settings, option="--set")}
    credentials: dict[str, Secret | None] = {**_credentials(credential, credential_env, credential_file)}
    with common.connect() as client:
        held = client.secrets_backends.get(backend)
        for name in unset:
            if name in held.credentials:
                credentials[name] = None
            else:
                wanted[name] = None
        write_fields(common.output, client.secrets_backends.update(held.id, wanted, credentials), FIELDS)


@app.command
def delete(
    backend: Backend,
    /,
    *,
    yes: Annotated[bool, Parameter(negative=(), help="Do not ask.")] = False,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Forget a backend and its credentials; what is in the service stays."""
    with common.connect() as client:
        item = client.secrets_backends.get(backend)
        confirm(f"Forget the secrets backend {item.name}?", yes=yes)
        client.secrets_backends.delete(item.id)
    say(f"{item.name} is forgotten.")


@app.command
def probe(backend: Backend, /, *, common: Common = COMMON_DEFAULTS) -> int:
    """Try to list, read, write and delete there; tells the missing permission. Exit code 1 when something is missing."""
    with common.connect() as client:
        found = client.secrets_backends.probe(backend)
    if common.output == "json":
        write_json(found)
    else:
        _tell(found)
    return 0 if found.is_ok else 1


@app.command
def list_names(backend: Backend, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """List the names of connections and variables that are there; values are never shown."""
    with common.connect() as client:
        found = client.secrets_backends.names(backend)
    if common.output == "json":
        write_json(found)
        return
    rows = [{"kind": "connection", "name": name} for name in found.connections]
    rows += [{"kind": "variable", "name": name} for name in found.variables]
    write_rows("table", rows, {"Kind": "kind", "Name": "name"}, nothing="Nothing is there under these prefixes.")


@app.command
def put(
    backend: Backend,
    kind: Object,
    name: Annotated[str, Parameter(help="The name that Airflow asks for.")],
    /,
    *,
    from_file: Annotated[Path | None, Parameter(help="Read the value from this file.")] = None,
    from_env: Annotated[str | None, Parameter(help="Read the value from this environment variable.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Write one connection (Airflow's JSON or URI) or variable; the value comes from the terminal, a pipe or a file."""
    value = secret_from(env=from_env, file=from_file, prompt=f"Value of {name}")
    with common.connect() as client:
        client.secrets_backends.put(backend, kind, name, value)
    say(f"Written: {kind} {name}.")


@app.command
def remove(
    backend: Backend,
    kind: Object,
    name: Annotated[str, Parameter(help="Its name.")],
    /,
    *,
    yes: Annotated[bool, Parameter(negative=(), help="Do not ask.")] = False,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Delete one connection or variable there."""
    confirm(f"Delete the {kind} {name} in {backend}?", yes=yes)
    with common.connect() as client:
        client.secrets_backends.remove(backend, kind, name)
    say(f"Deleted: {kind} {name}.")


@app.command
def attach(
    backend: Backend,
    /,
    *,
    deployment: Annotated[str, Parameter(help="Which asks it first, id or name.")],
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Let a deployment ask this backend first; it gets the provider package and restarts."""
    with common.connect() as client:
        write_fields(common.output, client.secrets_backends.attach(deployment, backend), FIELDS)


@app.command
def detach(
    *,
    deployment: Annotated[str, Parameter(help="Which asks none any more, id or name.")],
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Let a deployment ask no backend any more."""
    with common.connect() as client:
        client.secrets_backends.detach(deployment)
    say(f"{deployment} asks no secrets backend.")


def _credentials(prompted: str | None, env: tuple[str, ...], files: tuple[str, ...]) -> dict[str, Secret]:
    found = {
        **{
            name: secret_from(env=variable, prompt=name)
            for name, variable in pairs(env, option="--credential-env").items()
        },
        **{
            name: secret_from(file=Path(path), prompt=name)
            for name, path in pairs(files, option="--credential-file").items()
        },
    }
    if prompted is not None:
        if prompted in found:
            raise Invalid(f"{prompted} is given twice.", code="usage", hint="Give each credential once.")
        found[prompted] = secret_from(prompt=prompted)
    return found


def _tell(found: BackendProbe) -> None:
    for check in found.checks:
        say(f"{'ok     ' if check.is_ok else 'FAILED '} {check.name}" + ("" if check.is_ok else f": {check.message}"))
        if not check.is_ok and check.hint:
            say(f"        next: {check.hint}")
