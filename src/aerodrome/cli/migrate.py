"""`aerodrome migrate connect|list|show|assess|findings|plan|apply|cutover|rollback|fence|watch|code|report`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from aerodrome.cli import migrate_wave
from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_fields, write_json, write_rows
from aerodrome.client.client import Client
from aerodrome.client.migrations import Migration, NewArchive, NewRest, NewSource
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret

app = App(name="migrate", help="Move a self-managed Airflow here, step by step.")
app.command(migrate_wave.app)
Ref = Annotated[str, Parameter(help="Id or name.")]
Wait = Annotated[bool, Parameter(help="Wait until it is done, and show each step.")]
TimeoutS = Annotated[float, Parameter(help="Seconds to wait at most.")]
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
STEP_COLUMNS = {"Track": "track", "Status": "status", "Step": "title", "Attempts": "attempts"}


@app.command
def connect(
    name: Annotated[str, Parameter(help="A name for the migration.")],
    /,
    *,
    workspace: Annotated[str, Parameter(help="The workspace, id or name.")],
    dags: Annotated[Path | None, Parameter(help="The source's DAGs folder, on the server's machine.")] = None,
    archive: Annotated[
        Path | None, Parameter(help="Instead of a database: what the script of `aerodrome export` wrote.")
    ] = None,
    archive_key: Annotated[
        Path | None, Parameter(help="The private key of that archive, on this machine: the file ending in .key.")
    ] = None,
    rest_url: Annotated[
        str | None, Parameter(help="Instead of a database: the address of Airflow's web server, for its REST API.")
    ] = None,
    rest_user: Annotated[str, Parameter(help="A user there; without one, a token is taken.")] = "",
    rest_login_env: Annotated[
        str, Parameter(help="The environment variable that holds the user's password, or the token.")
    ] = "AERODROME_SOURCE_REST_LOGIN",
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
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Register a self-managed Airflow as a source. It is probed read-only; nothing changes there.

    The database URL and the Fernet key are taken from environment variables, so that they stand in no process list.
    So is what signs in to a REST API: with `--rest-user` its password, without it a token.
    An archive carries the DAGs, the code and everything else: beside `--archive` only `--archive-key` is needed.
    """
    paths = {
        "plugins_folder": _optional(plugins),
        "include_folder": _optional(include),
        "requirements_file": _optional(requirements),
        "config_file": _optional(config_file),
        "env_file": _optional(env_file),
    }
    source: NewSource | NewArchive | NewRest
    if archive is not None:
        if archive_key is None:
            raise Invalid("The key of the archive is missing.", code="usage", hint="Add --archive-key FILE.")
        source = NewArchive(_path(archive), Secret(_read(archive_key)))
    elif dags is None:
        raise Invalid("The folder of DAGs is missing.", code="usage", hint="Add --dags FOLDER, or --archive FILE.")
    elif rest_url is not None:
        secret = _from_env(rest_login_env, "the password of the user in the source, or a token")
        password, token = (secret, Secret("")) if rest_user else (Secret(""), secret)
        source = NewRest(rest_url, _path(dags), rest_user, password, token, **paths)
    else:
        url = _from_env(database_url_env, "the URL of the source's metadata database")
        source = NewSource(url, _path(dags), Secret(os.environ.get(fernet_key_env, "")), **paths)
    with common.connect() as client:
        write_fields(common.output, client.migrations.connect(name, workspace, source), FIELDS)


@app.command(name="list")
def list_all(*, common: Common = COMMON_DEFAULTS) -> None:
    """List the migrations that you may see, newest first."""
    with common.connect() as client:
        items = list(client.migrations.list())
    columns = {"Name": "name", "Status": "status", "From": "source_version", "To": "target_version", "Id": "id"}
    write_rows(common.output, items, columns, nothing="No migration yet: `aerodrome migrate connect NAME`.")


