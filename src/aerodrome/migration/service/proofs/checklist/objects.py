"""Connections, variables and pools in the target, and its secrets backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.service.proofs.checklist.items import (
    Params,
    Result,
    applied,
    item_of,
    moving_dags,
    row_of,
    target_of,
)
from aerodrome.migration.service.proofs.contract import ProofContext


def check_objects(context: ProofContext, params: Params) -> Result:
    """Connections and variables: what moved hashed alike, and every one that a moving DAG names is found in the target."""
    del params
    done = applied(context)
    target = target_of(context)
    if target is None or "environment.deployment" not in done:
        return item_of(
            context, "objects", "open", "Nothing was moved yet.", next_=f"aerodrome migrate apply {context.row.name}"
        )
    try:
        found = context.fleet.environment.effective(context.actor, target)
    except AerodromeError as error:
        return item_of(context, "objects", "open", error.message, next_=error.hint, rows=moved_rows(done, frozenset()))
    spelled = frozenset((view.kind, view.name.upper()) for view in found.items)
    rows = moved_rows(done, spelled)
    known = {
        kind: {record.key for record in context.estate.records(kind) if record.origin != "secrets-backend"}
        for kind in ("connection", "variable")
    }
    needed = {
        (kind, name)
        for dag in moving_dags(context)
        for kind, mentioned in (("connection", dag.connections), ("variable", dag.variables))
        for name in mentioned
        if name in known[kind]
    }
    lacking = sorted(item for item in needed if (item[0], item[1].upper()) not in spelled)
    rows += [row_of(name, "open", f"The target finds no {kind} of this name.") for kind, name in lacking]
    is_done = all(row["state"] == "done" for row in rows)
    evidence = f"{len(needed)} that the moving DAGs name are looked for in the target, {len(lacking)} are missing."
    next_ = "" if is_done else "Enter the missing ones: aerodrome env set NAME … --kind connection; then check again."
    return item_of(context, "objects", "done" if is_done else "open", evidence, next_=next_, rows=rows)


def moved_rows(done: Mapping[str, Mapping[str, Any]], there: frozenset[tuple[str, str]]) -> list[dict[str, str]]:
    """Give what became of each kind, and each value that is to be provided: open until the target finds one of its name.

    `there`: (kind, name in capitals) of what the target's Airflow finds now, wherever it stands.
    """
    rows: list[dict[str, str]] = []
    for section in ("connections", "variables", "pools"):
        moved = done.get(f"transfer.{section}")
        if moved is None:
            continue
        is_equal = moved.get("source_hash") == moved.get("target_hash")
        hashes = "both sides hash alike" if is_equal else "the hashes differ"
        refused = moved.get("failed", ())
        left = [item for item in refused if (section.removesuffix("s"), item["key"].upper()) not in there]
        since = f", {len(refused) - len(left)} of them provided since" if len(left) < len(refused) else ""
        text = f"{moved.get('found', 0)} found, {len(refused)} refused{since}, {hashes}."
        rows.append(row_of(section, "done" if is_equal and not left else "open", text))
        rows += [row_of(item["key"], "open", f"To be provided: {item['message']}") for item in left]
    return rows


def check_backend(context: ProofContext, params: Params) -> Result:
    """The secrets backend that the target asks first: probed now, write, read and delete of a test value included."""
    del params
    name = str(context.settings.get("secrets", {}).get("backend", ""))
    target = target_of(context)
    if not name and target is not None:
        attached = context.fleet.backends.attached(context.actor, target)
        name = attached.name if attached else ""
    if not name:
        evidence = (
            "Values live in the target itself, encrypted under its own key; no secrets backend is named in the plan."
        )
        return item_of(context, "backend", "not-needed", evidence)
    ref = f"{context.settings['target']['workspace']}/{name}"
    try:
        probe = context.fleet.backends.probe(context.actor, ref)
    except AerodromeError as error:
        return item_of(context, "backend", "open", error.message, next_=error.hint)
    rows = [row_of(check.name, "done" if check.is_ok else "open", check.message) for check in probe.checks]
    is_done = all(row["state"] == "done" for row in rows)
    return item_of(
        context, "backend", "done" if is_done else "open", f"{name} answered {len(rows)} checks just now.",
        next_="" if is_done else f"aerodrome secrets-backend probe {name} says what is wrong and what to do.", rows=rows,
    )  # fmt: skip
