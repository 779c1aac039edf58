"""`aerodrome migrate connect|environments|archive-key`: where a migration begins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Group, Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common
from aerodrome.cli.output import write_fields, write_rows
from aerodrome.client.migrations import (
    AnyNewSource,
    CloudAccount,
    NewArchive,
    NewDefinitions,
    NewManaged,
    NewRest,
    NewSource,
)
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret

ACCOUNT: Final = Group("Cloud account", sort_key=90)
Folder = Annotated[Path | None, Parameter(help="On the server's machine.")]
FIELDS = {
    "Name": "name",
    "Id": "id",
    "Status": "status",
    "Source": "data.source_label",
    "Source Airflow": "source_version",
    "Target Airflow": "target_version",
    "Found": "data.found",
    "Findings": "data.findings",
    "Estate": "data.estate_digest",
    "Plan": "data.plan_digest",
    "Waves": "waves",
    "Error": "data.error",
}


@Parameter(name="*")
@dataclass(frozen=True)
class Account:
    """The options that name an account of a cloud. Without any: what the server's machine has."""

    region: Annotated[str, Parameter(group=ACCOUNT, help="AWS region.")] = ""
    profile: Annotated[str, Parameter(group=ACCOUNT, help="A profile of the server's AWS configuration.")] = ""
    role_arn: Annotated[str, Parameter(group=ACCOUNT, help="An AWS role to assume.")] = ""
    endpoint_url: Annotated[str, Parameter(group=ACCOUNT, help="Only for private endpoints of the cloud.")] = ""
    access_key_id: Annotated[
        str,
        Parameter(
            group=ACCOUNT,
            help="AWS; its other half is taken from AERODROME_SOURCE_SECRET_ACCESS_KEY, "
            "a session's token from AERODROME_SOURCE_SESSION_TOKEN.",
        ),
    ] = ""
    service_account_file: Annotated[
        Path | None, Parameter(group=ACCOUNT, help="Google: the key file of a service account, on this machine.")
    ] = None

    def body(self) -> CloudAccount:
        """Give it as the client takes it; secrets come from the environment and from the file."""
        secret, token = Secret(""), Secret("")
        if self.access_key_id:
            secret = _from_env("AERODROME_SOURCE_SECRET_ACCESS_KEY", "the secret access key")
            token = Secret(os.environ.get("AERODROME_SOURCE_SESSION_TOKEN", ""))
        key = Secret(_read(self.service_account_file) if self.service_account_file else "")
        return CloudAccount(
            self.region, self.profile, self.role_arn, self.endpoint_url, self.access_key_id, secret, token, key
        )


ACCOUNT_DEFAULTS: Final = Account()