@app.command(name=["show", "status"])
def show(migration: Ref, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """Show a migration and its steps."""
    with common.connect() as client:
        item = client.migrations.get(migration)
    if common.output == "json":
        write_json(item.data)
        return
    write_fields(common.output, item, FIELDS)
    if item.steps:
        sys.stdout.write("\n")
        write_rows(common.output, item.steps, STEP_COLUMNS)


@app.command
def assess(
    migration: Ref, /, *, wait: Wait = True, timeout_s: TimeoutS = 3600, common: Common = COMMON_DEFAULTS
) -> None:
    """Scan the source into a frozen estate, assess it and propose a plan; changes nothing in the source."""
    with common.connect() as client:
        item = client.migrations.assess(migration)
        _finish(client, item, common, wait=wait, timeout_s=timeout_s)


@app.command
def findings(
    migration: Ref,
    /,
    *,
    severity: Annotated[Literal["blocker", "warning", "info"] | None, Parameter(help="Only these.")] = None,
    code: Annotated[str | None, Parameter(help="Only those of this code (see the reference of findings).")] = None,
    dag: Annotated[str | None, Parameter(help="Only those of this DAG and of its file.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show what the assessment found, the worst first."""
    with common.connect() as client:
        assessment = client.migrations.assessment(migration)
    file = assessment["dag_risks"].get(dag, {}).get("file")
    kept = [
        finding
        for finding in assessment["findings"]
        if severity in (None, finding["severity"])
        and code in (None, finding["code"])
        and (dag is None or finding["subject"] == f"dag:{dag}" or (file and finding["file"] == file))
    ]
    if common.output == "json":
        write_json({**assessment, "findings": kept})
        return
    columns = {"Severity": "severity", "Code": "code", "Where": "subject", "Finding": "message"}
    write_rows(common.output, kept, columns, nothing="No finding stands against this estate.")


@app.command
def plan(
    migration: Ref,
    /,
    *,
    file: Annotated[Path | None, Parameter(help="An edited plan to check and keep.")] = None,
    out: Annotated[Path | None, Parameter(help="Write the present plan here, for editing.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show the plan (YAML), write it to a file, or keep an edited one."""
    with common.connect() as client:
        if file is not None:
            found = client.migrations.save_plan(migration, _read(file))
            say(f"Kept, digest {found['digest']}.")
        else:
            found = client.migrations.plan(migration)
    for note in found["notes"]:
        say(f"note: {note}")
    if out is not None:
        out.write_text(found["text"], encoding="utf-8")
        say(f"Written to {out}. Edit it, then: aerodrome migrate plan {migration} --file {out}")
    elif common.output == "json":
        write_json(found)
    elif file is None:
        sys.stdout.write(found["text"])


@app.command
def apply(
    migration: Ref,
    /,
    *,
    dry_run: Annotated[bool, Parameter(help="Only show the very steps that would run.")] = False,
    plan_digest: Annotated[str | None, Parameter(help="Refuse unless the present plan has this digest.")] = None,
    wait: Wait = True,
    timeout_s: TimeoutS = 7200,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Walk the plan up to cutover, or go on where it stopped."""
    with common.connect() as client:
        if dry_run:
            _show_steps(client, migration, common, lambda track: track == "apply")
            return
        item = client.migrations.apply(migration, plan_digest)
        _finish(client, item, common, wait=wait, timeout_s=timeout_s)


@app.command
def cutover(
    migration: Ref,
    /,
    *,
    wave: Annotated[str, Parameter(help="The wave to hand over, as named in the plan.")],
    dry_run: Annotated[bool, Parameter(help="Only show the very steps that would run.")] = False,
    wait: Wait = True,
    timeout_s: TimeoutS = 7200,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Hand the DAGs of a wave over: pause, drain, sync, prove, start, watch. Goes on where it stopped."""
    with common.connect() as client:
        if dry_run:
            _show_steps(client, migration, common, lambda track: track == f"cutover:{wave}")
            return
        item = client.migrations.cutover(migration, wave)
        _finish(client, item, common, wait=wait, timeout_s=timeout_s)


@app.command
def rollback(
    migration: Ref,
    /,
    *,
    wave: Annotated[str, Parameter(help="The wave that goes back, as named in the plan.")],
    dag: Annotated[list[str] | None, Parameter(help="Only this DAG; may stand several times.")] = None,
    dry_run: Annotated[bool, Parameter(help="Only show the very steps that would run.")] = False,
    wait: Wait = True,
    timeout_s: TimeoutS = 7200,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Give the DAGs of a wave back to the source: pause in the target, start in the source. Cut the wave over again later.

    What the target ran meanwhile is marked done in the source, so that it is not repeated there. A source over REST cannot
    be told so: then a DAG that the target has run stays there.
    """
    with common.connect() as client:
        if dry_run:
            _write_steps(list(client.migrations.roll_back_steps(migration, wave, dag)), common)
            return
        item = client.migrations.roll_back(migration, wave, dag)
        _finish(client, item, common, wait=wait, timeout_s=timeout_s)


@app.command
def fence(migration: Ref, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """Show when a DAG that was handed over was active in the source again, what it ran there, and what ran twice."""
    with common.connect() as client:
        found = list(client.migrations.split_brains(migration))
    if common.output == "json":
        write_json(found)
        return
    rows = [
        {
            **item,
            "began": f"after {item['seen_whole_at']}",
            "ended": item["ended_at"] or "still active",
            "ran": len(item["source_runs"]),
            "twice": len(item["doubled"]),
        }
        for item in found
    ]
    columns = {
        "DAG": "dag_id", "Wave": "wave", "Began": "began", "Noticed": "noticed_at", "Ended": "ended", "Action": "action",
        "Source ran": "ran", "Ran twice": "twice",
    }  # fmt: skip
    write_rows(common.output, rows, columns, nothing="No DAG was active on both sides.")


@app.command
def watch(migration: Ref, /, *, timeout_s: TimeoutS = 7200, common: Common = COMMON_DEFAULTS) -> None:
    """Show each step of what is going on, until it ends."""
    with common.connect() as client:
        _finish(client, client.migrations.get(migration), common, wait=True, timeout_s=timeout_s)


@app.command
def code(migration: Ref, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """Show how the DAG code was upgraded: a diff per file, then what a person must look at."""
    with common.connect() as client:
        found = client.migrations.code(migration)
    if common.output == "json":
        write_json(found)
        return
    for file in found["files"]:
        sys.stdout.write(file["diff"])
    for file in found["files"]:
        for finding in file["findings"]:
            say(f"{finding['file']}:{finding['line']}: {finding['rule']}: {finding['message']} {finding['hint']}")


@app.command
def report(
    migration: Ref,
    /,
    *,
    form: Annotated[Literal["json", "html"], Parameter(name="--format", help="For programs, or for people.")] = "json",
    out: Annotated[Path | None, Parameter(help="Write it here instead of to the screen.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Give the report: what was found, moved, failed, proved and handed over so far."""
    with common.connect() as client:
        if form == "html":
            text = client.migrations.report_html(migration)
            if out is None:
                sys.stdout.write(text)
            else:
                out.write_text(text, encoding="utf-8")
            return
        found = client.migrations.report(migration)
    if out is None:
        write_json(found)
        return
    import json  # only here

    out.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _finish(client: Client, item: Migration, common: Common, *, wait: bool, timeout_s: float) -> None:
    if wait:
        item = client.migrations.watch(item.id, step_teller(), timeout_s=timeout_s)
    if common.output == "json":
        write_json(item.data)
        return
    write_fields(common.output, item, FIELDS)


def step_teller() -> Callable[[Migration], None]:
    """Give a callback for `watch` that writes a line on standard error for each step that begins, ends or moves on."""
    told: dict[tuple[str, str], tuple[str, str | None]] = {}

    def tell(seen: Migration) -> None:
        for step in seen.steps:
            key = (step["track"], step["key"])
            state = (step["status"], step["progress"] if step["status"] == "running" else None)
            if step["status"] == "pending" or told.get(key) == state:
                continue
            told[key] = state
            more = step["progress"] if step["status"] == "running" else (step["result"] or {}).get("summary")
            say(f"{step['status']:>8}  {step['title']}" + (f" ({more})" if more else ""))

    return tell


def _show_steps(client: Client, migration: str, common: Common, wanted: Callable[[str], bool]) -> None:
    _write_steps([row for row in client.migrations.dry_run(migration) if wanted(row["track"])], common)


def _write_steps(rows: list[Mapping[str, Any]], common: Common) -> None:
    columns = {"#": "number", "Phase": "phase", "Step": "title", "Key": "key"}
    write_rows(common.output, rows, columns, nothing="Nothing would run.")


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


def _path(path: Path) -> str:
    return str(path.expanduser().absolute())


def _optional(path: Path | None) -> str | None:
    return None if path is None else _path(path)
