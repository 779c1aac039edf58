"""`aerodrome migrate compare|parity|checklist|decommission|proof|proofs|evidence`: what is proved about a migration."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, OFFLINE_DEFAULTS, Common, Offline, say
from aerodrome.cli.output import write_json, write_rows
from aerodrome.client.client import Client
from aerodrome.client.proofs import Proof
from aerodrome.kernel.errors import Broken, Conflict, Invalid
from aerodrome.kernel.secret import Secret

Ref = Annotated[str, Parameter(help="Id or name.")]
Wait = Annotated[bool, Parameter(help="Wait until it is done, and show each step.")]
TimeoutS = Annotated[float, Parameter(help="Seconds to wait at most.")]
PASSPHRASE = "AERODROME_FINAL_PASSPHRASE"  # noqa: S105 - the name of a variable
STEP_COLUMNS = {"Status": "status", "Step": "title", "Attempts": "attempts"}
PARITY_COLUMNS = {"Verdict": "verdict", "DAG": "dag_id", "Summary": "summary", "Compared": "made_at"}
ITEM_COLUMNS = {"State": "state", "Item": "title", "Evidence": "evidence", "Next": "next"}
CHECK_COLUMNS = {"State": "state", "Check": "title", "Found": "message", "Next": "next"}

evidence = App(name="evidence", help="The signed evidence of a migration: create a bundle, verify one offline.")
decommission = App(
    name="decommission", help="The end of a source: may it go, its final backup, what to remove, the runbook."
)


def add_to(app: App) -> None:
    """Add these commands to `aerodrome migrate`."""
    for command in (compare, parity, checklist, proof):
        app.command(command)
    app.command(list_proofs, name="proofs")
    app.command(evidence)
    app.command(decommission)


def compare(
    migration: Ref,
    /,
    *,
    in_: Annotated[
        str, Parameter(name="--in", help="The development deployment; made when there is none of this name.")
    ],
    dag: Annotated[list[str] | None, Parameter(help="Only this DAG; may stand several times.")] = None,
    wave: Annotated[str | None, Parameter(help="Only the DAGs of this wave.")] = None,
    file: Annotated[
        Path | None, Parameter(help="A comparison file: tolerance, known differences, data checks.")
    ] = None,
    shadow: Annotated[bool, Parameter(help="Run each DAG there; without it structure and data checks only.")] = True,
    allow_connection: Annotated[
        list[str] | None, Parameter(help="A connection that a shadow run may use as it is in production.")
    ] = None,
    allow_host: Annotated[list[str] | None, Parameter(help="A host named in the code that it may reach.")] = None,
    source_logs: Annotated[
        Path | None, Parameter(help="Folder of the source's task logs, on the server's machine.")
    ] = None,
    run_timeout_s: Annotated[float, Parameter(help="Seconds that the shadow runs of one step may take.")] = 900,
    dry_run: Annotated[bool, Parameter(help="Only show the very steps that would run.")] = False,
    wait: Wait = True,
    timeout_s: TimeoutS = 7200,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Compare DAGs on both sides: structure, a shadow run of the same logical date, declared data checks.

    A DAG runs only when every connection that it names is overridden in the development deployment by another host,
    port or schema, or is allowed by name. Ends with exit code 5 (conflict) when a DAG differs without an explanation.
    """
    wish: dict[str, Any] = {
        "deployment": in_,
        "dag_ids": list(dag or ()),
        "wave": wave,
        "file": read_text(file) if file else None,
        "with_shadow": shadow,
        "allow_connections": list(allow_connection or ()),
        "allow_hosts": list(allow_host or ()),
        "source_logs": str(source_logs.expanduser().absolute()) if source_logs else None,
        "timeout_s": run_timeout_s,
    }
    with common.connect() as client:
        if dry_run:
            write_rows(common.output, client.proofs.compare_steps(migration, wish), {"Key": "key", "Step": "title"})
            return
        found = follow(client, migration, client.proofs.compare(migration, wish), wait=wait, timeout_s=timeout_s)
        if not wait:
            show_proof(found, common)
            return
        reports = [item for item in client.proofs.parity(migration) if item["proof_id"] == found.id]
    if common.output == "json":
        write_json({**found.data, "reports": reports})
    else:
        write_rows(common.output, reports, PARITY_COLUMNS, nothing="No DAG was compared.")
        for row in found.result["data_rows"]:
            say(
                f"{row['outcome']:>9}  {row['subject']} {row['field']}: {row['source']} / {row['target']} {row['message']}"
            )
    worse = found.result["mismatch"] + sum(row["outcome"] == "different" for row in found.result["data_rows"])
    if worse:
        raise Conflict(
            f"{worse} differ without an explanation.",
            code="parity-mismatch",
            hint=f"aerodrome migrate parity {migration} --dag DAG shows both sides; explain what is right in a --file.",
        )


