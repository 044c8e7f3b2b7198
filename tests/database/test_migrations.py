"""Migrations: from nothing, back to nothing, and no table that the models do not know."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from geoalchemy2 import alembic_helpers

import server.models  # noqa: F401 - registers the tables
from server.database import Base, migrate
from tests.support.postgres import TestCluster


def tables(engine: sa.Engine) -> set[str]:
    return set(sa.inspect(engine).get_table_names()) - {"spatial_ref_sys"}


def test_up_and_down_again(cluster: TestCluster) -> None:
    url = cluster.create_database()
    engine = sa.create_engine(url)
    assert tables(engine) == set()
    migrate.upgrade(engine)
    assert tables(engine) == set(Base.metadata.tables) | {"alembic_version"}
    with engine.connect() as connection:
        assert migrate.current_revision(connection) == migrate.head_revision()
    migrate.downgrade(engine)
    assert tables(engine) == {"alembic_version"}
    migrate.upgrade(engine)
    assert tables(engine) == set(Base.metadata.tables) | {"alembic_version"}
    engine.dispose()
    cluster.drop(url)


def test_migrating_again_changes_nothing(template: str) -> None:
    engine = sa.create_engine(template)
    before = tables(engine)
    migrate.upgrade(engine)
    assert tables(engine) == before
    engine.dispose()


def test_the_models_and_the_migrations_agree(template: str) -> None:
    engine = sa.create_engine(template)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": alembic_helpers.include_object, "compare_type": True}
        )
        differences = compare_metadata(context, Base.metadata)
    engine.dispose()
    assert differences == []


def test_servers_that_start_together_migrate_once(cluster: TestCluster) -> None:
    url = cluster.create_database()
    engines = [sa.create_engine(url) for _ in range(4)]
    errors: list[BaseException] = []

    def start(engine: sa.Engine) -> None:
        try:
            migrate.upgrade(engine)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=start, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert tables(engines[0]) == set(Base.metadata.tables) | {"alembic_version"}
    for engine in engines:
        engine.dispose()
    cluster.drop(url)


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"]
)
def test_the_audit_log_is_append_only(template: str, statement: str) -> None:
    engine = sa.create_engine(template)
    with engine.connect() as connection:
        connection.execute(sa.text("INSERT INTO audit_log (action) VALUES ('user.create')"))
        with pytest.raises(sa.exc.ProgrammingError, match="append-only"):
            connection.execute(sa.text(statement))
        connection.rollback()
    engine.dispose()


def test_roles_have_centrals_ids(template: str) -> None:
    engine = sa.create_engine(template)
    with engine.connect() as connection:
        roles = {row.system: row.id for row in connection.execute(sa.text("SELECT system, id FROM role"))}
    engine.dispose()
    assert roles == {"admin": 1, "app-user": 2, "manager": 5, "formfill": 6, "viewer": 7}
