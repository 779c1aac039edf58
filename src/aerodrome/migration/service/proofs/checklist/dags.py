"""The DAGs themselves: validated, compared with the source, and what ties them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from aerodrome.airflowkit.rest import AirflowRest
from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.bridge import uncarried
from aerodrome.migration.service.fencing import handed_over
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
from aerodrome.migration.sources.contract import DEFINITION_NAMES, DefinitionsConfig, SourceConfig
from aerodrome.store.tables.proof import ParityRow


def check_dags(context: ProofContext, params: Params) -> Result:
    """Every moving DAG: validated by apply, and known, parsed and free of import errors in the target now."""
    del params
    done, target, dags = applied(context), target_of(context), moving_dags(context)
    if target is None or "validate.dags" not in done:
        return item_of(
            context, "dags", "open", "The plan is not applied yet.", next_=f"aerodrome migrate apply {context.row.name}"
        )
    failed = {str(name) for name in done["validate.dags"].get("failed_dags", ())}
    try:
        with AirflowRest.of(context.fleet.access(context.actor, target)) as rest:
            here = {dag.dag_id: dag for dag in rest.dags()}
            errors = rest.import_errors()
        deploys = context.fleet.list_deploys(context.actor, target, limit=1)
    except AerodromeError as error:
        return item_of(context, "dags", "open", error.message, next_=error.hint)
    rows = [row_of(dag_id, "open", "It failed its validation when the plan was applied.") for dag_id in sorted(failed)]
    for dag in dags:
        seen = here.get(dag.dag_id)
        if seen is None or seen.is_stale:
            rows.append(row_of(dag.dag_id, "open", "The target does not know it now."))
        elif seen.has_import_errors:
            rows.append(row_of(dag.dag_id, "open", "Its file does not import in the target."))
    rows += [row_of(file, "attention", text.strip().splitlines()[-1][:300]) for file, text in errors]
    number = f"deploy #{deploys[0].number}" if deploys else "no deploy"
    bad = [row for row in rows if row["state"] == "open"]
    evidence = (
        f"{len(dags) - len({row['subject'] for row in bad})} of {len(dags)} DAGs are right; {number} is the newest."
    )
    state = "open" if bad else "attention" if rows else "done"
    next_ = (
        f"aerodrome migrate code {context.row.name} shows what was changed in a file; mend, deploy, check again."
        if rows
        else ""
    )
    return item_of(context, "dags", state, evidence, next_=next_, rows=rows)


def check_parity(context: ProofContext, params: Params) -> Result:
    """The parity reports: one per moving DAG, none with an unexplained difference."""
    del params
    with context.migrations.store.reading() as session:
        query = select(ParityRow).where(ParityRow.migration_id == context.row.id).order_by(ParityRow.dag_id)
        reports = {row.dag_id: (row.verdict, row.summary) for row in session.scalars(query)}
    rows = []
    for dag in moving_dags(context):
        verdict, text = reports.get(dag.dag_id, ("not-compared", "There is no report."))
        if verdict not in ("match", "explained"):
            rows.append(row_of(dag.dag_id, "open" if verdict == "mismatch" else "attention", text))
    total = len(moving_dags(context))
    if isinstance(context.config, DefinitionsConfig):
        return _without_results(context, DEFINITION_NAMES[context.config.kind], set(reports), rows)
    state = "open" if any(row["state"] == "open" for row in rows) else "attention" if rows else "done"
    evidence = f"{total - len(rows)} of {total} DAGs do the same as in the source."
    next_ = (
        f"aerodrome migrate compare {context.row.name} --in NAME compares; its pages show both sides." if rows else ""
    )
    return item_of(context, "parity", state if total else "not-needed", evidence, next_=next_, rows=rows)


def _without_results(context: ProofContext, name: str, reported: set[str], rows: Sequence[Mapping[str, Any]]) -> Result:
    """Definitions: no results of the source are there to compare with; only what differs in structure counts."""
    moving = {dag.dag_id for dag in moving_dags(context)}
    different = [row for row in rows if row["state"] == "open"]
    evidence = (
        f"{name} hands no results of its runs over, so none can be compared. "
        f"The structure of {len(moving & reported)} of {len(moving)} DAGs was compared, {len(different)} differ."
    )
    next_ = (
        f"aerodrome migrate compare {context.row.name} --in {context.row.name}-dev --no-shadow compares structure and declared data; "
        "what the conversion could not keep stands in the findings; have the team look at the first run of each wave."
    )
    state = "open" if different else "attention" if moving else "not-needed"
    return item_of(context, "parity", state, evidence, next_=next_, rows=different)


def check_chains(context: ProofContext, params: Params) -> Result:
    """What the bridge cannot carry between DAGs that do not move together, by DAG and by what ties them."""
    del params
    place = {dag_id: wave["name"] for wave in context.settings["waves"] for dag_id in wave["dags"]}
    with context.migrations.store.reading() as session:
        moved = set(handed_over(session, context.row.id))
    found = uncarried(context.dags.values(), place, moved, is_bridged=isinstance(context.config, SourceConfig))
    rows = [row_of(item.subject, "open", item.message) for item in found]
    if not rows:
        return item_of(context, "chains", "done", "No trigger, alias or partition crosses the waves of the plan.")
    return item_of(
        context, "chains", "open", f"{len(rows)} ties between DAGs are cut while they live on different sides.",
        next_=f"Put these DAGs into one wave: aerodrome migrate plan {context.row.name} --out FILE; or know what they miss.",
        rows=rows,
    )  # fmt: skip
