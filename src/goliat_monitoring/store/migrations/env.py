"""Run by Alembic for each command. The connection is the caller's, so that a migration is one transaction of it."""

from alembic import context

from goliat_monitoring.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    # SQLite cannot alter most things of a table: Alembic makes a new one and copies.
    render_as_batch=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
