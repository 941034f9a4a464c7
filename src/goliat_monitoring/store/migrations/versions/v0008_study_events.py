"""Events of a study are found by it, also those about its assignments and their runs."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision: str | None = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        sa.text(
            "UPDATE events SET super_study_id = (SELECT assignments.super_study_id FROM assignments "
            "WHERE assignments.id = events.assignment_id) "
            "WHERE super_study_id IS NULL AND assignment_id IS NOT NULL"
        )
    )
    op.create_index(op.f("ix_events_super_study_id"), "events", ["super_study_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_events_super_study_id"), "events")
