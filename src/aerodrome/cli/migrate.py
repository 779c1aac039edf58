"""`aerodrome migrate connect|list|show|assess|findings|plan|apply|hold|cutover|rollback|fence|watch|code|report`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from aerodrome.cli import migrate_connect, migrate_history, migrate_proofs, migrate_wave
from aerodrome.cli.migrate_bridge import bridge
from aerodrome.cli.migrate_connect import FIELDS
from aerodrome.cli.migrate_holds import hold, holds
from aerodrome.cli.migrate_people import people
from aerodrome.cli.migrate_policy import policy
from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_fields, write_json, write_rows
from aerodrome.client.client import Client
from aerodrome.client.migrations import Migration
from aerodrome.kernel.errors import Broken, Invalid, Unavailable

app = App(name="migrate", help="Move a self-managed Airflow here, step by step.")
app.command(bridge)
app.command(holds)
app.command(hold)
app.command(people)
app.command(policy)
app.command(migrate_wave.app)
app.command(migrate_history.app)
Ref = Annotated[str, Parameter(help="Id or name.")]
Wait = Annotated[bool, Parameter(help="Wait until it is done, and show each step.")]
TimeoutS = Annotated[float, Parameter(help="Seconds to wait at most.")]
migrate_proofs.add_to(app)
app.command(migrate_connect.connect)
app.command(migrate_connect.environments)
app.command(migrate_connect.archive_key)
_LOOK_EVERY_S = 0.5
STEP_COLUMNS = {"Track": "track", "Status": "status", "Step": "title", "Attempts": "attempts"}


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
def code(
    migration: Ref,
    /,
    *,
    review: Annotated[
        bool, Parameter(negative="", help="Upgrade the code in a copy first, to look at it before apply.")
    ] = False,
    reject: Annotated[
        list[str] | None, Parameter(help="Keep this file as the source has it; may stand several times.")
    ] = None,
    accept: Annotated[list[str] | None, Parameter(help="Upgrade this file after all; may stand several times.")] = None,
    timeout_s: TimeoutS = 3600,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show how the DAG code is upgraded: a diff per file, then what a person must look at. The plan keeps what is rejected."""
    with common.connect() as client:
        if review:
            _review(client, migration, timeout_s)
        found = client.migrations.code(migration)
        if reject or accept:
            client.migrations.decide_code(migration, (set(found["rejected"]) | set(reject or ())) - set(accept or ()))
            found = client.migrations.code(migration)
            say(
                f"The plan keeps {len(found['rejected'])} files as the source has them. Then: aerodrome migrate apply {migration}"
            )
    if common.output == "json":
        write_json(found)
        return
    if reject or accept:
        for path in found["rejected"]:
            sys.stdout.write(f"{path}\n")
        return
    for file in found["files"]:
        if file["is_rejected"]:
            say(f"{file['path']} is rejected: it stays as the source has it.")
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


def _review(client: Client, migration: str, timeout_s: float) -> None:
    """Ask for a review and wait for it."""
    client.migrations.review_code(migration)
    until = time.monotonic() + timeout_s
    while (seen := client.migrations.code_review(migration))["status"] == "asked":
        if time.monotonic() > until:
            raise Unavailable(
                f"The code is not upgraded after {timeout_s:g} s.",
                code="code-review-slow",
                hint=f"It goes on: aerodrome migrate code {migration}",
            )
        time.sleep(_LOOK_EVERY_S)
    if seen["status"] == "failed":
        error = seen["error"]
        raise Broken(error["message"], code=error["code"], hint=error["hint"])


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


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read: {error}.", code="file-unreadable", hint="Name a text file.") from error
