"""`aerodrome env import|export`: files of Airflow's own command line, and `.env` files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from aerodrome.cli.env_options import Kind, Target, Workspace
from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_json, write_table
from aerodrome.cli.words import confirm
from aerodrome.kernel.errors import Conflict, Invalid
from aerodrome.kernel.secret import Secret

Format = Annotated[
    Literal["json", "yaml", "env"] | None, Parameter(help="By default what the file's ending says, else json.")
]


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
