"""Add wave controls and split brains."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from aerodrome.store.tables.base import Json, Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "wave_control",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("migration_id", sa.String(length=40), nullable=False),
        sa.Column("wave", sa.String(length=63), nullable=False),
        sa.Column("is_halted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.String(length=63), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["migration_id"], ["migration.id"], name=op.f("fk_wave_control_migration_id_migration")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wave_control")),
        sa.UniqueConstraint("migration_id", "wave", name=op.f("uq_wave_control_migration_id_wave")),
    )
    op.create_table(
        "split_brain",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("migration_id", sa.String(length=40), nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=False),
        sa.Column("wave", sa.String(length=63), nullable=False),
        sa.Column("seen_whole_at", Moment(), nullable=False),
        sa.Column("noticed_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("action", sa.String(length=63), nullable=False),
        sa.Column("source_runs", Json, nullable=False),
        sa.Column("doubled", Json, nullable=False),
        sa.ForeignKeyConstraint(["migration_id"], ["migration.id"], name=op.f("fk_split_brain_migration_id_migration")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_split_brain")),
    )
    op.create_index(op.f("ix_split_brain_migration_id"), "split_brain", ["migration_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_split_brain_migration_id"), table_name="split_brain")
    op.drop_table("split_brain")
    op.drop_table("wave_control")
