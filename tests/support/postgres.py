"""A throw-away PostGIS for tests: one cluster a pytest session, a database a test or module by copying a template."""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg

from server.cluster import Cluster
from server.cluster.settings import ADMIN_ROLE, DATABASE, PORT, ROLE

_PREFIX = "xiangtu-test-pg-"


class TestCluster:
    """A non-durable cluster under the temporary directory.

    ``create_database()`` gives a database with the extensions and no tables. To spare every test the migrations, make
    one database, migrate it, and pass its address as `template` from then on.
    """

    __test__ = False  # the name is for people; pytest must not collect it

    def __init__(self) -> None:
        _remove_leftovers()
        self.directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self.directory.chmod(0o711)  # PostgreSQL's own user has to pass when root runs the tests
        (self.directory / "owner").write_text(str(os.getpid()), encoding="ascii")
        self.cluster = Cluster(self.directory / "data", durable=False)
        self._numbers = itertools.count(1)
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def start(self) -> TestCluster:
        """Make and start the cluster; it is stopped and removed at the latest when Python ends."""
        atexit.register(self.stop)
        self.cluster.ensure()
        self._connection = psycopg.connect(
            host=str(self.cluster.places.socket_dir), port=PORT, user=ADMIN_ROLE, dbname="postgres", autocommit=True
        )
        return self

    def create_database(self, template: str | None = None) -> str:
        """A new database.

        Parameters
        ----------
        template : str, optional
            SQLAlchemy address or name of the database to copy; connections to it are ended. Default: extensions only.

        Returns
        -------
        str
            SQLAlchemy address for the server's (unprivileged) role.
        """
        source = _name(template) if template else DATABASE
        name = f"t{os.getpid()}_{next(self._numbers)}"
        self._end_connections(source)
        self._execute(f'CREATE DATABASE "{name}" OWNER {ROLE} TEMPLATE "{source}" STRATEGY file_copy')
        return self.cluster.url_for(name)

    def admin_url(self, url: str) -> str:
        """Address of the same database for the superuser."""
        return self.cluster.url_for(_name(url), ADMIN_ROLE)

    def drop(self, url: str) -> None:
        """Remove a database; connections to it are ended."""
        self._execute(f'DROP DATABASE IF EXISTS "{_name(url)}" WITH (FORCE)')

    def stop(self) -> None:
        """Stop the cluster and remove its files; harmless when repeated."""
        atexit.unregister(self.stop)
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        _remove(self.directory)

    def _execute(self, sql: str) -> None:
        if self._connection is None:
            raise RuntimeError("start() comes first")
        self._connection.execute(sql.encode("utf-8"))

    def _end_connections(self, name: str) -> None:
        if self._connection is None:
            raise RuntimeError("start() comes first")
        sql = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
        self._connection.execute(sql, [name])


@contextmanager
def template_cluster() -> Iterator[TestCluster]:
    """A started `TestCluster` for a session fixture; stopped and removed afterwards."""
    cluster = TestCluster().start()
    try:
        yield cluster
    finally:
        cluster.stop()


def ask(cluster: Cluster, sql: str) -> object:
    """One value, asked as the server would: through the driver, in its unprivileged role."""
    with psycopg.connect(cluster.url.replace("+psycopg", ""), autocommit=True) as connection:
        row = connection.execute(sql.encode()).fetchone()
        return row[0] if row else None


def order(cluster: Cluster, sql: str) -> None:
    """Run one statement, as the server would."""
    with psycopg.connect(cluster.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(sql.encode())


def has_ended(pid: int | None) -> bool:
    """Whether a process has ended, collected by its parent or not."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() == b""
    except FileNotFoundError:
        return True


def _name(url_or_name: str) -> str:
    if "://" not in url_or_name:
        return url_or_name
    return unquote(urlsplit(url_or_name).path.lstrip("/"))


def _remove(directory: Path) -> None:
    cluster = Cluster(directory / "data", durable=False)
    cluster.stop()
    run = directory / "data" / "run"
    if run.is_symlink():
        shutil.rmtree(os.readlink(run), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


def _remove_leftovers() -> None:
    """End clusters of test runs that were killed."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            owner = int((directory / "owner").read_text(encoding="ascii"))
            if directory.stat().st_uid == os.geteuid() and not Path(f"/proc/{owner}").exists():
                _remove(directory)
        except (OSError, ValueError):
            continue
