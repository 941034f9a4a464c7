"""Rows of the reorder window that are numbered stay until they are ended together; what races is seen by the index."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision: str | None = "0010"
branch_labels = None
depends_on = None

BODIES = [("log_window", "body"), ("log_tail", "body"), ("log_chunks", "text"), ("log_chunks", "meta")]
DUE = ["received_at", "run_id", "first_sender_at"]


def upgrade() -> None:
    op.add_column("runs", sa.Column("numbered_to", sa.BigInteger(), server_default="0", nullable=False))
    op.drop_index("ix_log_window_due", "log_window")
    op.add_column("log_window", sa.Column("last_sender_at", sa.BigInteger(), nullable=True))
    # Known only from the lines themselves; what waits now waits for some seconds more.
    op.execute(sa.text("UPDATE log_window SET last_sender_at = first_sender_at"))
    # No id may be given twice, as `numbered_to` outlives the rows.
    with op.batch_alter_table("log_window", table_kwargs={"sqlite_autoincrement": True}) as window:
        window.alter_column("last_sender_at", existing_type=sa.BigInteger(), nullable=False)
    op.create_index("ix_log_window_due", "log_window", [*DUE, "last_sender_at"], unique=False)
    _store_bodies("EXTERNAL")


def _store_bodies(how: str) -> None:
    """PostgreSQL would compress each long value. The tail is gone within seconds, and chunks are compressed."""
    if op.get_bind().dialect.name == "postgresql":
        for table, column in BODIES:
            op.execute(sa.text(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE {how}"))


def downgrade() -> None:
    _store_bodies("EXTENDED")
    op.execute(
        sa.text(
            "DELETE FROM log_window WHERE id <= (SELECT runs.numbered_to FROM runs WHERE runs.id = log_window.run_id)"
        )
    )
    op.drop_index("ix_log_window_due", "log_window")
    with op.batch_alter_table("log_window") as window:
        window.drop_column("last_sender_at")
    op.create_index("ix_log_window_due", "log_window", DUE, unique=False)
    with op.batch_alter_table("runs") as runs:
        runs.drop_column("numbered_to")
