"""How long phases and subtasks took, one row each time."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "phase_times",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("subtask", sa.Text(), nullable=False),
        sa.Column("sender_at", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_phase_times_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "phase", "subtask", "sender_at", name=op.f("pk_phase_times")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("phase_times")
