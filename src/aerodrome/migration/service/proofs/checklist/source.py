"""The source that was left: ready to take its DAGs back, and whether that was tried."""

from __future__ import annotations

from sqlalchemy import select

from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.service.fencing import handed_over
from aerodrome.migration.service.proofs.checklist.items import (
    Params,
    Result,
    item_of,
    moving_dags,
    row_of,
)
from aerodrome.migration.service.proofs.contract import ProofContext
from aerodrome.migration.service.tracks import ROLLBACK
from aerodrome.migration.sources.contract import DEFINITION_NAMES, AsksPeople, DefinitionsConfig, SourceConfig
from aerodrome.store import journal
from aerodrome.store.tables.cutover import SplitBrainRow


def check_source(context: ProofContext, params: Params) -> Result:
    """The source answers now, holds every DAG that was handed over paused, and can be told what the target ran."""
    del params
    with context.migrations.store.reading() as session:
        handed = sorted(handed_over(session, context.row.id))
        open_windows = list(
            session.scalars(
                select(SplitBrainRow.dag_id).where(
                    SplitBrainRow.migration_id == context.row.id, SplitBrainRow.ended_at.is_(None)
                )
            )
        )
    moving = [dag.dag_id for dag in moving_dags(context)]
    try:
        states = context.source.dag_states(moving)
    except AerodromeError as error:
        next_ = f"{error.hint} Without the source there is no way back.".strip()
        return item_of(context, "source", "open", error.message, next_=next_)
    gone = sorted(set(moving) - set(states))
    awake = sorted(dag_id for dag_id in handed if dag_id in states and not states[dag_id].is_paused)
    rows = [
        *(row_of(dag_id, "open", "It was handed over and is active in the source as well.") for dag_id in awake),
        *(row_of(dag_id, "open", "It is active on both sides now.") for dag_id in open_windows if dag_id not in awake),
        *(row_of(dag_id, "attention", "The source does not know it any more.") for dag_id in gone),
    ]
    source = context.source
    if isinstance(source, AsksPeople):
        rows += [
            row_of(dag_id, "attention", error.message) for dag_id, error in sorted(source.unanswered(moving).items())
        ]
    elif not isinstance(context.config, SourceConfig):
        said = "It cannot be told what the target ran: a DAG comes back only before its first run in the target."
        rows.append(row_of("way back", "attention", said))
    bad = any(row["state"] == "open" for row in rows)
    state = "open" if bad else "attention" if rows else "done"
    evidence = (
        f"It answers now: {len(states)} of {len(moving)} DAGs are there, {len(handed)} of them handed over and paused."
    )
    if isinstance(context.config, DefinitionsConfig) and not context.config.server_url:
        name, asked = DEFINITION_NAMES[context.config.kind], sum(row["state"] == "attention" for row in rows)
        evidence = (
            f"{name} cannot be asked from here: {len(handed)} of {len(moving)} DAGs are handed over, held there by people; "
            f"{asked} more wait for the word of somebody."
        )
    if bad:
        evidence = f"{len(awake)} of {len(handed)} DAGs that were handed over are active there."
    next_ = "Pause them in the source; keep it running for one full cycle of every DAG at least." if bad else ""
    if not bad and rows and isinstance(source, AsksPeople):
        next_ = f"Hold them there right before their wave, and confirm it: aerodrome migrate holds {context.row.name}."
    return item_of(context, "source", state, evidence, next_=next_, rows=rows)


def check_rollback(context: ProofContext, params: Params) -> Result:
    """The way back was walked once to its end, for one wave at least, and what stands for it now still holds."""
    del params
    with context.migrations.store.reading() as session:
        found = []
        for track in journal.tracks(session, context.row.id):
            if track.track.startswith(ROLLBACK) and track.done and not (track.pending or track.running or track.failed):
                steps = journal.steps(session, context.row.id, track.track)
                ended = max((step.finished_at for step in steps if step.finished_at), default=None)
                found.append((track.track.removeprefix(ROLLBACK), track.done, ended))
    rows = [row_of(wave, "done", f"{steps} steps back, ended {to_text(ended)}.") for wave, steps, ended in found]
    if rows:
        return item_of(
            context, "rollback", "done", f"{len(rows)} waves went back to the source once, to the end.", rows=rows
        )
    waves = list(context.row.waves)
    wave = waves[0] if waves else "WAVE"
    next_ = (
        f"Cut the wave with the least at stake over and bring it back: aerodrome migrate cutover {context.row.name} --wave {wave}; "
        f"aerodrome migrate rollback {context.row.name} --wave {wave}."
    )
    return item_of(context, "rollback", "open", "No wave has gone back yet.", next_=next_)
