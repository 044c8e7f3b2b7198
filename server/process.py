"""Operating-system processes: children that do not outlive their parent, groups, ports."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Collection
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel send this process SIGTERM when the process that started it ends, however it ends.

    Needed in every worker, before it loads the application: after a kill -9 of the server's main process its workers
    would go on answering on the port. A worker is forked with handlers that only its parent can act on, so while it
    loads SIGTERM simply ends it; Granian sets its own handler when the application is there.
    Linux only; elsewhere it does nothing.

    Parameters
    ----------
    parent : int, optional
        Process id the parent must have. Without it, a worker of `multiprocessing` asks that module. When the parent is
        gone already, the signal is raised at once.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if parent is None and "multiprocessing" in sys.modules:
        started_by = sys.modules["multiprocessing"].parent_process()
        if started_by is not None:
            parent = started_by.pid
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def group_members(group: int, command: str | None = None) -> list[int]:
    """Living processes of a process group, zombies left out.

    Parameters
    ----------
    command : str, optional
        Text their command line must contain, so that a reused number hits nobody else.
    """
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name of the program, in parentheses, may hold anything; the fields after it are plain.
            state, _parent, its_group = (entry / "stat").read_bytes().rpartition(b")")[2].split()[:3]
            if int(its_group) != group or state == b"Z":
                continue
            if command is None or command.encode() in (entry / "cmdline").read_bytes():
                members.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return members


def end_group(group: int, patience: float, command: str | None = None, *, ask: bool = True) -> int:
    """Ask all processes of a group to end, and after `patience` seconds make them; returns how many there were.

    Parameters
    ----------
    command : str, optional
        As in `group_members`.
    ask : bool
        False when they have been asked already: a worker of Granian that gets SIGTERM twice drops its requests.
    """
    members = found = group_members(group, command)
    for how, seconds in ((signal.SIGTERM if ask else 0, patience), (signal.SIGKILL, 5.0)):
        for pid in members:
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + seconds
        while members and time.monotonic() < deadline:
            reap_strangers(())
            time.sleep(0.02)
            members = group_members(group, command)
    return len(found)


def reap_strangers(ours: Collection[int]) -> None:
    """Collect ended children that are not in `ours`: as process 1 of a container we inherit everybody's orphans.

    Children that this process started itself through `subprocess` are left for their `Popen`.
    """
    if os.getpid() != 1:
        return
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in ours:
            return
        try:
            os.waitpid(ended.si_pid, os.WNOHANG)
        except ChildProcessError:
            return


def bind_error(host: str, port: int) -> OSError | None:
    """Why nobody could listen on this address now; None when it is free.

    Granian's workers share their port (SO_REUSEPORT), so it would not notice another server of the same user there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as error:
        return error
    return None


def is_port_taken(error: OSError) -> bool:
    """Whether a `bind_error` means that another program listens there."""
    return error.errno == errno.EADDRINUSE


def answers_http(host: str, port: int, path: str = "/healthz", timeout: float = 2.0) -> bool:
    """Whether an HTTP server answers anything at all on this address."""
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104 - compared, not bound
        host = "::1" if host == "::" else "127.0.0.1"
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode("ascii"))
            return connection.recv(5) == b"HTTP/"
    except OSError:
        return False
