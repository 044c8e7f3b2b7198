"""The real server over real HTTP: Granian in processes of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class LiveServer:
    """Granian serving the application.

    Parameters
    ----------
    data_dir : Path
        Data directory, shared with an in-process application when there is one.
    database_url : str
        A migrated database.
    options : str
        Further settings, e.g. ``XIANGTU_ACCEPT_LENGTH="20000"``.
    """

    def __init__(self, data_dir: Path, database_url: str, **options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data_dir / f"server-{self.port}.log"
        self._environment = {
            **os.environ,
            "XIANGTU_DATA": str(data_dir),
            "DATABASE_URL": database_url,
            "XIANGTU_ARGON2_TIME": "1",
            "XIANGTU_ARGON2_MEMORY_KIB": "8",
            "XIANGTU_ARGON2_LANES": "1",
            "XIANGTU_FREE_DISK_MB": "0",
            "PYTHONPATH": str(ROOT),
            **options,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "granian", "--interface", "wsgi", "server.wsgi:app", "--host", "127.0.0.1",
                    "--port", str(self.port), "--workers", "2", "--blocking-threads", "6", "--no-ws", "--http", "1",
                    "--log-level", "error",
                ],
                cwd=ROOT, env=self._environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if requests.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            except requests.RequestException:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"the server did not start:\n{self.log.read_text()}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it and its workers."""
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, how)
            self._process.wait(20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process = None
