"""Simulations know whether they were learned from: those that were not are found without a look at the others."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision: str | None = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("simulations") as simulations:
        simulations.add_column(sa.Column("learned", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.execute("UPDATE simulations SET learned = true WHERE id IN (SELECT simulation_id FROM timings)")
    to_learn = sa.text("state = 'done' AND NOT learned")
    op.create_index("ix_simulations_to_learn", "simulations", ["id"], sqlite_where=to_learn, postgresql_where=to_learn)


def downgrade() -> None:
    op.drop_index("ix_simulations_to_learn", "simulations")
    with op.batch_alter_table("simulations") as simulations:
        simulations.drop_column("learned")
