"""Phones with a weak signal: others are answered while their bodies trickle in."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from flask import Flask

from server.config import Settings
from server.operations import projects
from server.patience import PROBE_AFTER, Turnstile
from server.process import end_group
from server.supervisor import granian_command
from tests.support.field import Field, record
from tests.support.phones import MULTIPART, body, file_part, post, request, xml_part
from tests.support.server import ROOT, free_port

SLOW = 80  # far more than the threads that work: 2 workers with 6 each
PHOTO = b"x" * 30_000


@pytest.fixture(scope="module")
def served(app: Flask, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Field, str]]:
    """The application as the supervisor starts it, and a phone's server URL there."""
    data_dir: Path = app.config["SETTINGS"].data_dir
    settings = Settings(data_dir=data_dir, port=free_port())
    environment = {**os.environ, "XIANGTU_DATA": str(data_dir), "DATABASE_URL": database_url, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(granian_command(settings), cwd=ROOT, env=environment, start_new_session=True)
    with app.app_context():
        field = Field(app, app.test_client(), projects.create("信号弱的乡"))
        field.publish()
        url = f"http://127.0.0.1:{settings.port}"
        while process.poll() is None:
            try:
                requests.get(f"{url}/readyz", timeout=5).raise_for_status()
                break
            except requests.RequestException:
                time.sleep(0.05)
        yield field, field.base(url)
    process.terminate()
    process.wait(30)
    end_group(process.pid, 1.0)


def begin(base: str, path: str, content: bytes) -> socket.socket:
    """A connection on which all but the body's last 2,000 bytes have been sent."""
    place = base.removeprefix("http://").partition("/")[0].split(":")
    connection = socket.create_connection((place[0], int(place[1])), timeout=60)
    connection.sendall(request("POST", path, content, [b"Content-Type: " + MULTIPART])[:-2_000])
    return connection


def test_others_are_answered_while_many_bodies_trickle_in(served: tuple[Field, str]) -> None:
    field, base = served
    contents = [body(xml_part(record(photo="a.jpg")), file_part("a.jpg", PHOTO)) for _ in range(SLOW - 4)]
    # Some above the size that is read whole before the request takes its place.
    contents += [body(xml_part(record(photo="a.jpg")), file_part("a.jpg", PHOTO * 40)) for _ in range(4)]
    waiting = [begin(base, f"{field.base()}/submission", content) for content in contents]
    for _ in range(10):
        assert requests.get(f"{base}/formList", timeout=30).status_code == 200
        assert post(base, body(xml_part(record()))).status == 201
    assert field.count() == 10
    for connection, content in zip(waiting, contents, strict=True):
        connection.sendall(content[-2_000:])
    for connection in waiting:
        assert connection.recv(12) == b"HTTP/1.1 201"
        connection.close()
    assert field.count() == 10 + SLOW


def test_the_kernel_looks_for_phones_that_went_out_of_reach(served: tuple[Field, str]) -> None:
    field, base = served
    content = body(xml_part(record()))
    waiting = [begin(base, f"{field.base()}/submission", content + b" " * 2_000) for _ in range(8)]
    ports = {connection.getsockname()[1] for connection in waiting}
    deadline = time.monotonic() + 20
    while (
        not (probed := ports & keep_alive_timers(int(base.split(":")[2].partition("/")[0])))
        and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    assert probed
    for connection in waiting:
        connection.close()


def keep_alive_timers(port: int) -> set[int]:
    """Remote ports of the server's connections on which the kernel's keep-alive timer runs (proc(5), tcp)."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, _, timer = line.split()[:6]
        kind, left = timer.split(":")
        within = int(left, 16) <= (PROBE_AFTER + 1) * os.sysconf("SC_CLK_TCK")
        if int(local.split(":")[1], 16) == port and state == "01" and kind == "02" and within:
            found.add(int(remote.split(":")[1], 16))
    return found


def test_no_more_work_at_once_than_there_are_places() -> None:
    working, most, lock, everyone = 0, 0, threading.Lock(), threading.Event()

    def application(environ: dict[str, object], _start: object) -> list[bytes]:
        nonlocal working, most
        environ["wsgi.input"].read()  # type: ignore[attr-defined]
        with lock:
            working += 1
            most = max(most, working)
        everyone.wait(0.05)
        with lock:
            working -= 1
        return [b""]

    class Body:
        def __init__(self) -> None:
            self.left = 3

        def read(self, _size: int = -1) -> bytes:
            time.sleep(0.01)
            self.left -= 1
            return b"x" * 100_000 if self.left >= 0 else b""

    turnstile = Turnstile(application, 2)  # type: ignore[arg-type]
    lengths = ["", "0", "100000", "300000"] * 3
    threads = [
        threading.Thread(target=turnstile, args=({"CONTENT_LENGTH": length, "wsgi.input": Body()}, None))
        for length in lengths
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2
    assert working == 0
