"""What simulations taught about time, the history of each study's ETA, and what a worker costs."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("workers") as workers:
        workers.add_column(sa.Column("price_per_hour", sa.Float(), nullable=True))
    op.create_table(
        "timings",
        sa.Column("simulation_id", SERIAL, autoincrement=False, nullable=False),
        sa.Column("super_study_id", sa.Text(), nullable=False),
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("gpu", sa.Text(), nullable=False),
        sa.Column("phantom", sa.Text(), nullable=False),
        sa.Column("frequency", sa.Text(), nullable=False),
        sa.Column("predicted_s", sa.Float(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("cached", sa.Boolean(), nullable=False),
        sa.Column("setup_s", sa.Float(), nullable=True),
        sa.Column("run_s", sa.Float(), nullable=True),
        sa.Column("extract_s", sa.Float(), nullable=True),
        sa.Column("learned_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["simulation_id"], ["simulations.id"], name=op.f("fk_timings_simulation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("simulation_id", name=op.f("pk_timings")),
    )
    op.create_index(op.f("ix_timings_learned_at"), "timings", ["learned_at"], unique=False)
    op.create_table(
        "study_history",
        sa.Column("super_study_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("done_weight", sa.Float(), nullable=False),
        sa.Column("p10_at", sa.BigInteger(), nullable=True),
        sa.Column("p50_at", sa.BigInteger(), nullable=True),
        sa.Column("p90_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["super_study_id"], ["super_studies.id"], name=op.f("fk_study_history_super_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("super_study_id", "at", name=op.f("pk_study_history")),
    )


def downgrade() -> None:
    op.drop_table("study_history")
    op.drop_table("timings")
    with op.batch_alter_table("workers") as workers:
        workers.drop_column("price_per_hour")
