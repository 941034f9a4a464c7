"""The live run of a worker is found without a look at those behind it; what runs took is summed up by study."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels = None
depends_on = None

LIVE_RUN = sa.text("state IN ('claimed', 'running', 'unreachable')")
# A machine that was lost is only known to have worked until it was last heard.
ENDED = """
    INSERT INTO study_hours (super_study_id, worker_id, seconds)
    SELECT a.super_study_id, r.worker_id, sum(
        (CASE WHEN r.state = 'lost' THEN coalesce(r.last_sign_at, r.claimed_at) ELSE r.ended_at END - r.claimed_at)
        / 1e6
    )
    FROM runs AS r JOIN assignments AS a ON a.id = r.assignment_id
    WHERE r.ended_at IS NOT NULL GROUP BY a.super_study_id, r.worker_id
"""


def upgrade() -> None:
    op.create_index(
        "ix_runs_live_of_worker",
        "runs",
        ["worker_id"],
        unique=False,
        sqlite_where=LIVE_RUN,
        postgresql_where=LIVE_RUN,
    )
    op.create_table(
        "study_hours",
        sa.Column("super_study_id", sa.Text(), nullable=False),
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["super_study_id"], ["super_studies.id"], name=op.f("fk_study_hours_super_study_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["workers.id"], name=op.f("fk_study_hours_worker_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("super_study_id", "worker_id", name=op.f("pk_study_hours")),
    )
    op.execute(ENDED)


def downgrade() -> None:
    op.drop_table("study_hours")
    op.drop_index("ix_runs_live_of_worker", table_name="runs")
