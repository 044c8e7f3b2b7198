"""The doctor: a healthy instance, and each ailment with its remedy."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from server import doctor
from server.cluster import DataDirLock
from server.config import Settings
from server.doctor import Check, checks
from tests.support.postgres import TestCluster
from tests.support.server import free_port

Revisions = Callable[["psycopg.Connection[tuple[object, ...]]"], tuple[str | None, str | None]]


@pytest.fixture
def healthy(tmp_path: Path, cluster: TestCluster) -> Settings:
    """Settings on the test cluster, on a free port."""
    (tmp_path / "blobs").mkdir()
    return Settings(data_dir=tmp_path, database_url=cluster.cluster.url, port=free_port())


def examine(settings: Settings, revisions: Revisions | None = None) -> dict[str, Check]:
    return {check.name: check for check in checks(settings, revisions)}


def test_a_healthy_instance_has_nothing_to_mend(healthy: Settings) -> None:
    found = examine(healthy, lambda _connection: ("0001", "0001"))
    assert {name: check.ok for name, check in found.items()} == dict.fromkeys(
        (
            *("python", "data", "blobs", "disk", "database", "extensions", "database_clock", "migrations"),
            *("clock", "java", "fonts", "port"),
        ),
        "ok",
    )
    assert all(check.detail_zh and check.detail_en for check in found.values())


def test_an_instance_that_was_never_started_is_well(tmp_path: Path) -> None:
    found = examine(Settings(data_dir=tmp_path / "new", port=free_port()))
    assert {check.ok for check in found.values()} == {"ok"}
    assert "PostgreSQL" in found["database"].detail_zh
    assert not (tmp_path / "new").exists()


def test_every_ailment_comes_with_a_remedy_in_both_languages(
    healthy: Settings, monkeypatch: pytest.MonkeyPatch, cluster: TestCluster
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: shutil._ntuple_diskusage(100 << 30, 100 << 30, 1 << 20))
    monkeypatch.setattr(Path, "rglob", lambda _place, _pattern: iter(()))
    url = cluster.create_database()
    with psycopg.connect(cluster.admin_url(url).replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP EXTENSION postgis")
    (healthy.data_dir / "secret").write_text("x")
    (healthy.data_dir / "secret").chmod(0o644)
    with socket.socket() as other:
        other.bind(("127.0.0.1", healthy.port))
        other.listen()
        settings = Settings(data_dir=healthy.data_dir, database_url=url, port=healthy.port)
        found = examine(settings, lambda _connection: ("0001", "0002"))
    cluster.drop(url)
    grades = {name: check.ok for name, check in found.items() if check.ok != "ok"}
    assert grades == {
        "data": "warn",
        "disk": "fail",
        "extensions": "fail",
        "migrations": "fail",
        "java": "warn",
        "fonts": "warn",
        "port": "fail",
    }
    assert all(found[name].remedy_zh and found[name].remedy_en for name in grades)
    assert "CREATE EXTENSION postgis;" in found["extensions"].remedy_en


def test_an_unreachable_database_is_told_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://clerk:s3cret@127.0.0.1:{free_port()}/xiangtu"
    found = examine(Settings(data_dir=tmp_path, database_url=url, port=free_port()))
    assert found["database"].ok == "fail"
    assert "s3cret" not in str(found)
    assert "extensions" not in found


def test_another_major_version_is_told(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("9\n")
    found = examine(Settings(data_dir=tmp_path, port=free_port()))["database"]
    assert (found.ok, "PostgreSQL 9" in found.detail_zh, "postgresql-9" in found.remedy_en) == ("fail", True, True)


def test_our_own_server_on_the_port_is_well(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "answers_http", lambda _host, _port: True)
    with socket.socket() as server, DataDirLock(healthy.data_dir):
        server.bind(("127.0.0.1", healthy.port))
        server.listen()
        assert examine(healthy)["port"].ok == "ok"


def test_an_address_that_is_not_ours_is_told(healthy: Settings) -> None:
    settings = Settings(data_dir=healthy.data_dir, database_url=healthy.database_url, host="192.0.2.1")
    assert examine(settings)["port"].ok == "fail"


@pytest.mark.parametrize(("year", "grade"), [(1999, "fail"), (2025, "fail"), (2026, "ok")])
def test_a_clock_without_battery_is_told(year: int, grade: str) -> None:
    assert doctor._clock(datetime(year, 3, 1, tzinfo=UTC)).ok == grade


def test_a_folder_that_cannot_be_written_is_told(healthy: Settings) -> None:
    # Also root cannot write here: the folder is no folder.
    shutil.rmtree(healthy.blob_dir)
    healthy.blob_dir.write_text("")
    found = examine(healthy)["blobs"]
    assert (found.ok, os.strerror(20) in found.detail_en) == ("fail", True)
