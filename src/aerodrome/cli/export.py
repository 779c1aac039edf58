"""`aerodrome export`: the script that writes an Airflow into one sealed archive where nothing else can reach it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, OFFLINE_DEFAULTS, Common, Offline, say
from aerodrome.cli.output import write_fields
from aerodrome.kernel.errors import Conflict, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_archive.script import exporter
from aerodrome.migration.sources.airflow_archive.sealing import checked_public_key, key_id, new_key, public_half
from aerodrome.migration.sources.cloud.contract import CloudLogin
from aerodrome.migration.sources.registry import start_exporter

app = App(name="export", help="Make the script that writes an Airflow into one sealed archive.")


@app.default
def run(
    *,
    out: Annotated[Path, Parameter(help="The script to write.")],
    key: Annotated[
        Path | None,
        Parameter(
            help="The private key: used when it is there, else made. By default beside the script, ending in .key."
        ),
    ] = None,
    platform: Annotated[
        bool,
        Parameter(help="Seal to the server's own key: no private key is made, and nobody but the server can read."),
    ] = False,
    public_key: Annotated[
        Path | None, Parameter(help="Seal to this public key (of `aerodrome migrate archive-key --out FILE`).")
    ] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Write one Python file that needs nothing but the source's own Airflow, 1.10 to 3.x, and no network.

    It only reads. What it writes can be opened with the private key alone, which stays here: carry the script, not the key.
    Then: `aerodrome migrate connect NAME --archive FILE --archive-key KEY`. An archive that was sealed to the server
    (`--platform`, `--public-key`) needs no `--archive-key`.
    """
    if sum((key is not None, platform, public_key is not None)) > 1:
        raise Invalid("Only one key can be sealed to.", code="usage", hint="Give --key, --platform or --public-key.")
    if out.exists():
        raise Conflict(f"{out} is there already.", code="file-exists", hint="Name another file, or remove it.")
    place = None
    if platform:
        with common.connect() as client:
            public = client.migrations.archive_key()["public_key"]
    elif public_key is not None:
        public = _read(public_key).reveal()
    else:
        place = key or out.with_suffix(".key")
        public = public_half(_read(place) if place.exists() else _made(place))
    public = checked_public_key(public)
    out.write_text(exporter(public), encoding="utf-8")
    out.chmod(0o755)
    found = {"script": str(out), "key": str(place) if place else None, "key_id": key_id(public)}
    write_fields(common.output, found, {"Script": "script", "Key": "key", "Key id": "key_id"})
    say(f"In the source: python {out.name} --out estate.aerodrome")
    say(f"or: docker exec -i CONTAINER python - --out - < {out} > estate.aerodrome")


@app.command
def start(
    *,
    mwaa: Annotated[str, Parameter(help="The name of the Amazon MWAA environment.")],
    out: Annotated[str, Parameter(help="Where its exporter writes the archive: s3://BUCKET/KEY.")],
    region: Annotated[str, Parameter(help="AWS region.")] = "",
    profile: Annotated[str, Parameter(help="A profile of this machine's AWS configuration.")] = "",
    role_arn: Annotated[str, Parameter(help="An AWS role to assume.")] = "",
    endpoint_url: Annotated[str, Parameter(help="Only for private endpoints of AWS.")] = "",
    offline: Offline = OFFLINE_DEFAULTS,
) -> None:
    """Start the script in an MWAA environment, through its Airflow's command line, with what this machine is signed in with.

    The script stands in the environment's DAGs folder already; its DAG is let go and triggered. Needs airflow:CreateCliToken, and a way
    to the environment's web server. Its execution role needs s3:PutObject on the address. The archive appears when it is whole.
    """
    settings = {"region": region, "profile": profile, "role_arn": role_arn, "endpoint_url": endpoint_url}
    said = start_exporter(mwaa, CloudLogin({name: value for name, value in settings.items() if value}), out)
    write_fields(offline.output, {"archive": out, "said": said}, {"Archive": "archive", "Airflow": "said"})
    say(f"Then: aerodrome assess --archive {out} --archive-key KEY")


def _made(place: Path) -> Secret:
    private = new_key()
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(private.reveal())
    return private


def _read(place: Path) -> Secret:
    try:
        return Secret(place.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{place} cannot be read.", code="file-unreadable", hint="Name a key file.") from error
