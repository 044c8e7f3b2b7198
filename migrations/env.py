"""Alembic's environment. Always run through `server.database.migrate`, which hands over an open connection."""

from __future__ import annotations

from typing import Any

from alembic import context
from geoalchemy2 import alembic_helpers

import server.models  # noqa: F401 - registers the tables
from server.database import Base


def include_object(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Leave PostGIS's own tables alone."""
    return bool(alembic_helpers.include_object(item, name, kind, reflected, compare_to))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_object=include_object,
    process_revision_directives=alembic_helpers.writer,
    render_item=alembic_helpers.render_item,
    compare_server_default=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
