"""Patience with slow phones: a body that trickles in over a weak signal must not keep other phones from being answered.

Granian gives each request a thread from its first byte to its last and waits for a body without an end. So there are
many more threads than requests that work at once: whoever waits for bytes holds a thread, which costs little, and no
place among those that work and use the database. A phone that went out of reach in the middle of a body is found by
the kernel's keep-alive probes, which end its connection and free the thread.
"""

from __future__ import annotations

import io
import os
import socket
from _thread import LockType, allocate_lock
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SMALL_BODY = 256 * 1024
PROBE_AFTER, PROBE_EVERY, PROBES = 60, 15, 4  # a phone is given up after two minutes of silence


class Turnstile:
    """WSGI middleware: at most `places` requests work at once; waiting for a body's bytes is not work.

    Small bodies are read whole before the request takes its place; a large one gives its place back for each read.

    Parameters
    ----------
    app : WSGIApplication
        What works.
    places : int
        Requests that may work at once in this process.
    """

    def __init__(self, app: WSGIApplication, places: int) -> None:
        self._app = app
        self._places = Places(places)
        self._probing = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if not self._probing:
            self._probing = True
            probe_silent_connections()
        length = environ.get("CONTENT_LENGTH") or ""
        if length.isdecimal() and int(length) <= SMALL_BODY:
            if length != "0":
                environ["wsgi.input"] = io.BytesIO(_read_all(environ["wsgi.input"], int(length)))
        elif length or "HTTP_TRANSFER_ENCODING" in environ:
            environ["wsgi.input"] = _Body(environ["wsgi.input"], self._places)
        self._places.take()
        try:
            return self._app(environ, start_response)
        finally:
            self._places.give_back()


class Places:
    """So many places, handed on in the order in which they were asked for.

    A semaphore lets newcomers overtake those who wait: with more phones than places some wait ten times too long.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[LockType] = deque()
        self._lock = allocate_lock()

    def take(self) -> None:
        """Wait for a place."""
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = allocate_lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def give_back(self) -> None:
        """Leave the place to whoever has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1


class _Body(io.RawIOBase):
    """A request body whose reader gives its place to others while it waits."""

    def __init__(self, stream: IO[bytes], places: Places) -> None:
        self._stream = stream
        self._places = places

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self._places.give_back()
        try:
            return self._stream.read(size)
        finally:
            self._places.take()

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def _read_all(stream: IO[bytes], length: int) -> bytes:
    pieces = []
    while length > 0 and (piece := stream.read(length)):
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def probe_silent_connections(folder: Path = Path("/proc/self/fd")) -> int:
    """Have the kernel probe connections that will be accepted on this process's listening sockets.

    An accepted connection inherits these options. Linux only; elsewhere there is no `folder` and nothing happens.

    Returns
    -------
    int
        Listening sockets found.
    """
    found = 0
    for name in os.listdir(folder) if folder.is_dir() else ():
        with suppress(OSError):
            if not os.readlink(folder / name).startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as listener:
                if listener.family not in (socket.AF_INET, socket.AF_INET6):
                    continue
                if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    continue
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_AFTER)
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_EVERY)
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
                found += 1
    return found
