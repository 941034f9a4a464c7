"""For the overview: since when a worker has a trouble, how busy its GPU was, and indexes of what is counted."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"
branch_labels = None
depends_on = None

FAILED = sa.text("state = 'FAILED'")
COMPLETED = sa.text("state = 'COMPLETED'")


def upgrade() -> None:
    with op.batch_alter_table("workers") as workers:
        workers.add_column(sa.Column("conditions", sa.Text(), server_default="{}", nullable=False))
        workers.add_column(sa.Column("gpu_trace", sa.Text(), nullable=True))
    for name, column, where in (
        ("ix_assignments_failed", "updated_at", FAILED),
        ("ix_assignments_completed", "completed_at", COMPLETED),
    ):
        op.create_index(name, "assignments", [column], unique=False, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_index("ix_assignments_completed", "assignments")
    op.drop_index("ix_assignments_failed", "assignments")
    with op.batch_alter_table("workers") as workers:
        workers.drop_column("gpu_trace")
        workers.drop_column("conditions")
