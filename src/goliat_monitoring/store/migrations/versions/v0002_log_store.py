"""The log store: sealed chunks, repeats, problems by text; a window row a message; samples of several kinds."""

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "log_chunks",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("first_line", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_sender_at", sa.BigInteger(), nullable=False),
        sa.Column("last_sender_at", sa.BigInteger(), nullable=False),
        sa.Column("last_received_at", sa.BigInteger(), nullable=False),
        sa.Column("levels", sa.Text(), nullable=False),
        sa.Column("raw_size", sa.Integer(), nullable=False),
        sa.Column("text_size", sa.Integer(), nullable=False),
        sa.Column("meta_size", sa.Integer(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=True),
        sa.Column("storage_offset", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.LargeBinary(), nullable=True),
        sa.Column("meta", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_log_chunks_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "first_line", name=op.f("pk_log_chunks")),
    )
    op.create_table(
        "log_repeats",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("last_sender_at", sa.BigInteger(), nullable=False),
        sa.Column("last_text", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_log_repeats_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "line", name=op.f("pk_log_repeats")),
    )
    op.create_table(
        "log_problems",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("text_key", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_line", sa.BigInteger(), nullable=False),
        sa.Column("last_line", sa.BigInteger(), nullable=False),
        sa.Column("first_sender_at", sa.BigInteger(), nullable=False),
        sa.Column("last_sender_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_log_problems_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "level", "text_key", name=op.f("pk_log_problems")),
    )
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("log_token", sa.BigInteger(), server_default="0", nullable=False))
        runs.add_column(sa.Column("tail_size", sa.BigInteger(), server_default="0", nullable=False))
        runs.add_column(sa.Column("solver_percent", sa.Float(), nullable=True))
        runs.add_column(sa.Column("mcells_per_s", sa.Float(), nullable=True))
        runs.add_column(sa.Column("solver_sender_at", sa.BigInteger(), nullable=True))
        runs.add_column(sa.Column("progress_sampled_at", sa.BigInteger(), nullable=True))
        runs.add_column(sa.Column("vitals_sampled_at", sa.BigInteger(), nullable=True))
        runs.create_index("ix_runs_ended_at", ["ended_at"], unique=False)
        to_seal = sa.text("tail_size >= 262144")
        runs.create_index(
            "ix_runs_to_seal", ["tail_size"], unique=False, sqlite_where=to_seal, postgresql_where=to_seal
        )
        over = sa.text("ended_at IS NOT NULL AND tail_size > 0")
        runs.create_index("ix_runs_over_unsealed", ["ended_at"], unique=False, sqlite_where=over, postgresql_where=over)
    _tail()
    _window()
    _samples()


def _tail() -> None:
    with op.batch_alter_table("log_tail") as tail:
        tail.add_column(sa.Column("size", sa.Integer(), nullable=True))
    op.execute("UPDATE log_tail SET size = length(body)")
    with op.batch_alter_table("log_tail") as tail:
        tail.alter_column("size", existing_type=sa.Integer(), nullable=False)
    op.execute(
        "UPDATE runs SET log_token = line_count, tail_size = "
        "(SELECT coalesce(sum(log_tail.size), 0) FROM log_tail WHERE log_tail.run_id = runs.id)"
    )


def _window() -> None:
    """A row a line becomes a row a line too, in the form of a message with one line."""
    connection = op.get_bind()
    held = connection.execute(sa.text("SELECT * FROM log_window ORDER BY id")).all()
    op.drop_table("log_window")
    window = op.create_table(
        "log_window",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("first_sender_at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_log_window_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_window")),
    )
    op.create_index("ix_log_window_due", "log_window", ["received_at", "run_id", "first_sender_at"], unique=False)
    rows = [
        {
            "run_id": row.run_id,
            "received_at": row.received_at,
            "first_sender_at": row.sender_at,
            "count": 1,
            "body": msgspec.json.encode([(row.sender_at, row.level, row.source, row.text, row.sequence, row.position)]),
        }
        for row in held
    ]
    if rows:
        connection.execute(sa.insert(window), rows)


def _samples() -> None:
    op.execute("CREATE TABLE old_samples AS SELECT * FROM samples")
    op.drop_table("samples")
    op.create_table(
        "samples",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("sender_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_samples_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "kind", "step", "sender_at", name=op.f("pk_samples")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO samples (run_id, kind, step, sender_at, received_at, body) "
        "SELECT run_id, 'vitals', 0, sender_at, received_at, body FROM old_samples "
        "WHERE id IN (SELECT max(id) FROM old_samples GROUP BY run_id, sender_at)"
    )
    op.drop_table("old_samples")


def downgrade() -> None:
    raise NotImplementedError("sealed logs cannot be put back; restore the backup from before the upgrade")
