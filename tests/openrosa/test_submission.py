"""Sending records: HEAD, POST, split uploads, retries, conflicts."""

from __future__ import annotations

import hashlib

import pytest
import pyxform.xls2xform

from server.models import Project
from server.operations import app_users, forms, people
from tests.support.field import Field, message, record, visit

PHOTO = bytes(range(256)) * 40


def test_head_tells_the_phone_how_much_it_may_send(field: Field) -> None:
    response = field.client.head(field.base() + "/submission?deviceID=x")
    assert response.status_code == 204
    assert response.headers["X-OpenRosa-Version"] == "1.0"
    assert response.headers["X-OpenRosa-Accept-Content-Length"] == "100000000"
    assert response.headers["Date"]
    assert response.headers["Location"].endswith(field.base() + "/submission")


def test_a_record_is_kept_byte_for_byte(field: Field) -> None:
    field.publish()
    xml = record("uuid:one")
    response = field.send(xml)
    assert response.status_code == 201
    assert message(response) == "记录已完整收到。"
    (row,) = field.rows(
        """
        SELECT v.xml, v.answers, v.device_id, s.instance_id, s.review_state, actor.display_name
        FROM submission s JOIN submission_version v ON v.id = s.current_version_id
        JOIN actor ON actor.id = s.submitter_id WHERE s.project_id = :project
        """
    )
    assert bytes(row.xml) == xml
    assert row.instance_id == "uuid:one"
    assert row.device_id == "collect:test"
    assert row.review_state == "received"
    assert row.display_name == "采集员甲"
    assert row.answers["/household"] == "H-001"
    assert row.answers["/people"] == 3
    assert [member["/members/age"] for member in row.answers["/members"]] == [41, 12]


def test_the_place_is_a_geometry_with_altitude_and_accuracy(field: Field) -> None:
    field.publish()
    field.send(record())
    (row,) = field.rows(
        """
        SELECT path, ST_X(geom) AS lon, ST_Y(geom) AS lat, ST_Z(geom) AS alt, ST_SRID(geom) AS srid, accuracy
        FROM submission_geometry WHERE project_id = :project
        """
    )
    assert (row.path, row.lon, row.lat, row.alt, row.srid, row.accuracy) == ("/door", 106.71, 26.57, 1100.0, 4326, 4.5)


def test_an_audit_row_says_who_sent_it(field: Field) -> None:
    field.publish()
    field.send(record())
    (row,) = field.rows("SELECT * FROM audit_log WHERE project_id = :project AND action = 'submission.create'")
    assert row.actor_id == field.phone.actor_id
    assert row.submission_id is not None


def test_files_come_with_the_record(field: Field) -> None:
    field.publish()
    assert field.send(record(photo="门口.jpg"), {"门口.jpg": PHOTO}).status_code == 201
    (row,) = field.rows(
        """
        SELECT a.name, a.expected, b.size, b.md5, b.sha256 FROM submission_attachment a
        JOIN blob b ON b.sha256 = a.blob_sha256 WHERE a.project_id = :project
        """
    )
    assert (row.name, row.expected, row.size) == ("门口.jpg", True, len(PHOTO))
    assert row.md5 == hashlib.md5(PHOTO).hexdigest()
    assert b"".join(forms.blobs().chunks(bytes(row.sha256))) == PHOTO


def test_missing_files_are_expected_and_complete_the_record_later(field: Field) -> None:
    field.publish()
    xml = record(photo="a.jpg")
    first = field.send(xml)
    assert first.status_code == 201
    assert "还有 1 个文件" in message(first)
    assert field.rows("SELECT expected, blob_sha256 FROM submission_attachment WHERE project_id = :project") == [
        (True, None)
    ]
    second = field.send(xml, {"a.jpg": PHOTO})
    assert second.status_code == 201
    (row,) = field.rows("SELECT expected, blob_sha256 FROM submission_attachment WHERE project_id = :project")
    assert bytes(row.blob_sha256) == hashlib.sha256(PHOTO).digest()
    assert field.count() == 1


def test_a_retry_does_not_take_files_away(field: Field) -> None:
    field.publish()
    xml = record(photo="a.jpg")
    field.send(xml, {"a.jpg": PHOTO})
    assert field.send(xml).status_code == 201
    (row,) = field.rows("SELECT blob_sha256 FROM submission_attachment WHERE project_id = :project")
    assert bytes(row.blob_sha256) == hashlib.sha256(PHOTO).digest()


