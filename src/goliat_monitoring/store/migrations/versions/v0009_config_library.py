"""A library of configs, settings that people change at run time, prices by GPU model, names of tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "library_configs",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("extends", sa.Text(), server_default="", nullable=False),
        sa.Column("stored_by", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_library_configs")),
        sa.UniqueConstraint("name_key", name=op.f("uq_library_configs_name_key")),
    )
    op.create_table(
        "stored_settings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("stored_by", sa.Text(), server_default="", nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_stored_settings")),
    )
    op.create_table(
        "gpu_prices",
        sa.Column("gpu", sa.Text(), nullable=False),
        sa.Column("price_per_hour", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gpu", name=op.f("pk_gpu_prices")),
    )
    with op.batch_alter_table("super_studies") as studies:
        studies.add_column(sa.Column("sources", sa.Text(), server_default="[]", nullable=False))
    with op.batch_alter_table("credentials") as credentials:
        credentials.add_column(sa.Column("label", sa.Text(), server_default="", nullable=False))
        credentials.add_column(sa.Column("created_by", sa.Text(), server_default="", nullable=False))
        credentials.add_column(sa.Column("used_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("credentials") as credentials:
        credentials.drop_column("used_at")
        credentials.drop_column("created_by")
        credentials.drop_column("label")
    with op.batch_alter_table("super_studies") as studies:
        studies.drop_column("sources")
    op.drop_table("gpu_prices")
    op.drop_table("stored_settings")
    op.drop_table("library_configs")
