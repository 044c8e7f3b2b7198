"""Commands on a real instance: a data directory, a migrated database, and what a command printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server.cli.root import run


@dataclass(frozen=True)
class Printed:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def failure(self) -> dict[str, str]:
        """The JSON object of a failure."""
        assert self.out == ""
        failure: dict[str, str] = json.loads(self.err)
        return failure


Command = Callable[..., Printed]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a module's instance."""
    return tmp_path_factory.mktemp("instance")


@pytest.fixture
def xiangtu(
    data_dir: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Call it with the words of a command line; the instance has a database of its own."""
    environment = {
        "XIANGTU_DATA": str(data_dir),
        "DATABASE_URL": database_url,
        "XIANGTU_LANGUAGE": "en",
        "XIANGTU_ARGON2_TIME": "1",
        "XIANGTU_ARGON2_MEMORY_KIB": "8",
        "XIANGTU_ARGON2_LANES": "1",
        "XIANGTU_FREE_DISK_MB": "0",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def command(*words: object) -> Printed:
        capsys.readouterr()
        status = run([str(word) for word in words])
        printed = capsys.readouterr()
        return Printed(status, printed.out, printed.err)

    return command