def test_files_the_xml_does_not_name_are_kept(field: Field) -> None:
    field.publish()
    field.send(record(), {"extra.bin": b"x"})
    assert field.rows("SELECT name, expected FROM submission_attachment WHERE project_id = :project") == [
        ("extra.bin", False)
    ]


def test_the_audit_file_is_kept(field: Field) -> None:
    field.publish()
    field.send(record(), {"audit.csv": b"event,node,start,end\nform start,,1,\n"})
    assert field.rows("SELECT name FROM submission_attachment WHERE project_id = :project") == [("audit.csv",)]


def test_the_same_record_again_is_one_record(field: Field) -> None:
    field.publish()
    xml = record()
    assert [field.send(xml).status_code for _ in range(3)] == [201, 201, 201]
    assert field.count() == 1


def test_the_same_instance_with_other_answers_is_refused_and_kept_unchanged(field: Field) -> None:
    field.publish()
    xml = record("uuid:one")
    field.send(xml)
    response = field.send(record("uuid:one", household="H-002"))
    assert response.status_code == 409
    assert "409.1" in message(response)
    assert bytes(field.rows("SELECT xml FROM submission_version WHERE project_id = :project")[0].xml) == xml


def test_the_same_instance_id_in_another_form_is_another_record(field: Field) -> None:
    field.publish()
    field.publish(visit("other"))
    assert field.send(record("uuid:one")).status_code == 201
    assert field.send(record("uuid:one", form_id="other")).status_code == 201
    assert field.count() == 2


def test_a_record_without_instance_id_is_still_recognised_when_sent_again(field: Field) -> None:
    field.publish()
    xml = b"<data id='visit' version='1'><household>H-9</household></data>"
    assert [field.send(xml).status_code, field.send(xml).status_code] == [201, 201]
    assert field.count() == 1


def test_a_deleted_record_does_not_come_back(field: Field) -> None:
    field.publish()
    xml = record()
    field.send(xml)
    from server.database import db

    db.session.execute(
        db.text("UPDATE submission SET deleted_at = now() WHERE project_id = :p"), {"p": field.project.id}
    )
    db.session.commit()
    response = field.send(xml)
    assert response.status_code == 409
    assert "409.18" in message(response)


def test_an_older_published_version_is_still_accepted(field: Field) -> None:
    field.publish()
    field.publish(visit(version="2"))
    assert field.send(record(version="1")).status_code == 201
    assert field.send(record(version="2")).status_code == 201
    assert field.rows(
        """
        SELECT fv.version FROM submission_version v JOIN form_version fv ON fv.id = v.form_version_id
        WHERE v.project_id = :project ORDER BY v.id
        """
    ) == [("1",), ("2",)]


@pytest.mark.parametrize(
    ("xml", "status", "code"),
    [
        (record(form_id="nothing"), 404, "404.1"),
        (record(version="99"), 404, "404.6"),
        (b"<data><a/></data>", 400, "400"),
    ],
)
def test_unknown_forms_and_versions(field: Field, xml: bytes, status: int, code: str) -> None:
    field.publish()
    response = field.send(xml)
    assert response.status_code == status
    assert code in message(response)
    assert field.count() == 0


def test_a_closed_form_refuses_and_an_open_one_takes_again(field: Field) -> None:
    form = field.publish()
    assert field.send(record()).status_code == 201
    forms.set_state(form, "closed")
    response = field.send(record())
    assert response.status_code == 409
    assert "409.2" in message(response)
    forms.set_state(form, "closing")
    assert field.send(record()).status_code == 201
    assert field.count() == 2


def test_a_revoked_phone_may_not_send(field: Field) -> None:
    field.publish()
    assert field.send(record()).status_code == 201
    app_users.revoke(field.project.id, field.phone.actor_id)
    response = field.send(record())
    assert response.status_code == 403
    assert field.client.head(field.base() + "/submission").status_code == 403
    assert field.count() == 1


def test_wrong_types_are_kept_as_text_with_a_note(field: Field) -> None:
    field.publish()
    response = field.send(record().replace(b"<people>3</people>", "<people>三口</people>".encode()))
    assert response.status_code == 201
    (row,) = field.rows("SELECT answers, problems FROM submission_version WHERE project_id = :project")
    assert row.answers["/people"] == "三口"
    assert row.problems[0]["path"] == "/people"


