"""Edits: a new version by ``deprecatedID``, in whatever order phones send them."""

from __future__ import annotations

import itertools

import pytest

from tests.support.field import Field, message, record

A = record("uuid:a", household="first", photo="p.jpg")
B = record("uuid:b", deprecated_id="uuid:a", household="second", photo="p.jpg")
C = record("uuid:c", deprecated_id="uuid:b", household="third", photo="p.jpg")


def versions(field: Field) -> list[tuple[str, int]]:
    return [
        tuple(row)
        for row in field.rows(
            """
            SELECT v.instance_id, v.ordinal FROM submission_version v JOIN submission s ON s.id = v.submission_id
            WHERE s.project_id = :project ORDER BY s.id, v.ordinal
            """
        )
    ]


def current(field: Field) -> list[tuple[str, str, str]]:
    return [
        tuple(row)
        for row in field.rows(
            """
            SELECT s.instance_id, v.instance_id, s.review_state FROM submission s
            JOIN submission_version v ON v.id = s.current_version_id WHERE s.project_id = :project ORDER BY s.id
            """
        )
    ]


def test_an_edit_makes_a_new_version(field: Field) -> None:
    field.publish()
    assert [field.send(A).status_code, field.send(B).status_code] == [201, 201]
    assert current(field) == [("uuid:a", "uuid:b", "edited")]
    assert versions(field) == [("uuid:a", 0), ("uuid:b", 1)]


def test_an_edit_sent_again_is_one_version(field: Field) -> None:
    field.publish()
    assert [field.send(xml).status_code for xml in (A, B, B, A, B)] == [201] * 5
    assert versions(field) == [("uuid:a", 0), ("uuid:b", 1)]


def test_an_edit_of_an_older_version_is_refused(field: Field) -> None:
    field.publish()
    for xml in (A, B):
        field.send(xml)
    response = field.send(record("uuid:x", deprecated_id="uuid:a"))
    assert response.status_code == 409
    assert "409.9" in message(response)
    assert current(field) == [("uuid:a", "uuid:b", "edited")]


def test_an_edit_of_itself_is_refused(field: Field) -> None:
    field.publish()
    response = field.send(record("uuid:a", deprecated_id="uuid:a"))
    assert response.status_code == 409
    assert "409.8" in message(response)


def test_an_edit_that_arrives_first_waits_unseen(field: Field) -> None:
    field.publish()
    response = field.send(B)
    assert response.status_code == 201
    assert "原" in message(response)
    assert field.count() == 0
    field.send(A)
    assert field.count() == 1
    assert current(field) == [("uuid:a", "uuid:b", "edited")]


@pytest.mark.parametrize("order", list(itertools.permutations("ABC")), ids="".join)
def test_a_chain_ends_the_same_in_every_order(field: Field, order: tuple[str, ...]) -> None:
    field.publish()
    chain = {"A": A, "B": B, "C": C}
    assert [field.send(chain[name]).status_code for name in order] == [201] * 3
    assert current(field) == [("uuid:a", "uuid:c", "edited")]
    assert versions(field) == [("uuid:a", 0), ("uuid:b", 1), ("uuid:c", 2)]
    assert len(field.rows("SELECT 1 FROM submission WHERE project_id = :project")) == 1


@pytest.mark.parametrize("order", list(itertools.permutations("ABC")), ids="".join)
def test_files_are_carried_over_to_edits_that_do_not_send_them(field: Field, order: tuple[str, ...]) -> None:
    field.publish()
    chain = {"A": A, "B": B, "C": C}
    for name in order:
        field.send(chain[name], {"p.jpg": b"photo"} if name == "A" else None)
    rows = field.rows("SELECT blob_sha256 FROM submission_attachment WHERE project_id = :project")
    assert len(rows) == 3
    assert all(row.blob_sha256 is not None for row in rows)


def test_a_file_sent_late_for_the_original_reaches_its_edit(field: Field) -> None:
    field.publish()
    field.send(A)
    field.send(B)
    field.send(A, {"p.jpg": b"photo"})
    rows = field.rows("SELECT blob_sha256 FROM submission_attachment WHERE project_id = :project")
    assert [row.blob_sha256 is not None for row in rows] == [True, True]


def test_an_edit_brings_its_own_file(field: Field) -> None:
    field.publish()
    field.send(A, {"p.jpg": b"old"})
    field.send(B, {"p.jpg": b"new"})
    sizes = field.rows("SELECT count(DISTINCT blob_sha256) FROM submission_attachment WHERE project_id = :project")
    assert sizes == [(2,)]


def test_geometries_belong_to_their_version(field: Field) -> None:
    field.publish()
    for xml in (B, A):
        field.send(xml)
    rows = field.rows(
        """
        SELECT v.instance_id FROM submission_geometry g JOIN submission_version v ON v.id = g.version_id
        WHERE g.project_id = :project ORDER BY 1
        """
    )
    assert [row[0] for row in rows] == ["uuid:a", "uuid:b"]


def test_an_edit_of_a_deleted_record_is_refused(field: Field) -> None:
    field.publish()
    field.send(A)
    from server.database import db

    db.session.execute(
        db.text("UPDATE submission SET deleted_at = now() WHERE project_id = :p"), {"p": field.project.id}
    )
    db.session.commit()
    response = field.send(B)
    assert response.status_code == 409
    assert "409.18" in message(response)
