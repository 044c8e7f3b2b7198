"""Fixtures: a real PostGIS, the application on it, and the same application served over real HTTP.

The database of a module is a copy of a migrated template; tests that need quiet make a project of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from server.app import create_app
from server.config import Settings
from server.database import migrate
from server.models import Project
from server.operations import projects
from tests.support.field import Field
from tests.support.postgres import TestCluster, template_cluster
from tests.support.server import LiveServer

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[TestCluster]:
    """A PostGIS cluster of this run."""
    with template_cluster() as started:
        yield started


@pytest.fixture(scope="session")
def template(cluster: TestCluster) -> str:
    """Address of a migrated, empty database to copy."""
    url = cluster.create_database()
    engine = sa.create_engine(url)
    migrate.upgrade(engine)
    engine.dispose()
    return url


@pytest.fixture(scope="module")
def database_url(cluster: TestCluster, template: str) -> Iterator[str]:
    """A migrated database for the tests of one module."""
    url = cluster.create_database(template)
    yield url
    cluster.drop(url)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a test server: quick passwords, a data directory of its own."""
    return quick_settings(tmp_path_factory.mktemp("data"))


def quick_settings(data_dir: Path) -> Settings:
    """Settings whose argon2 cost is the least the library takes."""
    return Settings(
        data_dir=data_dir, argon2_time=1, argon2_memory_kib=8, argon2_lanes=1, log_level="error", free_disk_mb=0
    )


@pytest.fixture(scope="module")
def app(settings: Settings, database_url: str) -> Iterator[Flask]:
    """The application in this process."""
    app = create_app(settings, database_url)
    yield app
    app.extensions["xiangtu.fast"].dispose()
    with app.app_context():
        from server.database import db

        db.engine.dispose()


@pytest.fixture
def context(app: Flask) -> Iterator[None]:
    """An application context for tests that call operations."""
    with app.app_context():
        yield


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client without network."""
    return app.test_client()


@pytest.fixture
def project(context: None) -> Project:
    """A project of this test's own."""
    return projects.create(f"测试乡 {next(_numbers)}")


@pytest.fixture
def field(app: Flask, client: FlaskClient, project: Project) -> Field:
    """Forms, phones and records in the test's project; see `tests.support.field.Field`."""
    return Field(app, client, project)


@pytest.fixture(scope="module")
def live(settings: Settings, database_url: str) -> Iterator[LiveServer]:
    """The application served by Granian on a loopback port, on the module's database."""
    with LiveServer(settings.data_dir, database_url) as server:
        yield server
