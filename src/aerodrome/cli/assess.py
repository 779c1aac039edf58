"""`aerodrome assess`: what a self-managed Airflow contains and what stands in the way; no server, nothing is changed."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from aerodrome.airflowkit.versions import DEFAULT
from aerodrome.cli.options import OFFLINE_DEFAULTS, Offline, say
from aerodrome.cli.output import cell, write_json, write_table
from aerodrome.cli.words import secret_from
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.assess import Assessment, assess, report
from aerodrome.migration.assess.contract import SEVERITIES
from aerodrome.migration.assess.inventory import Inventory
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.estate.difference import KEY_FACT, Change, difference
from aerodrome.migration.sources.airflow_archive.unpacking import unpack
from aerodrome.migration.sources.capture import capture
from aerodrome.migration.sources.cloud.contract import CloudLogin, parts_of
from aerodrome.migration.sources.cloud.files import CloudFile
from aerodrome.migration.sources.contract import AnySourceConfig, ArchiveConfig, SourceConfig
from aerodrome.migration.sources.registry import open_source

app = App(name="assess", help="Assess an Airflow without a server: what is there, and what stands in the way.")
FOUND_AT_LEAST: Final = 1
_SHOWN_PLACES = 3
_LONGEST = 80
_KEY_BYTES = 32
_RESOLVERS = 16


@app.default
def run(
    *,
    database_url_env: Annotated[
        str | None, Parameter(help="The environment variable that holds the URL of the metadata database.")
    ] = None,
    database_url_file: Annotated[Path | None, Parameter(help="A file that holds the URL.")] = None,
    fernet_key_env: Annotated[
        str | None, Parameter(help="The environment variable that holds the Fernet key (several: comma-separated).")
    ] = None,
    fernet_key_file: Annotated[
        Path | None,
        Parameter(
            help="A file that holds the Fernet key. Without either it is taken from --config-file or --env-file."
        ),
    ] = None,
    dags: Annotated[Path | None, Parameter(help="The folder of DAGs.")] = None,
    plugins: Annotated[Path | None, Parameter(help="The folder of plugins.")] = None,
    include: Annotated[Path | None, Parameter(help="The folder of further code.")] = None,
    requirements: Annotated[Path | None, Parameter(help="The source's requirements.txt.")] = None,
    config_file: Annotated[Path | None, Parameter(help="The source's airflow.cfg.")] = None,
    env_file: Annotated[Path | None, Parameter(help="NAME=value lines of its scheduler's environment.")] = None,
    archive: Annotated[
        str | None,
        Parameter(
            help="Instead of a database: what the script of `aerodrome export` wrote; a file, s3://BUCKET/KEY or gs://BUCKET/KEY."
        ),
    ] = None,
    archive_key: Annotated[Path | None, Parameter(help="The private key of that archive.")] = None,
    estate: Annotated[
        Path | None, Parameter(help="Keep what was found in this folder; when it holds an estate already, assess that.")
    ] = None,
    target_version: Annotated[str, Parameter(help="The Airflow version to move to.")] = DEFAULT,
    html: Annotated[Path | None, Parameter(help="Also write the report as one HTML page.")] = None,
    resolve_hosts: Annotated[
        bool, Parameter(negative=(), help="Ask DNS, from this machine, which hosts are in private networks.")
    ] = False,
    fingerprint_key_file: Annotated[
        Path | None,
        Parameter(
            help="A file with the key of fingerprints, made when missing: two scans with one key can be compared."
        ),
    ] = None,
    fail_on: Annotated[
        Literal["blocker", "warning", "never"], Parameter(help="Exit with 1 when there is a finding as grave as this.")
    ] = "never",
    offline: Offline = OFFLINE_DEFAULTS,
) -> int:
    """Read a metadata database and its folders, without changing anything, and tell what moving it takes.

    The URL and the key come from the environment, from files, or from a prompt: other people see command lines.
    An archive in a bucket is read as a stream, with what this machine is signed in with (the variables AWS_*, a profile or a
    role; GOOGLE_APPLICATION_CREDENTIALS or the machine's account). It needs s3:GetObject or storage.objects.get.
    """
    with ExitStack() as stack:
        if estate is not None and (estate / "manifest.json").exists():
            found = Estate.open(estate)
        else:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aerodrome-")))
            config: AnySourceConfig
            if archive is not None:
                if archive_key is None:
                    raise Invalid("The key of the archive is missing.", code="usage", hint="Add --archive-key FILE.")
                key = secret_from(file=archive_key, prompt="Private key of the archive")
                config = ArchiveConfig(Path(archive).stem, _place(archive), key, scratch / "archive")
                unpack(
                    config.archive, config.key, config.unpacked
                )  # one pass over it; what follows reads what lies here
            else:
                if dags is None:
                    raise Invalid(
                        "The folder of DAGs is missing.", code="usage", hint="Add --dags FOLDER, or --archive FILE."
                    )
                url = secret_from(env=database_url_env, file=database_url_file, prompt="URL of the metadata database")
                key = _fernet_key(fernet_key_env, fernet_key_file)
                config = SourceConfig(
                    kind="airflow-db",
                    name=dags.resolve().parent.name,
                    database_url=url,
                    fernet_keys=key,
                    dags_folder=dags.resolve(),
                    plugins_folder=plugins,
                    include_folder=include,
                    requirements_file=requirements,
                    config_file=config_file,
                    env_file=env_file,
                )
            folder = estate or scratch / "estate"
            fingerprint_key = _fingerprint_key(fingerprint_key_file)
            source = stack.enter_context(closing(open_source(config, fingerprint_key)))
            facts = {KEY_FACT: sha256(b"fingerprint key:" + fingerprint_key).hexdigest()[:16]}
            found = capture(source, config.name, folder, SystemClock(), _progress, facts)
        assessment = assess(found, target_version, _addresses(found) if resolve_hosts else None)
        if html is not None:
            html.write_text(report.to_html(assessment, found), encoding="utf-8")
            say(f"The report is in {html}.")
        if offline.output == "json":
            write_json(report.to_json(assessment, found))
        else:
            _write(assessment, found)
    grave = () if fail_on == "never" else SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return FOUND_AT_LEAST if any(assessment.counts[severity] for severity in grave) else 0


@app.command
def diff(
    before: Annotated[Path, Parameter(help="The folder of the earlier estate (`--estate` of that scan).")],
    after: Annotated[Path, Parameter(help="The folder of the later one.")],
    /,
    *,
    activity: Annotated[
        bool, Parameter(negative=(), help="Also show what moves while a source works: runs, sizes.")
    ] = False,
    offline: Offline = OFFLINE_DEFAULTS,
) -> None:
    """Show what changed between two scans: added, removed, and changed field by field; secrets as changed or not."""
    found = difference(Estate.open(before), Estate.open(after), with_activity=activity)
    if offline.output == "json":
        write_json(found.as_data())
        return
    if not found.are_secrets_compared:
        say("The scans were made with different fingerprint keys: secrets are not compared (--fingerprint-key-file).")
    rows = [[change.kind, change.what, change.key, field] for change in found.changes for field in _shown(change)]
    if rows:
        write_table(("Kind", "Change", "Which", "Field"), rows)
    else:
        sys.stdout.write("Nothing changed.\n")


def _shown(change: Change) -> list[str]:
    lines = [
        f"{field.name} changed"
        if field.before is None and field.after is None
        else f"{field.name}: {_short(field.before)} -> {_short(field.after)}"
        for field in change.fields
    ]
    return lines or [""]


def _short(value: object) -> str:
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _fingerprint_key(file: Path | None) -> bytes:
    """Give the key of a file, made with it when there is none; without a file one that dies with this process."""
    if file is None:
        return secrets.token_bytes(32)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = bytes.fromhex(_hex_or_empty(file))
        if len(key) != _KEY_BYTES:
            raise Invalid(
                f"{file} holds no key of fingerprints.",
                code="fingerprint-key-malformed",
                hint="Name a new file; it is made.",
            ) from None
        return key
    except OSError:
        raise Invalid(
            f"{file} cannot be made.", code="file-unwritable", hint="Check the folder and its rights."
        ) from None
    key = secrets.token_bytes(_KEY_BYTES)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(key.hex() + "\n")
    return key


def _hex_or_empty(file: Path) -> str:
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return text if re.fullmatch(r"([0-9a-f]{2})+", text) else ""


def _addresses(estate: Estate) -> dict[str, tuple[str, ...]]:
    """Ask DNS for the hosts that connections and code name; one that does not answer stays unknown."""
    inventory = Inventory.of(estate, "")
    hosts = sorted({reach.host for reach in inventory.reaches if reach.path in ("unknown", "public")})
    with ThreadPoolExecutor(_RESOLVERS) as pool:
        return {host: found for host, found in zip(hosts, pool.map(_resolve, hosts), strict=True) if found}


def _resolve(host: str) -> tuple[str, ...]:
    try:
        return tuple(sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}))
    except (OSError, UnicodeError):
        return ()


def _place(archive: str) -> Path | CloudFile:
    """Give where an archive lies; one in a bucket is read with what this machine is signed in with.

    That is what the clouds' own tools use: for S3 the variables AWS_*, a profile, or the machine's role; for Google
    GOOGLE_APPLICATION_CREDENTIALS, `gcloud auth application-default login`, or the machine's account.
    """
    if "://" not in archive:
        return Path(archive)
    scheme, _, _ = parts_of(archive)
    emulator = os.environ.get("STORAGE_EMULATOR_HOST", "") if scheme == "gs" else ""
    return CloudFile(archive, CloudLogin({"endpoint_url": emulator} if emulator else {}))


def _fernet_key(env: str | None, file: Path | None) -> Secret:
    if env is None and file is None:
        return Secret("")  # a source that does not encrypt; the probe says so when it does
    return secret_from(env=env, file=file, prompt="Fernet key")


def _progress(what: str, done: int, total: int | None) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{what} {done}" + (f" of {total}" if total else ""))


def _write(assessment: Assessment, found: Estate) -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    header = found.header
    sys.stdout.write(f"{header.source_name}: Airflow {header.source_version} on {header.database}\n")
    sys.stdout.write("Found: " + ", ".join(f"{count:,} {kind}" for kind, count in found.counts.items() if count) + "\n")
    counts = ", ".join(f"{count} {severity}" for severity, count in assessment.counts.items())
    sys.stdout.write(f"Towards Airflow {assessment.target_version}: {counts}\n\n")
    seen: dict[tuple[str, str], list[str]] = {}
    for finding in assessment.findings:
        place = finding.subject if finding.subject.startswith("dag:") else finding.file or finding.subject
        place = f"{finding.file}:{finding.line}" if finding.file and finding.line else place.removeprefix("dag:")
        seen.setdefault((finding.severity, finding.code), []).append(place)
    rows = []
    for severity in SEVERITIES:
        for (grade, code), places in seen.items():
            if grade == severity:
                more = f" and {len(places) - _SHOWN_PLACES} more" if len(places) > _SHOWN_PLACES else ""
                rows.append([grade, code, str(len(places)), cell(places[:_SHOWN_PLACES]) + more])
    if rows:
        write_table(("Severity", "Finding", "Places", "Where"), rows)
        sys.stdout.write("\n")
    risks = Counter(risk.risk for risk in assessment.dag_risks.values())
    shown = ", ".join(f"{risks[risk]} {risk}" for risk in ("low", "medium", "high"))
    sys.stdout.write(f"Risk of the DAGs: {shown}\n")
