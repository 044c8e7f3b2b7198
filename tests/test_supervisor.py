"""The supervisor as an operator meets it: a real process with a real PostgreSQL and a real Granian below it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.cluster import Cluster, postmaster
from server.process import answers_http, bind_error, end_group, group_members
from tests.support.postgres import has_ended
from tests.support.server import free_port

ROOT = Path(__file__).resolve().parents[1]
APPLICATION = "tests.support.tiny_app:app"
SCRIPT = f"""
import sys
from server import supervisor
from server.config import load_settings
said = [sys.executable, "-c", "print('WELCOME', flush=True)"]
sys.exit(supervisor.run(load_settings(), sys.argv[1:], said, {APPLICATION!r}))
"""
PREPARED = (sys.executable, "-c", "print('PREPARED', flush=True)")


class Serving:
    """One data directory and the supervisor on it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.output = data_dir.parent / "output"
        self.process: subprocess.Popen[bytes] | None = None
        self.environment: dict[str, str] = {}

    def start(self, prepare: tuple[str, ...] = PREPARED) -> subprocess.Popen[bytes]:
        """Start it in a session of its own, as a terminal would; does not wait."""
        environment = {**os.environ, "XIANGTU_DATA": str(self.data_dir), "XIANGTU_PORT": str(self.port)}
        environment |= {"PYTHONPATH": str(ROOT)} | self.environment
        environment.pop("DATABASE_URL", None)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SCRIPT, *prepare],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self.process

    def started(self) -> subprocess.Popen[bytes]:
        """Start it and wait until it answers."""
        process = self.start()
        self.until(lambda: answers_http("127.0.0.1", self.port) and "WELCOME" in self.said())
        return process

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal it and wait for its end."""
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(40)

    def until(self, what: Callable[[], object], patience: float = 40.0) -> None:
        """Wait for something; the time only bounds a failure."""
        deadline = time.monotonic() + patience
        while not what():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain; the supervisor said:\n{self.said()}")
            time.sleep(0.02)

    def said(self) -> str:
        """What it printed."""
        return self.output.read_text(encoding="utf-8") if self.output.exists() else ""

    def group(self) -> int:
        """Process group of Granian."""
        return int((self.data_dir / "server.pid").read_text())

    def worker(self) -> int:
        """Process id of a worker, as it says itself."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b""
            while part := connection.recv(4096):
                answer += part
        return int(answer.rpartition(b"\r\n")[2])

    def serves(self) -> bool:
        return answers_http("127.0.0.1", self.port)

    def database(self) -> Cluster:
        return Cluster(self.data_dir)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A data directory whose cluster has been made, so that only one test waits for that."""
    folder = Path(tempfile.mkdtemp(prefix="xiangtu-test-"))
    folder.chmod(0o711)
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def serving(made: Path) -> Iterator[Serving]:
    """Nothing is started yet; whatever a test leaves running is ended."""
    serving = Serving(made)
    yield serving
    if serving.process is not None and serving.process.poll() is None:
        serving.process.kill()
        serving.process.wait()
    if (made / "server.pid").exists():
        end_group(serving.group(), 0.0, APPLICATION)
    postmaster.end(serving.database().places.pgdata)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_and_stops_cleanly(serving: Serving, how: signal.Signals) -> None:
    process = serving.started()
    group, pid = serving.group(), serving.database().status().pid
    assert serving.said().index("PREPARED") < serving.said().index("WELCOME")
    assert _memory(process.pid) < 35 << 20
    process.send_signal(how)
    assert serving.stop(how) == 0  # a second Ctrl-C does no harm
    assert group_members(group) == []
    assert has_ended(pid)
    assert bind_error("127.0.0.1", serving.port) is None
    assert "Traceback" not in serving.said()
    log = (serving.data_dir / "log" / "supervisor.log").read_text(encoding="utf-8")
    assert "已停止 · Stopped" in log


def test_killed_workers_servers_and_databases_come_back(serving: Serving) -> None:
    serving.started()
    database = serving.database()

    worker = serving.worker()
    os.kill(worker, signal.SIGKILL)
    serving.until(lambda: serving.serves() and len(group_members(serving.group())) == 3)

    first = serving.group()
    os.kill(first, signal.SIGKILL)
    serving.until(lambda: serving.group() != first and serving.serves())
    assert group_members(first) == []  # no worker of the dead server still takes connections

    before = database.status().pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    serving.until(lambda: database.status().pid not in (None, before) and database.status().state == "running")
    assert database.psql("SELECT 1") == "1"
    assert serving.serves()
    assert serving.said().count("WELCOME") == 1
    assert serving.stop() == 0


def test_after_kill_9_of_the_supervisor_the_next_start_needs_no_help(serving: Serving) -> None:
    process = serving.started()
    group, postgres = serving.group(), serving.database().status().pid
    os.kill(serving.worker(), signal.SIGSTOP)  # one worker that cannot obey
    process.kill()
    process.wait()
    serving.started()
    assert group_members(group) == []
    assert serving.database().status().pid == postgres
    assert serving.stop() == 0
    assert serving.database().status().state == "stopped"


def test_a_second_server_on_the_same_data_is_refused(serving: Serving) -> None:
    process = serving.started()
    second = Serving(serving.data_dir)
    second.output = serving.output.with_name("second")
    assert second.start().wait(20) == 1
    assert f"进程 {process.pid}" in second.said()
    assert "PORT=" in second.said()
    assert serving.serves()
    assert serving.stop() == 0


def test_a_taken_port_is_named(serving: Serving) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", serving.port))
        other.listen()
        assert serving.start().wait(30) == 1
    assert f"make run PORT={serving.port + 1}" in serving.said()
    assert not serving.database().is_alive()


def test_a_failed_preparation_ends_the_start(serving: Serving) -> None:
    assert serving.start((sys.executable, "-c", "raise SystemExit(3)")).wait(30) == 1
    assert "3" in serving.said()
    assert not serving.database().is_alive()


def test_a_stop_during_preparation_is_obeyed(serving: Serving) -> None:
    process = serving.start((sys.executable, "-c", "import time; print('SLOW', flush=True); time.sleep(600)"))
    serving.until(lambda: "SLOW" in serving.said())
    assert process.poll() is None
    assert serving.stop(signal.SIGINT) == 0
    assert not serving.database().is_alive()


def test_a_server_that_never_comes_up_is_given_up(serving: Serving) -> None:
    serving.environment = {"PYTHONPATH": f"{ROOT}", "XIANGTU_TINY_APP_BROKEN": "1"}
    assert serving.start().wait(40) == 1
    assert "tiny_app is broken" in serving.said()
    assert "服务无法启动" in serving.said()
    assert not serving.database().is_alive()


def test_with_a_database_elsewhere_none_is_started(tmp_path: Path) -> None:
    serving = Serving(tmp_path / "data")
    script = SCRIPT.replace(
        "load_settings()", "load_settings({'XIANGTU_DATA': sys.argv.pop(1), 'DATABASE_URL': 'postgresql://x/y'})"
    )
    script = script.replace("sys.argv[1:], said", "['true'], ['false']")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "xiangtu.toml").write_text(f"port = {serving.port}\n")
    process = subprocess.Popen([sys.executable, "-c", script, str(serving.data_dir)], cwd=ROOT, env=environment)
    serving.process = process
    serving.until(serving.serves)
    assert not (serving.data_dir / "postgres").exists()
    assert serving.stop() == 0


def _memory(pid: int) -> int:
    """Resident bytes of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
