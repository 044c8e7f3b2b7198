"""Many phones at the same instant, against the served application: connections released by one barrier."""

from __future__ import annotations

import hashlib
import itertools
import uuid
from collections import Counter
from collections.abc import Sequence
from functools import partial

import pytest

from server.operations import forms, projects
from tests.openrosa.conftest import Ground
from tests.support.field import Field, record, visit
from tests.support.phones import Answer, body, file_part, post, together, xml_part

CROWD = 32
ROUNDS = 12
PHOTOS = {f"{number}.jpg": bytes([number]) * 40_000 for number in range(4)}


@pytest.fixture
def field(ground: Ground) -> Field:
    """A project of the test's own on the served application."""
    field = Field(ground.field.app, ground.field.client, projects.create("同时上报的乡"))
    field.publish()
    return field


@pytest.fixture
def base(field: Field, ground: Ground) -> str:
    """The phone's server URL."""
    return field.base(ground.live.url)


def new_id() -> str:
    return f"uuid:{uuid.uuid4()}"


def send_together(base: str, bodies: Sequence[bytes]) -> list[Answer]:
    return together([partial(post, base, content) for content in bodies])


def codes(answers: Sequence[Answer]) -> Counter[str]:
    """How often each answer came: the status, with the code of a refusal."""
    return Counter(
        str(answer.status) if answer.status == 201 else answer.message.rpartition("(")[2].rstrip(")")
        for answer in answers
    )


def versions(field: Field) -> list[tuple[str, str, int, bool]]:
    """Every version: record, instance, ordinal, whether it is the record's current one."""
    return [
        tuple(row)
        for row in field.rows(
            """
            SELECT s.instance_id, v.instance_id, v.ordinal, v.id IS NOT DISTINCT FROM s.current_version_id
            FROM submission s JOIN submission_version v ON v.submission_id = s.id
            WHERE s.project_id = :project ORDER BY s.instance_id, v.ordinal, v.id
            """
        )
    ]


def stored(field: Field) -> dict[str, str]:
    """SHA-256 of the bytes on disk, by the file's name; every expected file must be there."""
    rows = field.rows("SELECT name, blob_sha256 FROM submission_attachment WHERE project_id = :project")
    return {name: hashlib.sha256(b"".join(forms.blobs().chunks(bytes(blob)))).hexdigest() for name, blob in rows}


PHOTO_SUMS = {name: hashlib.sha256(content).hexdigest() for name, content in PHOTOS.items()}


def created(field: Field) -> int:
    rows = field.rows("SELECT 1 FROM audit_log WHERE project_id = :project AND action = 'submission.create'")
    return len(rows)


def test_one_instance_from_32_connections_is_one_record(field: Field, base: str) -> None:
    content = body(xml_part(record("uuid:one")))
    assert codes(send_together(base, [content] * CROWD)) == {"201": CROWD}
    assert versions(field) == [("uuid:one", "uuid:one", 0, True)]
    assert created(field) == 1
    assert len(field.rows("SELECT 1 FROM submission_geometry WHERE project_id = :project")) == 1
    assert post(base, content).status == 201


def test_one_instance_with_all_its_files_from_32_connections(field: Field, base: str) -> None:
    content = body(xml_part(record("uuid:one", photo="0.jpg")), *(file_part(*photo) for photo in PHOTOS.items()))
    assert codes(send_together(base, [content] * CROWD)) == {"201": CROWD}
    assert versions(field) == [("uuid:one", "uuid:one", 0, True)]
    assert stored(field) == PHOTO_SUMS


def test_one_instance_whose_files_come_over_different_connections(field: Field, base: str) -> None:
    xml = xml_part(record("uuid:one", photo="0.jpg"))
    parcels = [body(xml, file_part(*photo)) for photo in PHOTOS.items()] + [body(xml)]
    assert codes(send_together(base, parcels * 6)) == {"201": 30}
    assert versions(field) == [("uuid:one", "uuid:one", 0, True)]
    assert stored(field) == PHOTO_SUMS


def test_of_32_different_records_with_one_instance_id_one_is_kept_whole(field: Field, base: str) -> None:
    xmls = [record("uuid:one", household=f"H-{number}") for number in range(CROWD)]
    answers = send_together(base, [body(xml_part(xml)) for xml in xmls])
    assert codes(answers) == {"201": 1, "409.1": CROWD - 1}
    winner = [xml for xml, answer in zip(xmls, answers, strict=True) if answer.status == 201]
    assert [
        bytes(row.xml) for row in field.rows("SELECT xml FROM submission_version WHERE project_id = :project")
    ] == winner


def test_of_32_edits_of_one_record_one_is_applied(field: Field, base: str) -> None:
    assert post(base, body(xml_part(record("uuid:a")))).status == 201
    edits = [record(f"uuid:e{number}", deprecated_id="uuid:a", household=f"H-{number}") for number in range(CROWD)]
    answers = send_together(base, [body(xml_part(xml)) for xml in edits])
    assert codes(answers) == {"201": 1, "409.9": CROWD - 1}
    winner = next(f"uuid:e{number}" for number, answer in enumerate(answers) if answer.status == 201)
    assert versions(field) == [("uuid:a", "uuid:a", 0, False), ("uuid:a", winner, 1, True)]


