"""Alembic runs this for every migration; the connection and its transaction are the caller's."""

from alembic import context

from waggle.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot alter a table in place; Alembic then copies it.
    render_as_batch=True,
)
context.run_migrations()
