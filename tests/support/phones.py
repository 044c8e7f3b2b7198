"""Phones that behave badly, all at once, or stubbornly: raw HTTP, crowds that start together, retries until 201."""

from __future__ import annotations

import hashlib
import http.client
import random
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit
from xml.etree import ElementTree

from tests.support.field import record

T = TypeVar("T")
BOUNDARY = b"phone-of-the-field"
MULTIPART = b"multipart/form-data; boundary=" + BOUNDARY


def part(disposition: bytes, content: bytes, content_type: bytes = b"image/jpeg") -> bytes:
    """One part of a multipart body, its delimiter before it."""
    head = b"--" + BOUNDARY + b"\r\nContent-Disposition: form-data; " + disposition
    return head + b"\r\nContent-Type: " + content_type + b"\r\n\r\n" + content + b"\r\n"


def xml_part(xml: bytes) -> bytes:
    """The record itself."""
    return part(b'name="xml_submission_file"; filename="record.xml"', xml, b"text/xml")


def file_part(name: str | bytes, content: bytes) -> bytes:
    """A media file as Collect sends it: the part's name is the file's."""
    quoted = name.encode() if isinstance(name, str) else name
    return part(b'name="' + quoted + b'"; filename="' + quoted + b'"', content)


def body(*parts: bytes, end: bytes = b"--" + BOUNDARY + b"--\r\n") -> bytes:
    """Parts as a multipart body."""
    return b"".join(parts) + end


@dataclass(frozen=True)
class Answer:
    """What came back: status 0 when the connection ended without an answer."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def message(self) -> str:
        """What the enumerator reads; an AssertionError when there is no OpenRosa message."""
        found = ElementTree.fromstring(self.content).find("{http://openrosa.org/http/response}message")
        assert found is not None
        return found.text or ""


def exchange(
    url: str, request: bytes, patience: float = 30.0, then: Callable[[socket.socket], object] | None = None
) -> Answer:
    """Send bytes as they are over a connection of their own and read one answer."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname or "", place.port or 80), timeout=patience) as connection:
        with suppress(ConnectionError):  # a server may answer and close before it has read everything
            connection.sendall(request)
            if then is not None:
                then(connection)
        answer = http.client.HTTPResponse(connection, method=request.split(b" ", 1)[0].decode("ascii", "replace"))
        try:
            answer.begin()
            content = answer.read()
        except (http.client.HTTPException, ConnectionError):
            return Answer(0, {}, b"")
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)


def request(
    method: str, path: str | bytes, content: bytes = b"", headers: Sequence[bytes] = (), host: bytes = b"xiangtu.test"
) -> bytes:
    """An HTTP/1.1 request; `headers` are whole lines. A Content-Length is added when no line gives one."""
    path = path if isinstance(path, bytes) else path.encode()
    lines = [method.encode() + b" " + path + b" HTTP/1.1", b"Host: " + host, b"X-OpenRosa-Version: 1.0", *headers]
    framed = any(re.match(rb"(?i)(content-length|transfer-encoding):", line) for line in headers)
    if content and not framed:
        lines.append(b"Content-Length: %d" % len(content))
    return b"\r\n".join([*lines, b"Connection: close", b"", content])


def post(base: str, content: bytes, content_type: bytes = MULTIPART, headers: Sequence[bytes] = ()) -> Answer:
    """POST a body to the submission address of a phone whose server URL is `base`."""
    path = f"{urlsplit(base).path}/submission?deviceID=collect%3Atest"
    return exchange(base, request("POST", path, content, [b"Content-Type: " + content_type, *headers]))


def together(acts: Sequence[Callable[[], T]]) -> list[T]:
    """Run all at once: each in a thread, released by one barrier. Results in the order given."""
    barrier = threading.Barrier(len(acts))
    results: list[T | BaseException] = [RuntimeError("did not run")] * len(acts)

    def run(index: int) -> None:
        barrier.wait(30)
        try:
            results[index] = acts[index]()
        except BaseException as error:  # given to the test below
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done


@dataclass
class Outgoing:
    """A finished record on a phone, with its photos."""

    instance_id: str
    xml: bytes
    files: dict[str, bytes]

    def posts(self, accept_length: int) -> Iterator[bytes]:
        """Bodies as Collect splits them: the same XML each time, files up to the accepted length."""
        batches: list[list[tuple[str, bytes]]] = [[]]
        size = len(self.xml)
        for name, content in self.files.items():
            if batches[-1] and size + len(content) > accept_length:
                batches.append([])
                size = len(self.xml)
            batches[-1].append((name, content))
            size += len(content)
        for batch in batches:
            marks = [part(b'name="*isIncomplete*"', b"yes", b"text/plain")] if batch is not batches[-1] else []
            yield body(xml_part(self.xml), *marks, *(file_part(name, content) for name, content in batch))

    @property
    def sums(self) -> dict[str, str]:
        """MD5 of each file by name."""
        return {name: hashlib.md5(content, usedforsecurity=False).hexdigest() for name, content in self.files.items()}


def outgoing(number: int, photos: int = 2, size: int = 6_000) -> Outgoing:
    """A record with photos whose bytes are its own."""
    instance_id = f"uuid:{uuid.UUID(int=random.getrandbits(128), version=4)}"
    noise = random.Random(instance_id)
    files = {f"{instance_id[5:13]}-{i}.jpg": noise.randbytes(size + noise.randrange(size)) for i in range(photos)}
    xml = record(instance_id, household=f"H-{number:05}", photo=next(iter(files), ""))
    return Outgoing(instance_id, xml, files)


@dataclass
class StubbornPhone:
    """Sends its records one after the other, the same bytes again until each is answered 201, as Collect does.

    Parameters
    ----------
    base : str
        Server URL in the phone's settings.
    records : Sequence[Outgoing]
        What it has to send.
    accept_length : int
        What the server accepts in one POST.
    give_up : threading.Event
        Ends a hopeless run.
    """

    base: str
    records: Sequence[Outgoing]
    accept_length: int
    give_up: threading.Event
    confirmed: list[Outgoing] = field(default_factory=list)
    odd: list[Answer] = field(default_factory=list)
    tries: int = 0

    def run(self) -> None:
        """Send everything; `confirmed` are the records of which every POST was answered 201."""
        for record_ in self.records:
            for content in record_.posts(self.accept_length):
                if not self._until_received(content):
                    return
            self.confirmed.append(record_)

    def _until_received(self, content: bytes) -> bool:
        while not self.give_up.is_set():
            self.tries += 1
            try:
                answer = post(self.base, content)
            except OSError:  # nobody listens, or the connection broke
                answer = Answer(0, {}, b"")
            if answer.status == 201:
                return True
            if answer.status not in {0, 503}:
                self.odd.append(answer)
            time.sleep(0.05)
        return False