def test_of_32_edits_of_a_record_that_is_not_here_yet_one_waits(field: Field, base: str) -> None:
    edits = [record(f"uuid:e{number}", deprecated_id="uuid:a", household=f"H-{number}") for number in range(CROWD)]
    answers = send_together(base, [body(xml_part(xml)) for xml in edits])
    assert codes(answers) == {"201": 1, "409.9": CROWD - 1}
    assert field.count() == 0
    assert post(base, body(xml_part(record("uuid:a")))).status == 201
    winner = next(f"uuid:e{number}" for number, answer in enumerate(answers) if answer.status == 201)
    assert versions(field) == [("uuid:a", "uuid:a", 0, False), ("uuid:a", winner, 1, True)]


def test_one_edit_from_32_connections_is_one_version(field: Field, base: str) -> None:
    assert (
        post(base, body(xml_part(record("uuid:a", photo="0.jpg")), file_part("0.jpg", PHOTOS["0.jpg"]))).status == 201
    )
    content = body(
        xml_part(record("uuid:b", deprecated_id="uuid:a", photo="1.jpg")), file_part("1.jpg", PHOTOS["1.jpg"])
    )
    assert codes(send_together(base, [content] * CROWD)) == {"201": CROWD}
    assert versions(field) == [("uuid:a", "uuid:a", 0, False), ("uuid:a", "uuid:b", 1, True)]
    assert stored(field) == {name: PHOTO_SUMS[name] for name in ("0.jpg", "1.jpg")}


def test_records_and_their_edits_at_once(field: Field, base: str) -> None:
    """In every round the same eight parcels of each: which of the two wins differs from round to round."""
    for _ in range(ROUNDS):
        first, second = new_id(), new_id()
        parcels = [body(xml_part(record(first))), body(xml_part(record(second, deprecated_id=first)))] * 4
        assert codes(send_together(base, parcels)) == {"201": 8}
    rows = versions(field)
    assert len(rows) == 2 * ROUNDS
    for older, newer in zip(rows[::2], rows[1::2], strict=True):
        assert older[0] == newer[0] == older[1] != newer[1]
        assert (older[2:], newer[2:]) == ((0, False), (1, True))


@pytest.mark.parametrize("order", [*itertools.permutations("ABC")], ids="".join)
def test_chains_of_edits_at_once_end_in_order(field: Field, base: str, order: tuple[str, ...]) -> None:
    """`order` is the order in which threads are made; what the server sees first is left to chance, many times."""
    for _ in range(3):
        a, b, c = new_id(), new_id(), new_id()
        chain = {
            "A": record(a, photo="0.jpg"),
            "B": record(b, deprecated_id=a, photo="0.jpg"),
            "C": record(c, deprecated_id=b),
        }
        files = [file_part("0.jpg", PHOTOS["0.jpg"])]
        parcels = [body(xml_part(chain[name]), *(files if name == "A" else [])) for name in order]
        assert codes(send_together(base, parcels * 2)) == {"201": 6}
        mine = [row[1:] for row in versions(field) if row[0] == a]
        assert mine == [(a, 0, False), (b, 1, False), (c, 2, True)]
    assert len(versions(field)) == 9
    assert field.rows("SELECT 1 FROM submission_attachment WHERE project_id = :project AND blob_sha256 IS NULL") == []


def test_a_long_chain_at_once(field: Field, base: str) -> None:
    names = [f"uuid:{number:02}" for number in range(12)]
    xmls = [record(name, deprecated_id=names[number - 1] if number else None) for number, name in enumerate(names)]
    assert codes(send_together(base, [body(xml_part(xml)) for xml in reversed(xmls)])) == {"201": 12}
    assert [row[1:] for row in versions(field)] == [(name, number, number == 11) for number, name in enumerate(names)]


def test_forms_and_projects_do_not_disturb_each_other(ground: Ground, field: Field, base: str) -> None:
    field.publish(visit("other"))
    neighbour = Field(ground.field.app, ground.field.client, projects.create("邻乡"))
    neighbour.publish()
    here = [body(xml_part(record("uuid:same"))), body(xml_part(record("uuid:same", form_id="other")))]
    there = [body(xml_part(record("uuid:same", household="H-next-door")))]
    acts = [partial(post, base, content) for content in here * 8]
    acts += [partial(post, neighbour.base(ground.live.url), content) for content in there * 8]
    assert codes(together(acts)) == {"201": 24}
    assert (field.count(), neighbour.count()) == (2, 1)


def test_different_records_with_the_same_photos_share_their_bytes(ground: Ground, field: Field, base: str) -> None:
    """In either order, so that parcels which lock one photo's row and wait for the other's would be seen."""
    before = ground.state()["kept files"]
    photos = {name: uuid.uuid4().bytes * 2_000 for name in ("a.jpg", "b.jpg", "c.jpg")}
    files = [file_part(*photo) for photo in photos.items()]
    parcels = [
        body(xml_part(record(photo="a.jpg")), *(files if number % 2 else reversed(files))) for number in range(CROWD)
    ]
    assert codes(send_together(base, parcels)) == {"201": CROWD}
    assert field.count() == CROWD
    assert ground.state()["kept files"] == before + len(photos)
    assert stored(field) == {name: hashlib.sha256(content).hexdigest() for name, content in photos.items()}
