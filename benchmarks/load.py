"""A load generator that costs little: one thread, epoll, kept connections, requests built beforehand.

It shares the cores with the server and the database it measures, so each microsecond here is taken from them.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass
class Result:
    """What a run gave: requests answered, seconds, latencies in seconds, answers by status."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Requests answered a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Latency in milliseconds below which `share` of the answers came."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0


class _Connection:
    __slots__ = ("answer", "outgoing", "socket", "started")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.answer = b""
        self.outgoing = memoryview(b"")
        self.started = 0.0


def run(address: tuple[str, int], requests: Iterator[bytes], connections: int, seconds: float) -> Result:
    """Send `requests` over `connections` at once until `seconds` are over or they are used up.

    Parameters
    ----------
    address : tuple[str, int]
        Host (loopback) and port.
    requests : Iterator[bytes]
        Whole HTTP/1.1 requests, each taken once.
    """
    result = Result()
    selector = selectors.EpollSelector()
    begin = time.perf_counter()
    end = begin + seconds
    active = 0
    for _number in range(connections):
        request = next(requests, None)
        if request is None:
            break
        connection = _Connection(address)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        active += 1
        _send(selector, connection, request)
    while active:
        for key, events in selector.select(timeout=30):
            connection = key.data
            if events & selectors.EVENT_WRITE:
                _go_on(selector, connection)
            if events & selectors.EVENT_READ and _receive(connection, result):
                request = next(requests, None) if time.perf_counter() < end else None
                if request is None:
                    selector.unregister(connection.socket)
                    connection.socket.close()
                    active -= 1
                else:
                    _send(selector, connection, request)
    result.seconds = time.perf_counter() - begin
    return result


def _send(selector: selectors.BaseSelector, connection: _Connection, request: bytes) -> None:
    connection.started = time.perf_counter()
    connection.answer = b""
    connection.outgoing = memoryview(request)
    _go_on(selector, connection)


def _go_on(selector: selectors.BaseSelector, connection: _Connection) -> None:
    try:
        sent = connection.socket.send(connection.outgoing)
    except BlockingIOError:
        sent = 0
    was_waiting = bool(selector.get_key(connection.socket).events & selectors.EVENT_WRITE)
    connection.outgoing = connection.outgoing[sent:]
    waiting = len(connection.outgoing) > 0
    if waiting != was_waiting:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if waiting else 0)
        selector.modify(connection.socket, events, connection)


def _receive(connection: _Connection, result: Result) -> bool:
    data = connection.socket.recv(1 << 18)
    if not data:
        raise ConnectionError("the server closed a connection")
    connection.answer = connection.answer + data if connection.answer else data
    head, separator, body = connection.answer.partition(b"\r\n\r\n")
    if not separator:
        return False
    length = _LENGTH.search(head)
    if length is not None and len(body) < int(length[1]):
        return False
    result.latencies.append(time.perf_counter() - connection.started)
    status = int(head[9:12])
    result.statuses[status] = result.statuses.get(status, 0) + 1
    return True
