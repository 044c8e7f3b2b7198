"""Between the database's start and the server's: from nothing to a first administrator, and nothing twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from server import prepare
from server.app import create_app
from server.config import Settings
from server.database import db
from server.operations import app_users, people, projects
from tests.conftest import quick_settings
from tests.support.postgres import TestCluster


@pytest.fixture(scope="module")
def empty(cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An instance with a database without tables, prepared once."""
    url = cluster.create_database()
    settings = replace(quick_settings(tmp_path_factory.mktemp("prepare")), database_url=url)
    prepare.prepare(settings)
    yield settings
    cluster.drop(url)


@pytest.fixture(autouse=True)
def _a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tests run under, people are watching."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    monkeypatch.delenv("XIANGTU_QUIET", raising=False)


def rows(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(settings.database_url.replace("+psycopg", "")) as connection:
        return connection.execute(sql.encode()).fetchall()


def password(settings: Settings) -> str:
    found = re.search(r"^password: (.+)$", prepare.login_file(settings).read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_first_start_makes_an_administrator_and_a_project(empty: Settings) -> None:
    assert prepare.login_file(empty).stat().st_mode & 0o777 == 0o600
    app = create_app(empty)
    with app.app_context():
        user = people.check_password(prepare.ADMIN_EMAIL, password(empty))
        assert user.last_login_at is None
        (project,) = projects.listing()
        assert (project.id, project.name) == (1, "默认项目")
        assert [phone.actor.display_name for phone in app_users.listing(1)] == ["演示采集员"]
        db.engine.dispose()


def test_the_next_start_changes_nothing(empty: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows(empty, "SELECT count(*), max(id) FROM audit_log")
    first = password(empty)
    monkeypatch.setattr(prepare, "_complete", None)  # the slow way is not taken
    prepare.prepare(empty)
    assert rows(empty, "SELECT count(*), max(id) FROM audit_log") == before
    assert password(empty) == first


def test_a_new_version_goes_the_slow_way_and_still_changes_no_data(empty: Settings) -> None:
    (empty.data_dir / "prepared.json").unlink()
    before = rows(empty, "SELECT count(*), max(id) FROM audit_log")
    prepare.prepare(empty)
    assert rows(empty, "SELECT count(*), max(id) FROM audit_log") == before
    assert (empty.data_dir / "prepared.json").exists()


@pytest.mark.parametrize("name", ["JOURNAL_STREAM", "XIANGTU_QUIET"])
def test_no_secrets_where_output_is_kept(empty: Settings, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    shown = prepare.banner(empty)
    assert empty.server_origin() in shown
    assert password(empty) not in shown
    assert "█" not in shown


def test_the_password_is_shown_until_it_was_used(empty: Settings) -> None:
    assert password(empty) in prepare.banner(empty)
    app = create_app(empty)
    with app.app_context():
        people.log_in(prepare.ADMIN_EMAIL, password(empty))
        db.engine.dispose()
    shown = prepare.banner(empty)
    assert password(empty) not in shown
    assert str(prepare.login_file(empty)) in shown


def test_a_revoked_first_phone_is_not_shown_any_more(empty: Settings) -> None:
    app = create_app(empty)
    with app.app_context():
        (phone,) = app_users.listing(1)
        app_users.revoke(1, phone.actor_id)
        db.engine.dispose()
    shown = prepare.banner(empty)
    assert "█" not in shown
    assert "xiangtu app-user create" in shown


def test_a_missing_extension_names_the_order_to_run(
    cluster: TestCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = cluster.create_database("template1")
    monkeypatch.setenv("XIANGTU_DATA", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setattr("sys.argv", ["prepare"])
    assert prepare.main() == 1
    told = capsys.readouterr().err
    assert "CREATE EXTENSION postgis" in told
    assert "Traceback" not in told
    cluster.drop(url)
