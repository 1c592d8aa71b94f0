"""Runs the migrations on the backend's connection, or on an address given to alembic."""

from alembic import context
from sqlalchemy import Connection, create_engine

from hmz_backend.database.tables import Base


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _migrate(given)
else:
    address = context.config.get_main_option("sqlalchemy.url")
    with create_engine(address or "sqlite://").begin() as made:
        _migrate(made)
