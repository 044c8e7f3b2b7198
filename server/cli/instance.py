"""The instance a command works on: found by its data directory, running or not."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.cli.failures import Failure
from server.cli.language import _
from server.config import Settings, load_settings

if TYPE_CHECKING:
    from flask import Flask

STATE_FILE = "server.json"
_KEPT = ("host", "port", "public_url", "database_url")


@dataclass(frozen=True, slots=True)
class Instance:
    """A data directory and what is known of its server.

    Attributes
    ----------
    settings : Settings
        As the server has them: address and database are those it was last started with.
    running : bool
        Whether its server runs now.
    """

    settings: Settings
    running: bool


def remember(settings: Settings) -> None:
    """Write down where this instance serves, for commands in other terminals. The file is for its owner only: a
    database address may hold a password."""
    state = {name: getattr(settings, name) for name in _KEPT}
    temporary = settings.data_dir / f".{STATE_FILE}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(state | {"origin": settings.server_origin()}, file, indent=2)
    temporary.rename(settings.data_dir / STATE_FILE)


def find() -> Instance:
    """The instance XIANGTU_DATA names.

    The address a running server has taken is the truth for QR codes; of one that is stopped, what this command's
    environment or ``xiangtu.toml`` says comes first.
    """
    settings = load_settings()
    running = _is_running(settings.data_dir)
    known = _read_state(settings.data_dir)
    if running:
        kept = known
    else:
        kept = {name: value for name, value in known.items() if name not in settings.origin}
        if {"host", "port", "public_url"} & settings.origin.keys():
            kept = {name: value for name, value in kept.items() if name == "database_url"}
    return Instance(replace(settings, **kept), running)


def _read_state(data_dir: Path) -> dict[str, Any]:
    try:
        state = json.loads((data_dir / STATE_FILE).read_text(encoding="utf-8"))
        return {name: state[name] for name in _KEPT}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _is_running(data_dir: Path) -> bool:
    """Whether a process that is alive holds the data directory's lock; the lock itself is not touched for asking."""
    try:
        pid = int((data_dir / "xiangtu.lock").read_text(encoding="ascii"))
        os.kill(pid, 0)
    except (OSError, ValueError) as error:
        return isinstance(error, PermissionError)
    try:
        return b"server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


@contextmanager
def application(*, create: bool = False) -> Iterator[Flask]:
    """The application in its context, with its database up.

    Parameters
    ----------
    create : bool
        Whether an empty data directory may become an instance.

    Raises
    ------
    Failure
        ``no_data`` when nothing was ever started there.
    """
    instance = find()
    with database(instance, create=create):
        from server.app import create_app

        settings = replace(instance.settings, log_level="critical", threads=2)
        app = create_app(settings)
        with app.app_context():
            try:
                yield app
            finally:
                _close(app)


def _close(app: Flask) -> None:
    from server.database import db

    db.session.remove()
    db.engine.dispose()
    app.extensions["xiangtu.fast"].dispose()


@contextmanager
def database(instance: Instance, *, create: bool = False) -> Iterator[str]:
    """The instance's database, started for as long as the block runs when nobody else has started it.

    Several commands may do this at once: the last one out stops the database, unless a server has begun meanwhile.
    """
    settings = instance.settings
    if settings.database_url:
        yield settings.database_url
        return
    from server.cluster import Cluster

    cluster = Cluster(settings.data_dir)
    if cluster.status().state == "absent" and not create:
        raise Failure(
            "no_data",
            _(
                "There is no Xiangtu data in %(folder)s. Start the server first (xiangtu serve), or name another "
                "folder with XIANGTU_DATA.",
                folder=settings.data_dir,
            ),
        )
    if instance.running:
        _wait_for_server(cluster)
        yield cluster.url
        return
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(settings.data_dir / "commands.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        _start(cluster, descriptor)
        try:
            yield cluster.url
        finally:
            _stop_when_last(cluster, descriptor)
    finally:
        os.close(descriptor)


def _start(cluster: Any, descriptor: int) -> None:
    """Start the cluster if it is down, and write down that a command did."""
    if cluster.is_alive():
        return
    cluster.ensure()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(cluster.status().pid).encode("ascii"), 0)


def _stop_when_last(cluster: Any, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # another command is at work; it stops the database when it ends
    started = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    if started and started == str(cluster.status().pid) and not _is_running(cluster.data_dir):
        cluster.stop()
        os.ftruncate(descriptor, 0)


def _wait_for_server(cluster: Any, patience: float = 30.0) -> None:
    """A running server brings a database that died back by itself; wait for that."""
    deadline = time.monotonic() + patience
    while cluster.status().state != "running" and time.monotonic() < deadline:
        time.sleep(0.1)
