"""Run by Alembic: uses the connection that `store.schema` hands over."""

from alembic import context

from aerodrome.store.schema import RENDERING
from aerodrome.store.tables.registry import all_tables

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=all_tables(),
    render_as_batch=connection.dialect.name == "sqlite" and not context.config.attributes.get("is_generating"),
    transactional_ddl=True,
    compare_type=True,
    **RENDERING,
)
with context.begin_transaction():
    context.run_migrations()
