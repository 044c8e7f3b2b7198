"""A running Xiangtu for a benchmark: the real command, the embedded durable cluster, a data directory of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_TICKS = os.sysconf("SC_CLK_TCK")
XIANGTU = Path(sys.executable).with_name("xiangtu")


@dataclass(frozen=True)
class Usage:
    """CPU seconds used so far by the server's processes and by PostgreSQL's."""

    server: float
    database: float

    def __sub__(self, earlier: Usage) -> Usage:
        return Usage(self.server - earlier.server, self.database - earlier.database)


class Instance:
    """``xiangtu serve`` on a loopback port; stopped and removed at the end."""

    def __enter__(self) -> Self:
        self.data = Path(tempfile.mkdtemp(prefix="xiangtu-bench-"))
        self.data.chmod(0o711)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.environment = {**os.environ, "XIANGTU_DATA": str(self.data), "XIANGTU_PORT": str(self.port)}
        self.environment.pop("DATABASE_URL", None)
        self._log = (self.data / "bench.log").open("wb")
        self.process = subprocess.Popen(
            [str(XIANGTU), "serve"], env=self.environment, stdout=self._log, stderr=self._log, start_new_session=True
        )
        deadline = time.monotonic() + 180
        while not self._ready():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError((self.data / "bench.log").read_text()[-4000:])
            time.sleep(0.2)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        self.process.wait(60)
        self._log.close()
        cluster = (self.data / "postgres").resolve()
        shutil.rmtree(self.data, ignore_errors=True)
        if cluster.parent != self.data:
            shutil.rmtree(cluster, ignore_errors=True)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return ("127.0.0.1", self.port)

    def command(self, *arguments: str) -> Any:
        """Run ``xiangtu … --json`` against it and return what it prints."""
        done = subprocess.run(
            [str(XIANGTU), *arguments, "--json"], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"xiangtu {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def usage(self) -> Usage:
        """CPU used so far."""
        server = sum(_cpu(pid) for pid in self._server_pids())
        return Usage(server, sum(_cpu(pid) for pid in self._postgres_pids()))

    def memory_mb(self) -> float:
        """Resident memory of the server's processes together (shared pages counted once a process), PostgreSQL not."""
        return sum(_resident_kb(pid) for pid in self._server_pids()) / 1024

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def _server_pids(self) -> list[int]:
        return [pid for pid in _descendants(self.process.pid) if not _is_postgres(pid)]

    def _postgres_pids(self) -> list[int]:
        first = int((self.data / "postgres" / "postmaster.pid").read_text().split()[0])
        return _descendants(first)


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _is_postgres(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().startswith("postgres")
    except OSError:
        return True


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / _TICKS  # own and of ended children


def _resident_kb(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0
