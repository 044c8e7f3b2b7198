"""The real command in processes of its own: serve on an embedded database, commands beside it and after it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from server.cluster import Cluster
from tests.support.server import ROOT, free_port

_CHILD_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("XIANGTU_") and name != "DATABASE_URL"},
    "PYTHONPATH": str(ROOT),
    "XIANGTU_LANGUAGE": "en",
    "XIANGTU_ARGON2_TIME": "1",
    "XIANGTU_ARGON2_MEMORY_KIB": "8",
    "XIANGTU_ARGON2_LANES": "1",
    "XIANGTU_WORKERS": "1",
}
_START = [sys.executable, "-c", "from server.cli import main; main()"]


def xiangtu(*words: str, data: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    environment = _CHILD_ENVIRONMENT | {"XIANGTU_DATA": str(data)} | more
    return subprocess.run(
        [*_START, *words], capture_output=True, text=True, env=environment, check=False, timeout=120, cwd=ROOT
    )


class Serving:
    """``xiangtu serve`` until its banner is complete."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = ""
        self._process = subprocess.Popen(
            [*_START, "serve", "--port", str(self.port), "--data", str(data)],
            stdout=subprocess.PIPE,
            stderr=(data.parent / "serve.log").open("w"),
            text=True,
            env=_CHILD_ENVIRONMENT,
            cwd=ROOT,
        )
        hanging = threading.Timer(120, self._process.kill)
        hanging.start()
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output += line
            if "Scan with ODK Collect" in line:
                break
        hanging.cancel()

    def stop(self) -> int:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(60)

    def kill(self) -> None:
        """The end of a test that failed."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("serving")
    for parent in (folder, *folder.parents):  # PostgreSQL's own user has to pass when root runs the tests
        if parent.name.startswith("pytest-") or parent == folder:
            parent.chmod(0o711)
    started = Serving(folder / "data")
    yield started
    started.kill()
    Cluster(started.data).stop()


def test_the_banner_tells_where_to_go(serving: Serving) -> None:
    assert serving.url in serving.output
    assert "admin@xiangtu.local" in serving.output
    assert serving.output.count("█") > 200
    login = serving.data / "admin-login.txt"
    assert login.stat().st_mode & 0o777 == 0o600
    password = re.search(r"^password: (.+)$", login.read_text("utf-8"), re.MULTILINE)
    assert password is not None
    assert password[1] in serving.output
    assert requests.get(f"{serving.url}/readyz", timeout=10).json()["status"] == "ok"


def test_commands_find_the_running_instance_by_its_folder(serving: Serving) -> None:
    done = xiangtu("app-user", "create", "--project", "1", "--name", "王小二", "--json", data=serving.data)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["server_url"].startswith(f"{serving.url}/v1/key/")
    listed = requests.get(f"{made['server_url']}/formList", headers={"X-OpenRosa-Version": "1.0"}, timeout=10)
    assert listed.status_code == 200
    assert (serving.data / "server.json").stat().st_mode & 0o777 == 0o600


def test_a_second_server_on_the_folder_is_refused(serving: Serving) -> None:
    second = xiangtu("serve", "--port", str(free_port()), data=serving.data)
    assert second.returncode == 1
    assert "Traceback" not in second.stderr
    assert requests.get(f"{serving.url}/healthz", timeout=10).status_code == 200


def test_after_the_server_commands_start_the_database_for_themselves(serving: Serving) -> None:
    assert serving.stop() == 0
    cluster = Cluster(serving.data)
    assert cluster.status().state == "stopped"
    counted = xiangtu("submissions", "count", "--project", "1", "--json", data=serving.data)
    assert counted.returncode == 0, counted.stderr
    assert json.loads(counted.stdout)["total"] == 0
    assert cluster.status().state == "stopped"
    # Its last address is still the one phones know.
    made = xiangtu("app-user", "create", "--project", "1", "--name", "n", "--json", data=serving.data)
    assert json.loads(made.stdout)["server_url"].startswith(f"{serving.url}/v1/key/")


def test_help_in_the_language_of_the_terminal(tmp_path: Path) -> None:
    english = xiangtu("--help", data=tmp_path)
    chinese = xiangtu("--help", data=tmp_path, XIANGTU_LANGUAGE="", LC_ALL="zh_CN.UTF-8")
    assert "Start the server, with its database." in english.stdout
    assert "启动" in chinese.stdout


def test_help_and_the_supervisor_load_no_framework() -> None:
    heavy = "{'flask', 'sqlalchemy', 'psycopg', 'lxml', 'alembic'}"
    for code in (
        f"from server.cli.root import run; run(['--help']); import sys; print(sys.modules.keys() & {heavy})",
        f"import server.cli.serving, sys; print(sys.modules.keys() & ({heavy} | {{'click', 'rich'}}))",
    ):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
        assert done.stdout.splitlines()[-1] == "set()"
