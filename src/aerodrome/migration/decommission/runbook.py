"""Fills the runbook of the migrated Airflow in: where it runs, who to ask, how to get back, what was removed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def runbook(facts: Mapping[str, Any], items: Sequence[Mapping[str, str]], checks: Sequence[Mapping[str, Any]]) -> str:
    """Give it as Markdown. `facts`: migration, source, source_name (what it is), deployment, target_version, dags, made_at, backup, logs."""
    backup, logs = facts.get("backup") or {}, facts.get("logs") or {}
    lines = [
        f"# Runbook: {facts['migration']}",
        "",
        (
            f"Written {facts['made_at']}. {facts['source_name']} moved from `{facts['source']}` to the deployment "
            f"`{facts['deployment']}` with Airflow {facts['target_version']}."
        ),
        "",
        "## Where it runs now",
        f"- Look: `aerodrome deployment show {facts['deployment']}`, open its pages: `aerodrome deployment open {facts['deployment']}`",
        f"- Logs: `aerodrome deployment logs {facts['deployment']} scheduler`",
        f"- Deploy: `aerodrome deploy PATH --deployment {facts['deployment']}`; undo: `aerodrome deploy rollback N --deployment {facts['deployment']}`",
        f"- Backups: `aerodrome backup list --deployment {facts['deployment']}`",
        f"- {facts['dags']} DAGs moved; what became of each: `aerodrome migrate report {facts['migration']}`",
        "",
        "## When something is wrong",
        f"1. `aerodrome deployment incidents {facts['deployment']}` names what is wrong and the next step.",
        "2. A DAG that does other than before: `aerodrome migrate parity " + str(facts["migration"]) + " --dag DAG`.",
        "3. A deploy that broke something: roll it back; the history stays.",
        "",
        "## The old environment",
        _state(checks),
        "",
        "### How to bring it back",
        _way_back(backup, str(facts["migration"])),
        "",
        "### Task logs",
        f"`{logs['path']}`: {logs['files']:,} files, SHA-256 `{logs['digest']}`, sealed with the same passphrase."
        if logs
        else "Not archived by this decommission.",
        "",
        "## To remove",
        "| what | name | seen in | what to do | done by, when |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {item['kind']} | {_cell(item['name'])} | {_cell(item['seen'])} | {_cell(item['action'])} | |"
            for item in items
        ),
        "",
        "## Contacts",
        "| role | name | reach |",
        "| --- | --- | --- |",
        *(f"| {role} | | |" for role in ("Owner of the deployment", "On call", "Owner of the old infrastructure")),
        "",
    ]
    return "\n".join(lines)


def _state(checks: Sequence[Mapping[str, Any]]) -> str:
    still = [check for check in checks if check["state"] != "done"]
    if not still:
        return "It was quiet when this was written: nothing ran, nothing was scheduled, nobody called it."
    return "It was not quiet when this was written:\n" + "\n".join(
        f"- {check['title']}: {check['message']}" for check in still
    )


def _way_back(backup: Mapping[str, Any], migration: str) -> str:
    if not backup.get("path"):
        return "There is no final backup from this decommission."
    if backup.get("kind") == "definitions":
        return (
            f"1. Pause the DAGs in the target first: every time has one owner. `aerodrome migrate holds {migration}` names the next time of each.\n"
            f"2. The definitions: `{backup['path']}` ({backup['files']:,} files, SHA-256 `{backup['digest']}`), read back once.\n"
            "3. Unseal them with the passphrase that was chosen: `aerodrome migrate decommission unseal FILE FOLDER`.\n"
            "4. Load or submit them again, each with that next time as its start, and nothing before it."
        )
    tested = backup.get("restore_test") or {}
    proof = (
        f"Restored once on {tested['at'][:10]}: {tested['tables']} tables, {tested['rows']:,} rows, the same as in the source."
        if tested.get("is_proven")
        else "It was not restored once; do that before the source goes."
    )
    return (
        f"1. The final backup: `{backup['path']}` ({backup['size_bytes']:,} bytes, SHA-256 `{backup['digest']}`). {proof}\n"
        "2. Unseal it with the passphrase that was chosen: `aerodrome migrate decommission unseal FILE FOLDER`.\n"
        f"3. Put the database back (a {backup['dialect']} database, schema `{backup['revision']}`), start Airflow "
        f"{backup['airflow_version']} with the old Fernet key.\n"
        "4. Pause the DAGs in the target first: every interval has one owner."
    )


def _cell(text: str) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")