def parity(
    migration: Ref,
    /,
    *,
    dag: Annotated[str | None, Parameter(help="The whole report of this DAG.")] = None,
    verdict: Annotated[
        Literal["match", "explained", "mismatch", "not-compared"] | None, Parameter(help="Only these DAGs.")
    ] = None,
    everything: Annotated[bool, Parameter(name="--all", help="With --dag: what is equal, too.")] = False,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show the parity reports, or one of them side by side."""
    with common.connect() as client:
        if dag is None:
            items = list(client.proofs.parity(migration, verdict))
            hint = f"Nothing was compared yet: aerodrome migrate compare {migration} --in NAME"
            write_rows(common.output, items, PARITY_COLUMNS, nothing=hint)
            return
        report = client.proofs.parity_report(migration, dag)
    if common.output == "json":
        write_json(report)
        return
    say(f"{report['dag_id']}: {report['verdict']}. {report['summary']}")
    rows = [row for row in report["rows"] if everything or row["outcome"] != "equal"]
    columns = {
        "Outcome": "outcome", "Aspect": "aspect", "What": "subject", "Field": "field", "Source": "source", "Target": "target",
        "Why": "message",
    }  # fmt: skip
    write_rows(common.output, rows, columns, nothing="Everything that was compared is equal (--all shows it).")


def checklist(
    migration: Ref,
    /,
    *,
    check: Annotated[bool, Parameter(help="Look anew; without it the newest result is shown.")] = True,
    with_tasks: Annotated[
        bool,
        Parameter(
            negative="",
            help="Let a task of the target try each host and connection (Airflow 3; its components restart before and after).",
        ),
    ] = False,
    wait: Wait = True,
    timeout_s: TimeoutS = 3600,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Go through the cutover checklist: each item is looked at by the platform, none is ticked by hand."""
    with common.connect() as client:
        if check:
            found = follow(
                client, migration, client.proofs.check(migration, with_tasks=with_tasks), wait=wait, timeout_s=timeout_s
            )
        else:
            newest = next(client.proofs.list(migration, "checklist"), None)
            if newest is None:
                raise Conflict(
                    "It was never checked.", code="not-checked", hint=f"aerodrome migrate checklist {migration}"
                )
            found = newest
    if common.output == "json" or found.is_busy:
        show_proof(found, common)
        return
    write_rows(common.output, found.result["items"], ITEM_COLUMNS)
    for item in found.result["items"]:
        for row in item["rows"]:
            if row["state"] != "done":
                say(f"{item['key']}: {row['subject']}: {row['message']}")


@decommission.command
def check(
    migration: Ref,
    /,
    *,
    days: Annotated[int, Parameter(help="So many days nothing may have happened in the source.")] = 14,
    passphrase_env: Annotated[
        str,
        Parameter(help="The environment variable that holds the passphrase; when it is not set, nothing is backed up."),
    ] = PASSPHRASE,
    logs: Annotated[Path | None, Parameter(help="Folder of task logs to archive, on the server's machine.")] = None,
    access_log: Annotated[
        Path | None, Parameter(help="Access log of the source's web server, on the server's machine.")
    ] = None,
    wait: Wait = True,
    timeout_s: TimeoutS = 7200,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Look whether the source may go, take its final backup and restore it once, list what to remove, fill in the runbook.

    Nothing is switched off. The backup and the logs are sealed with the passphrase, which the server forgets afterwards.
    """
    secret = os.environ.get(passphrase_env)
    if not secret:
        say(f"{passphrase_env} is not set: nothing is backed up. read -rs {passphrase_env}; export {passphrase_env}")
    with common.connect() as client:
        asked = client.proofs.decommission(
            migration,
            days=days,
            passphrase=Secret(secret) if secret else None,
            logs=str(logs.expanduser().absolute()) if logs else None,
            access_log=str(access_log.expanduser().absolute()) if access_log else None,
        )
        found = follow(client, migration, asked, wait=wait, timeout_s=timeout_s)
    if common.output == "json" or found.is_busy:
        show_proof(found, common)
        return
    write_rows(common.output, found.result["checks"], CHECK_COLUMNS)
    sys.stdout.write("\n")
    columns = {"What": "kind", "Name": "name", "Seen in": "seen", "To do": "action"}
    write_rows(common.output, found.result["items"], columns, nothing="Nothing to remove was found.")
    if found.result["may_go"]:
        say(f"The source may go. Keep the evidence: aerodrome migrate evidence create {migration} --out FILE")
    else:
        say("The source may not go yet:")
        for line in found.result["against"]:
            say(f"  {line}")


@decommission.command
def runbook(
    migration: Ref,
    /,
    *,
    out: Annotated[Path | None, Parameter(help="Write it here instead of to the screen.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Give the runbook that the newest check filled in (Markdown)."""
    with common.connect() as client:
        text = client.proofs.runbook(migration)
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8")
        say(f"Written to {out}.")


@decommission.command
def unseal(
    file: Annotated[Path, Parameter(help="A sealed final backup or log archive.")],
    folder: Annotated[Path, Parameter(help="A new folder for what is in it.")],
    /,
    *,
    passphrase_env: Annotated[str, Parameter(help="The environment variable that holds the passphrase.")] = PASSPHRASE,
    offline: Offline = OFFLINE_DEFAULTS,
) -> None:
    """Unpack a sealed backup or log archive. Needs no server, only the file and the passphrase."""
    from aerodrome.migration.decommission import keeping  # databases, only here

    secret = os.environ.get(passphrase_env)
    if not secret:
        raise Invalid(
            f"The environment variable {passphrase_env} is not set.",
            code="environment-variable-missing",
            hint=f"read -rs {passphrase_env}; export {passphrase_env}",
        )
    keeping.unseal(file, Secret(secret), folder)
    if offline.output == "json":
        write_json({"folder": folder})
    else:
        say(f"Unpacked into {folder}.")


def list_proofs(
    migration: Ref,
    /,
    *,
    kind: Annotated[
        Literal["compare", "checklist", "promotion", "decommission"] | None, Parameter(help="Only these.")
    ] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """List what was proved about a migration, newest first."""
    with common.connect() as client:
        items = [item.data for item in client.proofs.list(migration, kind)]
    columns = {"Id": "id", "Kind": "kind", "Status": "status", "By": "actor", "Begun": "created_at"}
    write_rows(common.output, items, columns, nothing="Nothing was proved yet.")


def proof(
    migration: Ref,
    id_: Annotated[str, Parameter(help="As `aerodrome migrate proofs` lists it.")],
    /,
    *,
    wait: Annotated[bool, Parameter(help="Wait until it has ended, and show each step.")] = False,
    timeout_s: TimeoutS = 7200,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show one proof and its steps."""
    with common.connect() as client:
        found = client.proofs.get(migration, id_)
        if wait:
            found = follow(client, migration, found, wait=True, timeout_s=timeout_s)
    show_proof(found, common)


@evidence.command
def create(
    migration: Ref,
    /,
    *,
    out: Annotated[Path, Parameter(help="The file to write.")],
    key_out: Annotated[Path | None, Parameter(help="Write the public key that verifies it here, too.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Write all that was found, decided, done and proved into one signed file."""
    with common.connect() as client:
        made = client.proofs.create_evidence(migration, out)
        if key_out is not None:
            key_out.write_text(client.proofs.evidence_key(), encoding="ascii")
    if common.output == "json":
        write_json({**made, "file": out})
    else:
        say(f"Written to {out}: {made['parts']} parts, {made['size_bytes']:,} bytes, signed by key {made['key_id']}.")


@evidence.command
def key(
    *,
    out: Annotated[Path | None, Parameter(help="Write it here instead of to the screen.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Give the public key that verifies the bundles of this platform. Keep it apart from the bundles."""
    with common.connect() as client:
        text = client.proofs.evidence_key()
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="ascii")


@evidence.command
def verify(
    file: Annotated[Path, Parameter(help="An evidence bundle.")],
    /,
    *,
    public_key: Annotated[Path, Parameter(help="The public key of the platform that made it (PEM).")],
    offline: Offline = OFFLINE_DEFAULTS,
) -> None:
    """Check every byte of a bundle against the public key. Needs no server and no network, only the two files.

    What was changed is named: the part, and the offset of its first wrong byte; then the exit code is 1.
    """
    from aerodrome.migration.decommission import bundle  # cryptography, only here

    found = bundle.verify(file, read_text(public_key))
    if offline.output == "json":
        data = {"is_whole": found.is_whole, "key_id": found.key_id, "problems": [vars(item) for item in found.problems]}
        write_json({**data, "manifest": found.manifest})
    for item in found.problems:
        say(f"{item.part}, byte {item.offset:,}: {item.message}")
    if not found.is_whole:
        raise Broken(
            f"{file} is not what was signed: {len(found.problems)} problem{'s' if len(found.problems) != 1 else ''}.",
            code="bundle-tampered",
            hint="Do not rely on it; fetch the bundle anew, and check that the public key is the platform's.",
        )
    if offline.output != "json":
        parts = len(found.manifest["entries"])
        say(
            f"Whole: {parts} parts of the migration {found.manifest['migration']}, written {found.manifest.get('created_at', 'at an unknown moment')}, "
            f"signed by key {found.key_id}."
        )


def follow(client: Client, migration: str, asked: Proof, *, wait: bool, timeout_s: float) -> Proof:
    """Wait until a proof has ended, telling each step; at once when nobody wants to wait."""
    if not wait:
        return asked
    return client.proofs.watch(migration, asked.id, _teller(), timeout_s=timeout_s)


def _teller() -> Callable[[Proof], None]:
    told: dict[str, tuple[str, str | None]] = {}

    def tell(seen: Proof) -> None:
        for step in seen.steps:
            state = (step["status"], step["progress"] if step["status"] == "running" else None)
            if step["status"] == "pending" or told.get(step["key"]) == state:
                continue
            told[step["key"]] = state
            more = step["progress"] if step["status"] == "running" else (step["result"] or {}).get("summary")
            say(f"{step['status']:>8}  {step['title']}" + (f" ({more})" if more else ""))

    return tell


def show_proof(found: Proof, common: Common) -> None:
    """Show a proof with its steps."""
    if common.output == "json":
        write_json(found.data)
        return
    say(f"{found.kind} {found.id}: {found.status}")
    if found.steps:
        write_rows(common.output, found.steps, STEP_COLUMNS)


def read_text(path: Path) -> str:
    """Read a file that somebody named; Invalid when it is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read: {error}.", code="file-unreadable", hint="Name a text file.") from error