def connect(
    name: Annotated[str, Parameter(help="A name for the migration.")],
    /,
    *,
    workspace: Annotated[str, Parameter(help="The workspace, id or name.")],
    dags: Annotated[Path | None, Parameter(help="The source's DAGs folder, on the server's machine.")] = None,
    archive: Annotated[
        str | None,
        Parameter(
            help="Instead of a database: what the script of `aerodrome export` wrote. "
            "A file on the server's machine, s3://bucket/key or gs://bucket/key."
        ),
    ] = None,
    archive_key: Annotated[
        Path | None,
        Parameter(
            help="The private key of that archive, on this machine: the file ending in .key. "
            "None for an archive that was sealed to the server (`aerodrome export --platform`)."
        ),
    ] = None,
    rest_url: Annotated[
        str | None, Parameter(help="Instead of a database: the address of Airflow's web server, for its REST API.")
    ] = None,
    starship_url: Annotated[
        str | None, Parameter(help="Instead of a database: the same address, where Airflow runs the Starship plugin.")
    ] = None,
    rest_user: Annotated[str, Parameter(help="A user there; without one, a token is taken.")] = "",
    rest_login_env: Annotated[
        str, Parameter(help="The environment variable that holds the user's password, or the token.")
    ] = "AERODROME_SOURCE_REST_LOGIN",
    mwaa: Annotated[
        str | None, Parameter(help="Instead of a database: the name of an Amazon MWAA environment.")
    ] = None,
    composer: Annotated[
        str | None,
        Parameter(help="Instead of a database: a Composer environment, projects/P/locations/L/environments/NAME."),
    ] = None,
    oozie: Annotated[
        Path | None,
        Parameter(help="Instead of an Airflow: a folder of Oozie definitions, or one file, on the server's machine."),
    ] = None,
    controlm: Annotated[
        Path | None,
        Parameter(
            help="Instead of an Airflow: Control-M exports (XML) or Automation API definitions (JSON), likewise."
        ),
    ] = None,
    convert_profile: Annotated[
        Path | None, Parameter(help="With --oozie and --controlm: the profile of `aerodrome convert`, likewise.")
    ] = None,
    oozie_url: Annotated[
        str | None,
        Parameter(
            help="With --oozie: its web services (http://host:11000/oozie), to suspend coordinators and read how far they are."
        ),
    ] = None,
    oozie_user: Annotated[
        str,
        Parameter(help="A user there; a gateway's password is taken from AERODROME_SOURCE_OOZIE_PASSWORD."),
    ] = "",
    database_url_env: Annotated[
        str, Parameter(help="The environment variable that holds the URL of the metadata database.")
    ] = "AERODROME_SOURCE_DATABASE_URL",
    fernet_key_env: Annotated[
        str, Parameter(help="The environment variable that holds the Fernet key (comma-separated, newest first).")
    ] = "AERODROME_SOURCE_FERNET_KEY",
    plugins: Folder = None,
    include: Folder = None,
    requirements: Folder = None,
    config_file: Annotated[Path | None, Parameter(help="The source's airflow.cfg.")] = None,
    env_file: Annotated[Path | None, Parameter(help="NAME=value lines of its scheduler's environment.")] = None,
    account: Account = ACCOUNT_DEFAULTS,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Register an Airflow as a source, or definitions of Oozie or Control-M. It is probed read-only; nothing changes there.

    The database URL and the Fernet key are taken from environment variables, so that they stand in no process list.
    So is what signs in to a REST API or to Starship: with `--rest-user` its password, without it a token.
    An archive carries the DAGs, the code and everything else: beside `--archive` at most `--archive-key` is needed.
    MWAA and Composer bring their code, too; `--archive` beside them adds what their REST API does not show.
    """
    paths = {
        "plugins_folder": _optional(plugins),
        "include_folder": _optional(include),
        "requirements_file": _optional(requirements),
        "config_file": _optional(config_file),
        "env_file": _optional(env_file),
    }
    key = Secret(_read(archive_key) if archive_key else "")
    source: AnyNewSource
    _only_one(
        {
            "--oozie": oozie, "--controlm": controlm, "--mwaa": mwaa, "--composer": composer,
            "--rest-url": rest_url, "--starship-url": starship_url,
            "--archive": archive if mwaa is None and composer is None else None,  # beside those it adds to them
        }
    )  # fmt: skip
    if oozie is not None or controlm is not None:
        kind, folder = ("oozie", oozie) if oozie is not None else ("controlm", controlm)
        password = Secret(os.environ.get("AERODROME_SOURCE_OOZIE_PASSWORD", ""))
        assert folder is not None  # noqa: S101 - one of them is given
        source = NewDefinitions(kind, _path(folder), _optional(convert_profile), oozie_url, oozie_user, password)
    elif mwaa is not None:
        source = NewManaged("mwaa", mwaa, account.body(), _place(archive), key)
    elif composer is not None:
        source = NewManaged("composer", composer, account.body(), _place(archive), key)
    elif archive is not None:
        source = NewArchive(str(_place(archive)), key, account.body())
    elif dags is None:
        hint = "Add --dags FOLDER"
        if rest_url is None and starship_url is None:
            hint += " to read the metadata database, or name another source: --archive, --rest-url, --starship-url, --mwaa, --composer, --oozie, --controlm"
        raise Invalid("The folder of DAGs is missing.", code="usage", hint=f"{hint}.")
    elif rest_url is not None or starship_url is not None:
        secret = _from_env(rest_login_env, "the password of the user in the source, or a token")
        password, token = (secret, Secret("")) if rest_user else (Secret(""), secret)
        kind = "airflow-rest" if rest_url is not None else "starship"
        source = NewRest(str(rest_url or starship_url), _path(dags), rest_user, password, token, **paths, kind=kind)
    else:
        url = _from_env(database_url_env, "the URL of the source's metadata database")
        source = NewSource(url, _path(dags), Secret(os.environ.get(fernet_key_env, "")), **paths)
    with common.connect() as client:
        write_fields(common.output, client.migrations.connect(name, workspace, source), FIELDS)


def environments(
    *,
    kind: Annotated[Literal["mwaa", "composer"], Parameter(help="Whose environments.")],
    location: Annotated[str, Parameter(help="Composer: projects/PROJECT/locations/REGION.")] = "",
    account: Account = ACCOUNT_DEFAULTS,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """List the managed environments that an account may see. Nothing of the account is kept."""
    with common.connect() as client:
        found = client.migrations.environments(kind, location, account.body())
    columns = {"Environment": "environment", "Status": "status", "Airflow": "airflow_version"}
    write_rows(common.output, found, columns, nothing="This account sees no environment there.")


def archive_key(
    *,
    out: Annotated[
        Path | None, Parameter(help="Write the public key here, for `aerodrome export --public-key`.")
    ] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show the server's public key: what an exporter seals to it, only this server opens."""
    with common.connect() as client:
        found = client.migrations.archive_key()
    if out is not None:
        out.write_text(found["public_key"] + "\n", encoding="utf-8")
    write_fields(common.output, found, {"Key id": "key_id", "Public key": "public_key"})


def _from_env(name: str, what: str) -> Secret:
    value = os.environ.get(name)
    if not value:
        raise Invalid(
            f"The environment variable {name} is not set.",
            code="environment-variable-missing",
            hint=f"Put {what} into it: read -rs {name}; export {name}",
        )
    return Secret(value)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read: {error}.", code="file-unreadable", hint="Name a text file.") from error


def _place(archive: str | None) -> str | None:
    """Give an archive's address as it is, and its path in full."""
    return archive if archive is None or "://" in archive else _path(Path(archive))


def _path(path: Path) -> str:
    return str(path.expanduser().absolute())


def _only_one(sources: Mapping[str, object]) -> None:
    """Refuse two kinds of source at once: one of them would be left out silently."""
    given = [name for name, value in sources.items() if value is not None]
    if len(given) > 1:
        raise Invalid(
            f"A migration has one source, and {' and '.join(given)} name {len(given)}.",
            code="usage",
            hint="Leave all but one out; a second source is a migration of its own.",
        )


def _optional(path: Path | None) -> str | None:
    return None if path is None else _path(path)
