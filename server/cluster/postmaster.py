"""The PostgreSQL server process, seen from outside: is it there, is it ours, make it end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def running_pid(pgdata: Path) -> int | None:
    """Process id of the postmaster that serves `pgdata`, None when there is none.

    ``postmaster.pid`` alone proves nothing: after a kill -9 it stays, and its number may belong to any other program by
    now. The process must be a PostgreSQL server that was started on this very directory.
    """
    pid = _recorded(pgdata)
    return pid if pid is not None and _serves(pid, pgdata) else None


def is_ready(pgdata: Path) -> bool:
    """Whether the postmaster has finished recovery and takes connections (last line of its pid file)."""
    try:
        lines = (pgdata / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


def remove_stale_pid_file(pgdata: Path) -> bool:
    """Remove a ``postmaster.pid`` whose process is not a postmaster of `pgdata`; True when there was one.

    Safe against a second server: PostgreSQL also refuses to start while processes of the previous run still use its
    shared memory, with or without this file.
    """
    if running_pid(pgdata) is not None:
        return False
    try:
        (pgdata / "postmaster.pid").unlink()
    except FileNotFoundError:
        return False
    return True


def end(pgdata: Path, fast: float = 60.0, immediate: float = 10.0) -> bool:
    """Stop the postmaster: connections are cut and everything is written; after `fast` seconds, without writing.

    Returns
    -------
    bool
        True when no postmaster is left.
    """
    for how, patience in ((signal.SIGINT, fast), (signal.SIGQUIT, immediate), (signal.SIGKILL, 5.0)):
        pid = running_pid(pgdata)
        if pid is None:
            return True
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if running_pid(pgdata) is None:
                return True
            time.sleep(0.02)
    return running_pid(pgdata) is None


def end_orphans(pgdata: Path) -> int:
    """Ask processes that outlived their postmaster to leave; returns how many there were.

    Call only when no postmaster runs on `pgdata`. Such a process notices by itself unless it is in the middle of long
    work; its changes are lost in any case, because recovery starts from the write-ahead log.
    """
    count = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            at_home = os.readlink(entry / "cwd") == str(pgdata)
            if at_home and (entry / "comm").read_text(encoding="utf-8").strip() in {"postgres", "postmaster"}:
                os.kill(int(entry.name), signal.SIGQUIT)
                count += 1
        except OSError:
            continue
    return count


def _recorded(pgdata: Path) -> int | None:
    try:
        first = (pgdata / "postmaster.pid").read_text(encoding="utf-8", errors="replace").split("\n", 1)[0]
    except OSError:
        return None
    return int(first) if first.strip().isdigit() else None


def _serves(pid: int, pgdata: Path) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    if os.path.basename(arguments[0]) not in {b"postgres", b"postmaster"} or b"-D" not in arguments:
        return False
    directory = arguments[arguments.index(b"-D") + 1]
    return os.path.realpath(directory) == os.fsencode(os.path.realpath(pgdata))
