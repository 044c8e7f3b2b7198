"""The embedded cluster against real PostgreSQL: made, kept, broken in every way we know, mended."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from server.cluster import Cluster, ClusterError, DataDirLock
from server.cluster.binaries import find_binaries
from server.cluster.errors import explain
from server.cluster.lock import exclusive
from server.cluster.places import SOCKET_PATH_LIMIT
from server.cluster.settings import ident_conf, postgresql_conf
from tests.support.postgres import ask, order

GIB = 1 << 30


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    """One cluster with everything set up, for tests that leave it as they found it."""
    folder = Path(tempfile.mkdtemp(prefix="xiangtu-test-"))
    folder.chmod(0o711)
    cluster = Cluster(folder / "data", durable=False)
    cluster.ensure()
    yield cluster
    cluster.stop()
    shutil.rmtree(folder)


@pytest.fixture
def cluster(shared: Cluster) -> Iterator[Cluster]:
    """The shared cluster, stopped before and after."""
    shared.stop()
    yield shared
    shared.stop()


def kill_postmaster(cluster: Cluster) -> int:
    pid = cluster.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while cluster.is_alive():
        time.sleep(0.01)
    return pid


def test_first_start_makes_a_private_durable_database(place: Path) -> None:
    said: list[str] = []
    cluster = Cluster(place / "data")
    assert cluster.status().state == "absent"
    cluster.ensure(said.append)
    assert cluster.status().state == "running"
    assert len(said) == 3
    assert ask(cluster, "SELECT current_user || ' ' || current_database()") == "xiangtu xiangtu"
    assert ask(cluster, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert ask(cluster, "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()") == "xiangtu"
    wanted = {
        "listen_addresses": "",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "default_toast_compression": "lz4",
        "wal_compression": "lz4",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
        "jit": "off",
        "log_lock_waits": "on",
        "log_parameter_max_length": "0",
        "log_error_verbosity": "terse",
    }
    assert {name: ask(cluster, f"SHOW {name}") for name in wanted} == wanted
    assert str(ask(cluster, "SELECT postgis_version()")) >= "3.3"
    assert ask(cluster, "SELECT count(*) FROM pg_extension WHERE extname IN ('pg_trgm', 'btree_gist')") == 2
    assert ask(cluster, "SELECT 'b' < '中' AND 'B' < 'a'") is True
    assert (cluster.status().pgdata.stat().st_mode & 0o777, cluster.status().pgdata.stat().st_uid != 0) == (0o700, True)
    cluster.stop()
    assert cluster.status().state == "stopped"


def test_data_stays_across_restarts(cluster: Cluster) -> None:
    cluster.ensure()
    order(cluster, "CREATE TABLE kept (name text)")
    order(cluster, "INSERT INTO kept VALUES ('青山村')")
    cluster.stop()
    assert not cluster.is_alive()
    cluster.ensure()
    cluster.ensure()
    assert ask(cluster, "SELECT name FROM kept") == "青山村"
    order(cluster, "DROP TABLE kept")


def test_a_killed_postmaster_is_replaced_and_committed_rows_are_there(place: Path) -> None:
    cluster = Cluster(place / "data")  # durable, as in the field
    cluster.ensure()
    order(cluster, "CREATE TABLE kept (n int)")
    order(cluster, "INSERT INTO kept SELECT generate_series(1, 1000)")
    busy = psycopg.connect(cluster.url.replace("+psycopg", ""))
    busy.execute("INSERT INTO kept VALUES (0)")
    kill_postmaster(cluster)
    assert cluster.restart_if_dead() is True
    assert cluster.restart_if_dead() is False
    assert ask(cluster, "SELECT count(*) FROM kept") == 1000
    busy.close()


def test_backends_that_outlive_their_postmaster_are_waited_for_and_ended(cluster: Cluster) -> None:
    cluster.ensure()
    connection = psycopg.connect(cluster.url.replace("+psycopg", ""), autocommit=True)
    backend = connection.info.backend_pid
    os.kill(backend, signal.SIGSTOP)  # cannot notice by itself that its postmaster has gone
    thaw = threading.Timer(1.5, os.kill, [backend, signal.SIGCONT])
    thaw.start()
    said: list[str] = []
    try:
        kill_postmaster(cluster)
        assert Path(f"/proc/{backend}").exists()
        cluster.ensure(said.append)
    finally:
        thaw.join()
    assert any("Waiting for the previous run" in text for text in said)
    assert ask(cluster, "SELECT 1") == 1
    connection.close()


@pytest.mark.parametrize("holder", ["nobody", "another program", "this test"])
def test_a_stale_pid_file_does_not_stop_the_start(cluster: Cluster, holder: str) -> None:
    cluster.ensure()
    kill_postmaster(cluster)
    pid_file = cluster.status().pgdata / "postmaster.pid"
    other = subprocess.Popen(["sleep", "60"])
    gone = subprocess.Popen(["true"])
    gone.wait()
    number = {"nobody": gone.pid, "another program": other.pid, "this test": os.getpid()}[holder]
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(number), *lines[1:]]) + "\n")
    try:
        assert cluster.status().state == "stopped"
        cluster.ensure()
        assert ask(cluster, "SELECT 1") == 1
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_running_postmaster_of_a_killed_server_is_taken_over(cluster: Cluster) -> None:
    cluster.ensure()
    before = cluster.status().pid
    successor = Cluster(cluster.data_dir, durable=False)
    successor.ensure()
    assert successor.status().pid == before
    successor.stop()
    assert not cluster.is_alive()


def test_another_major_version_is_named_and_nothing_is_touched(cluster: Cluster) -> None:
    version = cluster.status().pgdata / "PG_VERSION"
    real = version.read_text()
    version.write_text("9\n")
    with pytest.raises(ClusterError) as caught:
        cluster.ensure()
    assert "PostgreSQL 9" in caught.value.message
    assert "属于" in caught.value.message
    assert "postgresql-9-postgis-3" in caught.value.remedy
    assert version.read_text() == "9\n"
    version.write_text(real)
    cluster.ensure()
    assert ask(cluster, "SELECT 1") == 1


def test_an_interrupted_first_start_is_begun_again(place: Path) -> None:
    cluster = Cluster(place / "data", durable=False)
    (place / "data").mkdir(mode=0o711)
    (place / "data" / "postgres.new").mkdir()
    (place / "data" / "postgres.new" / "PG_VERSION").write_text("15\n")
    cluster.ensure()
    assert ask(cluster, "SELECT 1") == 1
    assert not (place / "data" / "postgres.new").exists()


def test_missing_role_database_and_extensions_are_made_again(cluster: Cluster) -> None:
    cluster.ensure()
    cluster.psql("DROP DATABASE xiangtu; DROP ROLE xiangtu;")
    cluster.ensure()
    assert ask(cluster, "SELECT count(*) FROM pg_extension WHERE extname IN ('postgis', 'pg_trgm', 'btree_gist')") == 3


def test_the_socket_of_a_long_path_is_elsewhere(place: Path) -> None:
    deep = place / ("很长的目录名" * 8)
    deep.mkdir(mode=0o711)
    cluster = Cluster(deep / "数据 '$HOME'", durable=False)
    cluster.ensure()
    assert len(os.fsencode(cluster.places.socket_dir)) < SOCKET_PATH_LIMIT
    assert cluster.places.socket_dir.stat().st_mode & 0o077 == 0
    assert ask(cluster, "SELECT 1") == 1
    assert Cluster(cluster.data_dir).url == cluster.url


def test_a_wrong_setting_is_explained(cluster: Cluster) -> None:
    local = cluster.status().pgdata / "local.conf"
    local.write_text("shared_buffers = 'plenty'\n")
    local.chmod(0o644)
    with pytest.raises(ClusterError, match=r"local\.conf"):
        cluster.ensure()
    local.write_text("work_mem = '3MB'\n")
    cluster.ensure()
    assert ask(cluster, "SHOW work_mem") == "3MB"
    local.unlink()


def test_a_full_disk_is_explained(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage("/")._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: full)
    with pytest.raises(ClusterError) as caught:
        cluster.ensure()
    assert "磁盘已满" in caught.value.message
    monkeypatch.undo()
    cluster.ensure()
    assert ask(cluster, "SELECT 1") == 1


def test_secrets_do_not_reach_the_log(cluster: Cluster) -> None:
    cluster.ensure()
    order(cluster, "CREATE TABLE person (token text UNIQUE)")
    with psycopg.connect(cluster.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("INSERT INTO person VALUES (%s)", ["s3cret-token"])
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO person VALUES (%s)", ["s3cret-token"])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE ROLE reader PASSWORD 's3cret-password'")
    cluster.stop()
    cluster.ensure()
    order(cluster, "DROP TABLE person")
    logs = "".join(file.read_text() for file in cluster.places.log_dir.glob("*.log"))
    assert "duplicate key" in logs
    assert "permission denied" in logs
    assert "s3cret" not in logs


def test_one_server_a_data_directory(tmp_path: Path) -> None:
    with DataDirLock(tmp_path):
        with pytest.raises(ClusterError) as caught:
            DataDirLock(tmp_path).acquire()
        assert str(os.getpid()) in caught.value.message
        child = subprocess.Popen(["sleep", "60"])  # a child must not inherit the lock
    try:
        with DataDirLock(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()


def test_two_commands_take_turns(tmp_path: Path) -> None:
    with exclusive(tmp_path / "lock"), pytest.raises(ClusterError) as caught, exclusive(tmp_path / "lock", 0.2):
        raise AssertionError("the second one came in")
    assert caught.value.retry


@pytest.mark.parametrize(
    ("memory", "buffers", "work"),
    [(GIB, "128MB", "4MB"), (4 * GIB, "512MB", "16MB"), (8 * GIB, "1024MB", "32MB"), (64 * GIB, "2048MB", "64MB")],
)
def test_memory_follows_the_machine(memory: int, buffers: str, work: str) -> None:
    text = _conf(memory=memory)
    assert f"shared_buffers = '{buffers}'" in text
    assert f"\nwork_mem = '{work}'" in text


def test_settings_fit_small_disks_containers_and_odd_builds() -> None:
    text = _conf(free_disk=GIB, shm=64 << 20, lz4=False, log_dir=Path("/data/it's\\here"))
    assert "max_wal_size = '256MB'" in text
    assert "dynamic_shared_memory_type = 'mmap'" in text
    assert "lz4" not in text
    assert r"log_directory = '/data/it''s\\here'" in text


def _conf(
    memory: int = 8 * GIB,
    free_disk: int = 100 * GIB,
    shm: int = GIB,
    log_dir: Path = Path("/log"),
    lz4: bool = True,
) -> str:
    return postgresql_conf(
        memory=memory,
        free_disk=free_disk,
        shm=shm,
        log_dir=log_dir,
        socket_dir=Path("/run"),
        lz4=lz4,
        durable=True,
    )


def test_only_plain_user_names_enter_the_map() -> None:
    assert 'xiangtu "李 雷" xiangtu\n' in ident_conf(["李 雷"])
    assert "evil" not in ident_conf(['evil" xiangtu_admin', "evil\nxiangtu root xiangtu"])


@pytest.mark.parametrize(
    ("output", "word"),
    [
        ("FATAL:  could not write lock file: No space left on device", "腾出空间"),
        ("PANIC:  could not fsync file: Read-only file system", "只读"),
        ("FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use", "还没有退出"),
        ("FATAL:  could not map anonymous shared memory: Cannot allocate memory", "内存不足"),
        ("FATAL:  data directory has invalid permissions", "权限不对"),
        ("could not open file: Permission denied", "没有读写"),
        ("PANIC:  could not locate a valid checkpoint record", "从备份恢复"),
        ("something nobody has seen", "something nobody has seen"),
    ],
)
def test_what_postgres_says_becomes_advice(output: str, word: str) -> None:
    error = explain(output, Path("/data/postgres"))
    assert word in str(error)
    assert all(len(text.splitlines()) >= 2 for text in (error.message, error.remedy))


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XIANGTU_PG_BIN", str(tmp_path))
    with pytest.raises(ClusterError, match="XIANGTU_PG_BIN"):
        find_binaries()
    real = find_binaries_without(monkeypatch)
    monkeypatch.setenv("XIANGTU_PG_BIN", str(real))
    assert find_binaries().has_postgis


def find_binaries_without(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("XIANGTU_PG_BIN")
    return find_binaries().directory


def test_a_socket_path_taken_by_another_user_is_refused(cluster: Cluster) -> None:
    taken = cluster.data_dir / "run"
    shutil.rmtree(taken)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(taken))
        with pytest.raises(ClusterError):
            cluster.ensure()
    taken.unlink()
    cluster.ensure()
    assert ask(cluster, "SELECT 1") == 1
