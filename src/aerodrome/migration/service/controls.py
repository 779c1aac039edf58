"""Asking a running wave to let no more DAGs in, and to go on. Called by commands; read by the conductor's ledger."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.kernel.ids import new_id
from aerodrome.migration.service.tracks import CUTOVER
from aerodrome.store.engine import now
from aerodrome.store.tables.cutover import WaveControlRow


def set_halted(session: Session, migration_id: str, wave: str, by: str, reason: str = "", *, is_halted: bool) -> None:
    """Keep the wish; the newest counts."""
    row = find(session, migration_id, wave)
    if row is None:
        row = WaveControlRow(id=new_id("wvc"), migration_id=migration_id, wave=wave)
        session.add(row)
    row.is_halted, row.reason, row.changed_by, row.changed_at = is_halted, reason, by, now(session)
    session.flush()


def find(session: Session, migration_id: str, wave: str) -> WaveControlRow | None:
    """Give what was last asked of a wave, None when nothing was."""
    return session.scalar(
        select(WaveControlRow).where(WaveControlRow.migration_id == migration_id, WaveControlRow.wave == wave)
    )


def asked(session: Session, migration_id: str) -> dict[str, WaveControlRow]:
    """Give what was last asked of each wave of which anything was, by wave."""
    rows = session.scalars(select(WaveControlRow).where(WaveControlRow.migration_id == migration_id))
    return {row.wave: row for row in rows}


def is_halted(session: Session, migration_id: str, track: str) -> bool:
    """Tell whether the cutover of a wave is to let no more DAGs in; a way back is never halted."""
    if not track.startswith(CUTOVER):
        return False
    row = find(session, migration_id, track.removeprefix(CUTOVER))
    return row is not None and row.is_halted
