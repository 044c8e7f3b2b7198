"""A disk that is really full: what the enumerator is told, that nothing is half-written, and that it mends itself."""

from __future__ import annotations

import hashlib
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from server.config import Settings
from server.database import db
from server.operations import forms, projects
from tests.faults.conftest import fill, forget_connections, office, small_disk
from tests.support.field import Field, record
from tests.support.phones import Answer, body, file_part, outgoing, post, xml_part
from tests.support.server import LiveServer
from tests.support.supervised import Supervised

KB = 1024


@pytest.fixture(scope="module")
def field(app: Flask) -> Iterator[Field]:
    """A project whose photos go to a disk of 8 MB."""
    with app.app_context(), small_disk(app.config["SETTINGS"].blob_dir, 8):
        field = Field(app, app.test_client(), projects.create("硬盘满的乡"))
        field.publish()
        yield field


def assert_full(answer: Answer) -> None:
    """507 as OpenRosa has it: Collect shows the message, the record stays on the phone."""
    assert answer.status == 507, (answer.status, answer.content)
    assert answer.headers["content-type"].startswith("text/xml")
    assert "磁盘已满" in answer.message
    assert "(507.1)" in answer.message


def state(field: Field, blobs: Path) -> tuple[object, ...]:
    """Rows and files that a record would leave."""
    db.session.rollback()
    tables = ("submission", "submission_version", "submission_attachment", "blob", "audit_log")
    rows = [db.session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in tables]
    return (*rows, sorted(file.name for file in blobs.rglob("*") if file.is_file()))


# The sizes meet the file in memory, at its limit, and on disk; what is left lets none, a part or nearly all of it in.
@pytest.mark.parametrize("left", [0, 8 * KB, 96 * KB])
@pytest.mark.parametrize("size", [100 * KB, 256 * KB, 1000 * KB])
def test_a_full_blob_disk(live: LiveServer, field: Field, settings: Settings, size: int, left: int) -> None:
    photo = random.Random(size + left).randbytes(size)
    small = b"%d,%d" % (size, left)
    content = body(xml_part(record(photo="a.jpg")), file_part("a.jpg", photo), file_part("b.txt", small))
    base = field.base(live.url)
    ballast = fill(settings.blob_dir, left)
    before = state(field, settings.blob_dir)
    assert_full(post(base, content))
    assert_full(post(base, content))
    assert state(field, settings.blob_dir) == before
    assert post(base, body(xml_part(record()))).status == 201  # without photos there is room
    ballast.unlink()
    assert post(base, content).status == 201
    kept = b"".join(forms.blobs().chunks(hashlib.sha256(photo).digest()))
    assert kept == photo


def test_a_reserve_is_kept_free(settings: Settings, database_url: str, field: Field) -> None:
    with LiveServer(settings.data_dir, database_url, XIANGTU_FREE_DISK_MB="100") as careful:
        base = field.base(careful.url)
        before = state(field, settings.blob_dir)
        assert_full(post(base, body(xml_part(record(photo="a.jpg")), file_part("a.jpg", b"photo" * 1_000))))
        assert state(field, settings.blob_dir) == before


@pytest.fixture(scope="module")
def supervised(place: Path) -> Iterator[Supervised]:
    """The whole data directory on a disk of 400 MB."""
    data_dir = place / "data"
    data_dir.mkdir(mode=0o711)
    data_dir.chmod(0o711)
    with small_disk(data_dir, 400):
        supervised = Supervised(data_dir, place / "output")
        supervised.start()
        try:
            yield supervised
        finally:
            supervised.end()


def long_records(count: int) -> Iterator[tuple[str, bytes]]:
    """Bodies of records that take about 1.5 MB of database each."""
    for number in range(count):
        sent = outgoing(number, photos=0)
        noise = random.Random(number).randbytes(500_000).hex().encode()
        yield sent.instance_id, body(xml_part(sent.xml.replace(b"</household>", noise + b"</household>")))


def send_until_refused(base: str, most: int = 200) -> tuple[list[str], list[bytes], Answer]:
    """Send until one is refused: instances taken in, the body refused, its answer."""
    taken: list[str] = []
    for instance_id, content in long_records(most):
        answer = post(base, content)
        if answer.status != 201:
            return taken, [content], answer
        taken.append(instance_id)
    raise AssertionError("the disk was never full")


def test_a_full_disk_under_everything(supervised: Supervised) -> None:
    with office(supervised) as field:
        base = field.base(supervised.url)
        ballast = fill(supervised.data_dir)
        taken, (content,), answer = send_until_refused(base)
        assert answer.status in {503, 507}
        answers = [post(base, content) for _ in range(5)]
        assert {answer.status for answer in answers} <= {503, 507}
        for refusal in [answer, *answers]:
            assert any("\u4e00" <= char <= "\u9fff" for char in refusal.message)
        ballast.unlink()
        supervised.until(lambda: supervised.ready() and post(base, content).status == 201)
        forget_connections()
        assert field.count() == len(taken) + 1
        assert {row[0] for row in field.rows("SELECT instance_id FROM submission WHERE project_id = :project")} >= set(
            taken
        )
        assert "crash" not in supervised.said()
        assert "Traceback" not in supervised.said()


def test_a_full_disk_under_the_write_ahead_log(supervised: Supervised) -> None:
    """PostgreSQL panics when it can no longer write its log, and cannot start again either; nobody has to help it."""
    supervised.end()
    log = supervised.data_dir / "postgres" / "pg_wal"
    size = sum(file.stat().st_size for file in log.rglob("*") if file.is_file()) >> 20
    with small_disk(log, size + 40):
        supervised.start()
        try:
            panic_and_recover(supervised, log)
        finally:
            supervised.end()


def panic_and_recover(supervised: Supervised, log: Path) -> None:
    with office(supervised) as field:
        base = field.base(supervised.url)
        ballast = fill(log)
        taken, (content,), answer = send_until_refused(base)
        assert answer.status in {503, 507}
        assert any("\u4e00" <= char <= "\u9fff" for char in answer.message)
        written = "".join(
            file.read_text(errors="replace") for file in (supervised.data_dir / "log" / "postgres").iterdir()
        )
        assert "PANIC" in written
        os.kill(supervised.postmaster() or 0, signal.SIGKILL)
        supervised.until(lambda: "磁盘已满" in supervised.said())  # the supervisor has tried to start it
        assert post(base, content).status in {503, 507}
        ballast.unlink()
        supervised.until(lambda: supervised.ready() and post(base, content).status == 201)
        forget_connections()
        assert field.count() == len(taken) + 1
        assert {row[0] for row in field.rows("SELECT instance_id FROM submission WHERE project_id = :project")} >= set(
            taken
        )
        assert "Traceback" not in supervised.said()
