"""The whole product in a test: the supervisor as ``xiangtu serve`` runs it, with its PostgreSQL and its Granian."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import requests

from server.cluster import Cluster, postmaster
from server.process import end_group, group_members
from tests.support.server import ROOT, free_port


class Supervised:
    """One data directory and the supervisor on it.

    Parameters
    ----------
    data_dir : Path
        Made when missing; PostgreSQL's user must be able to pass the folders above it.
    options : str
        Further settings, e.g. ``XIANGTU_ACCEPT_LENGTH="20000"``.
    """

    def __init__(self, data_dir: Path, output: Path, **options: str) -> None:
        self.data_dir = data_dir
        self.output = output
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._environment = {
            **os.environ,
            "XIANGTU_DATA": str(data_dir),
            "XIANGTU_PORT": str(self.port),
            "XIANGTU_LOG_LEVEL": "warning",
            "XIANGTU_ARGON2_TIME": "1",
            "XIANGTU_ARGON2_MEMORY_KIB": "8",
            "XIANGTU_ARGON2_LANES": "1",
            "XIANGTU_FREE_DISK_MB": "0",
            "PYTHONPATH": str(ROOT),
            **options,
        }
        self._environment.pop("DATABASE_URL", None)

    def start(self) -> None:
        """Start it and wait until it answers and its database does."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "server.supervisor"],
                cwd=ROOT,
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.until(self.ready, 120.0)

    def ready(self) -> bool:
        """Whether it answers and its database does."""
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def until(self, what: Callable[[], object], patience: float = 60.0) -> None:
        """Wait for something; the time only bounds a failure."""
        deadline = time.monotonic() + patience
        while not what():
            if time.monotonic() > deadline or self.process is None or self.process.poll() is not None:
                raise AssertionError(f"waited in vain; it said:\n{self.said()[-8000:]}")
            time.sleep(0.05)

    def said(self) -> str:
        """What it and its server printed."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def server(self) -> int:
        """Process id of Granian's main process."""
        return int((self.data_dir / "server.pid").read_text())

    def workers(self) -> list[int]:
        """Process ids of Granian's workers."""
        group = self.server()
        return [pid for pid in group_members(group) if pid != group]

    def postmaster(self) -> int | None:
        """Process id of PostgreSQL."""
        return Cluster(self.data_dir).status().pid

    def kill(self) -> None:
        """End the supervisor alone, with -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Stop it cleanly; when it is gone already, end what it left."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
        if (self.data_dir / "server.pid").exists():
            end_group(self.server(), 0.0, "server.wsgi:app")
        postmaster.end(Cluster(self.data_dir).places.pgdata, fast=5.0)
