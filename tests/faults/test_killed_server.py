"""Records that phones send while the server and its database are killed again and again.

``XIANGTU_TEST_RECORDS`` sets how many records are sent (default 600).
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.operations import forms
from tests.faults.conftest import forget_connections, office
from tests.support.field import Field, record
from tests.support.phones import Outgoing, StubbornPhone, body, outgoing, post, xml_part
from tests.support.supervised import Supervised

RECORDS = int(os.environ.get("XIANGTU_TEST_RECORDS", "600"))
PHONES = 16
ACCEPT_LENGTH = 12_000  # so that most records need two POSTs
DEATHS = [
    "worker",
    "server",
    "worker",
    "database",
    "server",
    "worker",
    "server",
    "worker",
    "database",
    "server",
    "worker",
    "server",
]


@pytest.fixture(scope="module")
def supervised(place: Path) -> Iterator[Supervised]:
    """A server that runs when a test begins."""
    supervised = Supervised(place / "data", place / "output", XIANGTU_ACCEPT_LENGTH=str(ACCEPT_LENGTH))
    supervised.start()
    yield supervised
    supervised.end()


def kill(supervised: Supervised, who: str) -> None:
    """Kill one process with -9 and wait until another one has taken its place and answers."""
    if who == "database":
        old = supervised.postmaster()
        assert old is not None
        os.kill(old, signal.SIGKILL)
        supervised.until(lambda: supervised.postmaster() not in (None, old))
    elif who == "server":
        old = supervised.server()
        os.kill(old, signal.SIGKILL)
        supervised.until(lambda: supervised.server() != old)
    else:
        old = random.choice(supervised.workers())
        os.kill(old, signal.SIGKILL)
        supervised.until(lambda: old not in supervised.workers())
    supervised.until(supervised.ready)


def test_every_record_answered_201_is_there_once_with_its_files(supervised: Supervised) -> None:
    with office(supervised) as field:
        give_up = threading.Event()
        base = field.base(supervised.url)
        records = [outgoing(number) for number in range(RECORDS)]
        phones = [StubbornPhone(base, records[start::PHONES], ACCEPT_LENGTH, give_up) for start in range(PHONES)]
        threads = [threading.Thread(target=phone.run) for phone in phones]
        for thread in threads:
            thread.start()
        try:
            for number, who in enumerate(DEATHS, start=1):
                due = RECORDS * number // (len(DEATHS) + 1)
                supervised.until(lambda due=due: sum(len(phone.confirmed) for phone in phones) >= due, 300.0)  # type: ignore[misc]
                kill(supervised, who)
            supervised.until(lambda: not any(thread.is_alive() for thread in threads), 300.0)
        finally:
            give_up.set()
            for thread in threads:
                thread.join()
        assert sum(len(phone.confirmed) for phone in phones) == RECORDS
        assert [answer for phone in phones for answer in phone.odd] == []
        assert sum(phone.tries for phone in phones) > RECORDS  # some had to be sent again
        forget_connections()
        assert_complete(field, records)
        assert "crash" not in supervised.said()
        assert "Traceback" not in supervised.said()


def assert_complete(field: Field, records: list[Outgoing]) -> None:
    """Each record is there once, byte for byte, with all its files; no row speaks of bytes that are not there."""
    expected = {record_.instance_id: record_ for record_ in records}
    rows = field.rows(
        """
        SELECT s.instance_id, v.xml, (SELECT count(*) FROM audit_log l WHERE l.submission_id = s.id
                                        AND l.action = 'submission.create') AS entries
        FROM submission s JOIN submission_version v ON v.submission_id = s.id AND v.id = s.current_version_id
        WHERE s.project_id = :project
        """
    )
    assert sorted(row.instance_id for row in rows) == sorted(expected)
    assert all(bytes(row.xml) == expected[row.instance_id].xml for row in rows)
    assert {row.entries for row in rows} == {1}
    assert len(field.rows("SELECT 1 FROM submission_version WHERE project_id = :project")) == len(expected)
    assert len(field.rows("SELECT 1 FROM submission_geometry WHERE project_id = :project")) == len(expected)
    sums: dict[str, dict[str, str]] = {instance_id: {} for instance_id in expected}
    for row in field.rows(
        """
        SELECT v.instance_id, a.name, b.md5 FROM submission_attachment a
        JOIN submission_version v ON v.id = a.version_id JOIN blob b ON b.sha256 = a.blob_sha256
        WHERE a.project_id = :project
        """
    ):
        sums[row.instance_id][row.name] = row.md5
    assert sums == {instance_id: record_.sums for instance_id, record_ in expected.items()}
    for row in field.rows("SELECT sha256, md5, size FROM blob"):
        content = b"".join(forms.blobs().chunks(bytes(row.sha256)))
        assert len(content) == row.size
        assert hashlib.sha256(content).digest() == bytes(row.sha256)
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == row.md5


def test_after_kill_9_of_everything_the_next_start_needs_no_help(supervised: Supervised) -> None:
    with office(supervised) as field:
        base = field.base(supervised.url)
        assert post(base, body(xml_part(record("uuid:before")))).status == 201
        old = supervised.postmaster()
        assert old is not None
        supervised.kill()
        os.kill(old, signal.SIGKILL)
        (supervised.data_dir / "blobs" / "incoming" / "1-left").write_bytes(b"half a photo")
        supervised.start()
        assert post(base, body(xml_part(record("uuid:before")))).status == 201
        assert post(base, body(xml_part(record("uuid:after")))).status == 201
        forget_connections()
        assert field.count() == 2