HOUSEHOLDS = """
| survey   |            |               |       |          |
|          | type       | name          | label | save_to  |
|          | text       | household     | 户码  | code     |
| entities |            |               |       |          |
|          | list_name  | label         |       |          |
|          | households | ${household}  |       |          |
| settings |            |               |       |          |
|          | form_id    | form_title    | version |        |
|          | register   | 建档          | 1     |          |
"""


def test_entities_are_stored_for_later(field: Field) -> None:
    field.publish(pyxform.xls2xform.convert(HOUSEHOLDS).xform.encode())
    xml = (
        b'<data id="register" version="1"><household>H-001</household><meta><instanceID>uuid:1</instanceID>'
        b'<entity dataset="households" id="6f2b6d4e-8f7c-4a49-9a64-2f0f6f0e6f00" create="1"><label>H-001</label>'
        b"</entity></meta></data>"
    )
    assert field.send(xml).status_code == 201
    (row,) = field.rows("SELECT entities FROM submission_version WHERE project_id = :project")
    (action,) = row.entities
    assert (action["dataset"], action["create"], action["values"]) == ("households", True, {"code": "H-001"})


def test_an_encrypted_record_is_kept_whole(field: Field) -> None:
    field.publish()
    xml = (
        b'<data id="visit" version="1" encrypted="yes" xmlns="http://www.opendatakit.org/xforms/encrypted">'
        b"<base64EncryptedKey>a2V5</base64EncryptedKey>"
        b'<orx:meta xmlns:orx="http://openrosa.org/xforms"><orx:instanceID>uuid:e</orx:instanceID></orx:meta>'
        b"<media><file>photo.jpg.enc</file></media><encryptedXmlFile>submission.xml.enc</encryptedXmlFile>"
        b"<base64EncryptedElementSignature>c2ln</base64EncryptedElementSignature></data>"
    )
    assert field.send(xml, {"submission.xml.enc": b"1", "photo.jpg.enc": b"2"}).status_code == 201
    (row,) = field.rows("SELECT xml, encrypted, answers FROM submission_version WHERE project_id = :project")
    assert (bytes(row.xml), row.encrypted, row.answers) == (xml, True, {})
    files = field.rows("SELECT name, expected FROM submission_attachment WHERE project_id = :project ORDER BY name")
    assert files == [("photo.jpg.enc", True), ("submission.xml.enc", True)]


# ------------------------------------------------------------------------------------------------ people sending


def test_a_person_sends_with_basic_credentials(field: Field) -> None:
    field.publish()
    _user, password = people.create_user(f"clerk{field.project.id}@example.cn", role="manager")
    address = f"/v1/projects/{field.project.id}"
    auth = (f"clerk{field.project.id}@example.cn", password)
    assert field.client.get(f"{address}/formList", auth=auth).status_code == 200
    import io

    response = field.client.post(
        f"{address}/submission", data={"xml_submission_file": (io.BytesIO(record()), "r.xml")}, auth=auth
    )
    assert response.status_code == 201
    assert field.count() == 1


def test_without_credentials_collect_is_asked_for_them(field: Field) -> None:
    response = field.client.get(f"/v1/projects/{field.project.id}/formList")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic")
    assert "401.4" in message(response)


def test_a_wrong_password_is_401(field: Field) -> None:
    people.create_user(f"x{field.project.id}@example.cn", role="manager")
    auth = (f"x{field.project.id}@example.cn", "wrong-password")
    response = field.client.get(f"/v1/projects/{field.project.id}/formList", auth=auth)
    assert response.status_code == 401
    assert "401.2" in message(response)


def test_passwords_are_not_taken_over_plain_http_from_another_machine(field: Field) -> None:
    _user, password = people.create_user(f"far{field.project.id}@example.cn", role="manager")
    response = field.client.get(
        f"/v1/projects/{field.project.id}/formList",
        auth=(f"far{field.project.id}@example.cn", password),
        environ_base={"REMOTE_ADDR": "192.168.1.20"},
    )
    assert response.status_code == 401
    assert "401.3" in message(response)


def test_a_person_without_a_role_sees_no_forms(field: Field, project: Project) -> None:
    _user, password = people.create_user(f"nobody{project.id}@example.cn")
    auth = (f"nobody{project.id}@example.cn", password)
    assert field.client.get(f"/v1/projects/{project.id}/formList", auth=auth).status_code == 403
