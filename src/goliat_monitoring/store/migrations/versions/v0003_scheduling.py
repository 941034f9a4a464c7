"""Scheduling: a queue by study and requirements, causes and retries, stalls, workers set aside, configs of retries."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("super_studies") as studies:
        studies.add_column(sa.Column("retries_stopped", sa.Text(), server_default="", nullable=False))
    with op.batch_alter_table("assignments") as assignments:
        assignments.add_column(sa.Column("counts_from", sa.Integer(), server_default="0", nullable=False))
        assignments.add_column(sa.Column("prefer_until", sa.BigInteger(), nullable=True))
        assignments.add_column(sa.Column("vram_above", sa.BigInteger(), nullable=True))
        assignments.add_column(sa.Column("ask", sa.Text(), server_default="", nullable=False))
        assignments.add_column(sa.Column("cancel_asked", sa.Boolean(), server_default=sa.text("false"), nullable=False))
        assignments.add_column(sa.Column("replaced_at", sa.BigInteger(), nullable=True))
        assignments.drop_index("ix_assignments_pending")
        pending = sa.text("state = 'PENDING'")
        assignments.create_index(
            "ix_assignments_queue",
            ["super_study_id", "requirements", "index"],
            unique=False,
            sqlite_where=pending,
            postgresql_where=pending,
        )
        again = sa.text("state = 'PENDING' AND attempts > 0")
        assignments.create_index(
            "ix_assignments_again", ["not_before"], unique=False, sqlite_where=again, postgresql_where=again
        )
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("cause", sa.Text(), server_default="", nullable=False))
        runs.add_column(sa.Column("failure_key", sa.Text(), nullable=True))
        runs.add_column(sa.Column("flag", sa.Text(), server_default="", nullable=False))
        runs.add_column(sa.Column("flag_reason", sa.Text(), server_default="", nullable=False))
        runs.add_column(sa.Column("flagged_at", sa.BigInteger(), nullable=True))
        failed = sa.text("failure_key IS NOT NULL")
        runs.create_index(
            "ix_runs_failure_key", ["failure_key"], unique=False, sqlite_where=failed, postgresql_where=failed
        )
    op.create_table(
        "run_configs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_configs_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_configs")),
    )
    op.create_table(
        "set_aside",
        sa.Column("super_study_id", sa.Text(), nullable=False),
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["super_study_id"], ["super_studies.id"], name=op.f("fk_set_aside_super_study_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["worker_id"], ["workers.id"], name=op.f("fk_set_aside_worker_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("super_study_id", "worker_id", name=op.f("pk_set_aside")),
    )
    op.create_index(op.f("ix_set_aside_worker_id"), "set_aside", ["worker_id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("restore the backup from before the upgrade")
