"""The live run of a worker is found without a look at those behind it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels = None
depends_on = None

LIVE_RUN = sa.text("state IN ('claimed', 'running', 'unreachable')")


def upgrade() -> None:
    op.create_index(
        "ix_runs_live_of_worker",
        "runs",
        ["worker_id"],
        unique=False,
        sqlite_where=LIVE_RUN,
        postgresql_where=LIVE_RUN,
    )


def downgrade() -> None:
    op.drop_index("ix_runs_live_of_worker", table_name="runs")
