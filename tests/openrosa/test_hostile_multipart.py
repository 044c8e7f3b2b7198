"""Hostile and broken multipart, against the served application: what is sent, and what is answered."""

from __future__ import annotations

import hashlib
import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from server.operations import forms
from tests.openrosa.conftest import Ground, assert_refused
from tests.support.field import record
from tests.support.phones import BOUNDARY, MULTIPART, body, exchange, file_part, part, post, request, xml_part

PHOTO = bytes(range(256)) * 12


def good() -> bytes:
    return body(xml_part(record(photo="a.jpg")), file_part("a.jpg", PHOTO))


# ------------------------------------------------------------------------------------------------ framing

BROKEN = {
    # what is sent: (body, Content-Type, status, code)
    "empty": (b"", MULTIPART, 400, "400.1"),
    "no parts": (body(), MULTIPART, 400, "400.7"),
    "only a delimiter": (b"--" + BOUNDARY + b"\r\n", MULTIPART, 400, "400.1"),
    "no record": (body(file_part("a.jpg", PHOTO)), MULTIPART, 400, "400.7"),
    "record under another name": (
        body(part(b'name="XML_SUBMISSION_FILE"; filename="r.xml"', record())),
        MULTIPART,
        400,
        "400.7",
    ),
    "another boundary": (good(), b"multipart/form-data; boundary=another", 400, "400.1"),
    "lines ended by LF": (good().replace(b"\r\n", b"\n"), MULTIPART, 400, "400.1"),
    "no boundary": (good(), b"multipart/form-data", 400, "400.6"),
    "empty boundary": (good(), b"multipart/form-data; boundary=", 400, "400.6"),
    "boundary of 100 kB": (good(), b"multipart/form-data; boundary=" + b"b" * 100_000, 400, "400.1"),
    "boundary with a tab": (good(), b'multipart/form-data; boundary="a\tb"', 400, "400.1"),
    "boundary that is no text": (good(), b"multipart/form-data; boundary=\xff\xfe", 400, "400.6"),
    "mixed": (good(), MULTIPART.replace(b"form-data", b"mixed"), 400, "400.6"),
    "XML alone": (record(), b"text/xml", 400, "400.6"),
    "form": (b"a=b", b"application/x-www-form-urlencoded", 400, "400.6"),
    "JSON": (b"{}", b"application/json", 400, "400.6"),
    "a type of semicolons": (good(), b";;;", 400, "400.6"),
    "part without a name": (
        body(xml_part(record()), b"--" + BOUNDARY + b"\r\nContent-Type: a/b\r\n\r\nx\r\n"),
        MULTIPART,
        400,
        "400.1",
    ),
    "part with a header that is none": (
        body(xml_part(record()), b"--" + BOUNDARY + b"\r\ngarbage\r\n\r\nx\r\n"),
        MULTIPART,
        400,
        "400.1",
    ),
    "part with 20 headers": (
        body(xml_part(record()), part(b'name="a"; filename="a"' + b"\r\nX-A: b" * 20, b"x")),
        MULTIPART,
        400,
        "400.1",
    ),
    "part with a header of 100 kB": (
        body(xml_part(record()), part(b'name="a"; filename="' + b"a" * 100_000 + b'"', b"x")),
        MULTIPART,
        400,
        "400.1",
    ),
    "part that lies about its length": (
        body(xml_part(record()), part(b'name="a"; filename="a"\r\nContent-Length: 9999', b"x")),
        MULTIPART,
        400,
        "400.1",
    ),
    "1,001 parts": (body(xml_part(record()), part(b'name="f"', b"x") * 1_000), MULTIPART, 400, "400.1"),
    "field of 100 kB": (body(xml_part(record()), part(b'name="f"', b"x" * 100_000)), MULTIPART, 400, "400.8"),
    "record after a file, cut off": (
        body(file_part("a.jpg", PHOTO), xml_part(record())[:-200], end=b""),
        MULTIPART,
        400,
        "400.1",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_it_is_refused_and_nothing_is_written(ground: Ground, what: str) -> None:
    content, content_type, status, code = BROKEN[what]
    before = ground.state()
    assert_refused(ground, before, ground.post(content, content_type), status, code)


def cuts() -> list[tuple[str, int]]:
    """Where a body can be cut off: inside and at the edges of every kind of byte it has."""
    whole = good()
    head, xml, second, content = (
        whole.index(b"\r\n\r\n"),
        whole.index(b"<?xml"),
        whole.index(b'a.jpg"; f'),
        whole.index(PHOTO),
    )
    end = whole.rindex(b"--" + BOUNDARY)
    places = {
        "before everything": 0,
        "in the first delimiter": 5,
        "after the first delimiter": len(BOUNDARY) + 2,
        "between its CR and LF": len(BOUNDARY) + 3,
        "in the part's head": head - 10,
        "after the head": head,
        "in the blank line": head + 2,
        "before the XML": xml,
        "in the XML": xml + 200,
        "in the second head": second,
        "before the file": content,
        "in the file": content + 1_000,
        "after the file": content + len(PHOTO),
        "before the last delimiter": end,
        "in the last delimiter": end + 6,
        "after the last boundary": end + len(BOUNDARY) + 2,
        "between its hyphens": end + len(BOUNDARY) + 3,
    }
    return [*places.items()]


@pytest.mark.parametrize(("where", "length"), cuts())
def test_a_body_cut_off_anywhere_leaves_nothing(ground: Ground, where: str, length: int) -> None:
    before = ground.state()
    assert_refused(ground, before, ground.post(good()[:length]), 400, "400.1")


def test_a_body_that_lacks_only_its_last_line_end_is_whole(ground: Ground) -> None:
    assert ground.post(good()[:-2]).status == 201


@pytest.mark.parametrize("reset", [False, True])
def test_a_phone_that_goes_away_leaves_nothing(ground: Ground, reset: bool) -> None:
    before = ground.state()
    headers = [b"Content-Type: " + MULTIPART, b"Content-Length: 3000000"]
    sent = body(xml_part(record(photo="a.jpg")), file_part("a.jpg", b"x" * 900_000), end=b"")
    with socket.create_connection(("127.0.0.1", ground.live.port)) as connection:
        connection.sendall(request("POST", f"{ground.path}/submission", sent[:-2], headers))
        wait_until(lambda: ground.state()["incoming files"] == 1)
        if reset:  # as a phone does whose application is ended
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: ground.state() == before)


def wait_until(what: Callable[[], bool]) -> None:
    """Wait for something; the time only bounds a failure."""
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# ------------------------------------------------------------------------------------------------ sizes


def large() -> Iterator[bytes]:
    yield xml_part(record()) + part(b'name="a.jpg"; filename="a.jpg"', b"")[:-2]
    for _ in range(200):
        yield b"x" * 1_000_000
    yield b"\r\n--" + BOUNDARY + b"--\r\n"


def test_200_mb_are_refused_before_they_are_sent(ground: Ground) -> None:
    before = ground.state()
    headers = [b"Content-Type: " + MULTIPART, b"Content-Length: 200000000"]
    answer = exchange(
        ground.base, request("POST", f"{ground.path}/submission", body(xml_part(record()), end=b""), headers)
    )
    assert_refused(ground, before, answer, 413, "413.1")


def test_200_mb_without_a_length_are_refused_on_the_way(ground: Ground) -> None:
    before = ground.state()
    response = requests.post(
        f"{ground.base}/submission", data=large(), headers={"Content-Type": MULTIPART.decode()}, timeout=60
    )
    assert response.status_code == 413
    assert response.headers["X-OpenRosa-Version"] == "1.0"
    assert ground.state() == before


def test_a_stranger_is_refused_before_a_large_body_is_read(ground: Ground) -> None:
    before = ground.state()
    headers = [b"Content-Type: " + MULTIPART, b"Content-Length: 100000000"]
    path = f"/v1/key/{'z' * 64}/projects/{ground.field.project.id}/submission"
    answer = exchange(ground.base, request("POST", path, body(xml_part(record()), end=b""), headers))
    assert_refused(ground, before, answer, 403, "403.1")


def test_a_length_below_the_body_s_is_a_cut_off_body(ground: Ground) -> None:
    before = ground.state()
    assert_refused(ground, before, ground.post(good(), MULTIPART, b"Content-Length: 500"), 400, "400.1")


def test_a_length_above_the_body_s_is_a_cut_off_body(ground: Ground) -> None:
    before = ground.state()
    headers = [b"Content-Type: " + MULTIPART, b"Content-Length: %d" % len(good())]
    message = request("POST", f"{ground.path}/submission", good()[:-100], headers)
    answer = exchange(ground.base, message, then=lambda connection: connection.shutdown(socket.SHUT_WR))
    assert_refused(ground, before, answer, 400, "400.1")


@pytest.mark.parametrize("length", [b"-5", b"1e3", b"9" * 40, b"5\r\nContent-Length: 6"])
def test_a_length_that_is_none_never_reaches_a_door(ground: Ground, length: bytes) -> None:
    before = ground.state()
    answer = ground.post(b"", MULTIPART, b"Content-Length: " + length)
    assert answer.status == 400
    assert ground.state() == before


def test_chunks_are_a_body_too(ground: Ground) -> None:
    whole = good()
    pieces = [whole[start : start + 700] for start in range(0, len(whole), 700)]
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    assert ground.post(chunked, MULTIPART, b"Transfer-Encoding: chunked").status == 201


def test_broken_chunks_are_a_cut_off_body(ground: Ground) -> None:
    before = ground.state()
    answer = ground.post(b"zz\r\nnot a chunk", MULTIPART, b"Transfer-Encoding: chunked")
    assert_refused(ground, before, answer, 400, "400.1")


# ------------------------------------------------------------------------------------------------ files' names

NAMES = {
    # as sent: as kept; None is refused
    "../../etc/passwd": "passwd",
    "/etc/passwd": "passwd",
    "C:\\DCIM\\a.jpg": "a.jpg",
    "\\\\server\\share\\a.jpg": "a.jpg",
    "a/b\\c.jpg": "c.jpg",
    " a.jpg ": "a.jpg",
    "门口 照片.jpg": "门口 照片.jpg",
    "f😂le3صادق": "f😂le3صادق",
    "fîlé2": "fîlé2",
    "\u202egpj.exe": "\u202egpj.exe",
    "a%2F..%00.jpg": "a%2F..%00.jpg",
    "CON.jpg": "CON.jpg",
    "...": "...",
    "x" * 255: "x" * 255,
    "书" * 255: "书" * 255,
    "'; DROP TABLE blob; --": "'; DROP TABLE blob; --",
    "": None,
    ".": None,
    "..": None,
    "a/": None,
    "   ": None,
    "x" * 256: None,
    "x" * 300: None,
    "a\x00.jpg": None,
    "a\x1b[2J.jpg": None,
    "a\n.jpg": None,
    "a\r.jpg": None,
    "a%0A.jpg": None,
    "a\x7f.jpg": None,
}


@pytest.mark.parametrize(("sent", "kept"), [*NAMES.items()])
def test_names_of_files(ground: Ground, sent: str, kept: str | None) -> None:
    before = ground.state()
    answer = ground.send(record(), file_part(sent, PHOTO))
    if kept is None:
        assert_refused(ground, before, answer, 400, "400.8")
        return
    assert answer.status == 201
    (row,) = ground.field.rows(
        """
        SELECT name, blob_sha256 FROM submission_attachment
        WHERE project_id = :project ORDER BY version_id DESC LIMIT 1
        """
    )
    assert row.name == kept
    assert b"".join(forms.blobs().chunks(bytes(row.blob_sha256))) == PHOTO


@pytest.mark.parametrize("name", [b"\xff\xfe.jpg", "照片.jpg".encode("gbk")])
def test_a_name_that_is_not_utf_8_is_refused(ground: Ground, name: bytes) -> None:
    before = ground.state()
    assert_refused(ground, before, ground.send(record(), file_part(name, PHOTO)), 400, "400.1")


def test_of_a_name_sent_twice_the_last_counts(ground: Ground) -> None:
    before = ground.state()
    assert ground.send(record(), file_part("x/a.jpg", b"first"), file_part("y/a.jpg", b"second")).status == 201
    (row,) = ground.field.rows(
        "SELECT blob_sha256 FROM submission_attachment WHERE project_id = :project ORDER BY version_id DESC LIMIT 1"
    )
    assert bytes(row.blob_sha256) == hashlib.sha256(b"second").digest()
    assert ground.state()["kept files"] == before["kept files"] + 1


def test_a_second_record_in_one_body_is_only_a_file(ground: Ground) -> None:
    first, second = record("uuid:first"), record("uuid:second")
    assert ground.post(body(xml_part(first), xml_part(second))).status == 201
    assert bytes(ground.version().xml) == first  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [b"a\x00b", b"x" * 3_000, b"text/plain; charset=no-such", b"\xe4\xb8\xad"])
def test_a_type_that_is_none_is_no_reason_to_lose_a_file(ground: Ground, kind: bytes) -> None:
    assert ground.post(body(xml_part(record()), part(b'name="a"; filename="a"', PHOTO, kind))).status == 201


def test_what_stands_around_the_parts_is_nothing(ground: Ground) -> None:
    assert ground.post(b"before\r\n" + good() + b"after").status == 201


def test_100_files_in_one_body(ground: Ground) -> None:
    files = [file_part(f"{number}.jpg", b"%d" % number) for number in range(100)]
    assert ground.send(record(), *files).status == 201


def test_a_refused_stranger_s_files_take_no_room(ground: Ground) -> None:
    before = ground.state()
    base = ground.base.replace("/v1/key/", "/v1/key/x")
    answer = post(base, body(xml_part(record()), file_part("a.jpg", b"a stranger's" * 50_000)))
    assert_refused(ground, before, answer, 403, "403.1")
