"""The table of records and one record."""

from __future__ import annotations

import re
from typing import Any

import pytest

from server.models import Form
from tests.support.field import Field
from tests.web.conftest import ID_NUMBER, LONG_ID, Browser, answers

PHOTO = b"\xff\xd8\xff\xe0 a photo"


def fill(field: Field, count: int) -> None:
    for number in range(1, count + 1):
        assert field.send(answers(f"uuid:{number:04}", tag=f"{number:04}")).status_code == 201


def names(text: str) -> list[str]:
    """Record names in the order of the table."""
    return re.findall(r'class="title clip"><a [^>]*>([^<]+)</a>', text)


@pytest.fixture
def reader(someone: Any) -> Browser:
    browser: Browser = someone("viewer")
    return browser


def test_pages_newest_first_and_back(reader: Browser, field: Field, records_url: str) -> None:
    fill(field, 60)
    first = reader.get(f"{records_url}?size=25")
    assert names(first.text) == [f"户 {number:04}" for number in range(60, 35, -1)]
    assert "60 records" in first.text
    assert "Page 1 of 3" in first.text
    last = reader.get(f"{records_url}?size=25&page=3")
    assert names(last.text) == [f"户 {number:04}" for number in range(10, 0, -1)]
    oldest = reader.get(f"{records_url}?size=25&sort=oldest&page=2")
    assert names(oldest.text) == [f"户 {number:04}" for number in range(26, 51)]
    assert names(reader.get(f"{records_url}?size=25&page=99").text) == names(last.text)


def test_choices_and_lists_are_shown_by_their_labels(reader: Browser, field: Field, records_url: str) -> None:
    fill(field, 1)
    assert "Shiban" in reader.get(records_url).text
    reader.post("/language", {"language": "zh", "next": "/projects"})
    text = reader.get(records_url).text
    assert "石板村" in text
    assert "水稻、茶叶" in text


def test_filters(reader: Browser, field: Field, records_url: str) -> None:
    fill(field, 3)
    assert names(reader.get(f"{records_url}?q=0002").text) == ["户 0002"]
    assert names(reader.get(f"{records_url}?q=uuid:0003").text) == ["户 0003"]
    assert names(reader.get(f"{records_url}?q=%25").text) == []
    assert len(names(reader.get(f"{records_url}?by={field.phone.actor_id}&state=received").text)) == 3
    assert "No record passes" in reader.get(f"{records_url}?state=approved").text
    assert names(reader.get(f"{records_url}?until=2001-01-01").text) == []
    assert len(names(reader.get(f"{records_url}?since=2001-01-01").text)) == 3


@pytest.mark.parametrize(
    "query",
    ["page=0", "page=-1", "page=x", "size=7", "by=9999999999999999999999", "since=yesterday", "q=%00", "state=odd",
     "project_id=9&form_id=9&submission_id=9", "_external=1&_anchor=x&endpoint=y", "since=0001-01-01",
     "until=9999-12-31"],
)  # fmt: skip
def test_odd_queries_are_harmless(reader: Browser, field: Field, records_url: str, query: str) -> None:
    fill(field, 1)
    response = reader.get(f"{records_url}?{query}")
    assert response.status_code == 200
    for link in re.findall(r'class="title clip"><a hx-boost="false" href="([^"]+)"', response.text):
        assert reader.get(link.replace("&amp;", "&")).status_code == 200


def test_waiting_draft_and_deleted_records_are_not_shown(reader: Browser, field: Field, records_url: str) -> None:
    fill(field, 2)
    field.send(answers("uuid:edit", tag="9999", deprecated="uuid:unknown"))
    field.rows("UPDATE submission SET deleted_at = now() WHERE instance_id = 'uuid:0001' RETURNING id")
    from server.database import db

    db.session.commit()
    assert names(reader.get(records_url).text) == ["户 0002"]


def test_an_empty_form_says_what_to_do(reader: Browser, records_url: str) -> None:
    assert "This form has no records yet" in reader.get(records_url).text


@pytest.fixture
def record(field: Field, records_url: str) -> str:
    """Address of a record with an older and a newer neighbour, an edit and its files."""
    fill(field, 3)
    files = {"house.jpg": PHOTO, "card.jpg": PHOTO}
    assert field.send(answers("uuid:new", tag="0002", note="改", deprecated="uuid:0002"), files).status_code == 201
    (found,) = field.rows("SELECT id FROM submission WHERE instance_id = 'uuid:0002' AND project_id = :project")
    return f"{records_url}/{found[0]}"


def test_sensitive_answers_are_masked_until_a_reason_is_given(reader: Browser, field: Field, record: str) -> None:
    text = reader.get(record).text
    assert LONG_ID not in text
    assert ID_NUMBER not in text
    assert "王小山" not in text
    assert "520599**********91" in text
    assert "王**" in text
    refused = reader.post(record, {"what": "*", "reason": " "})
    assert refused.status_code == 422
    assert LONG_ID not in refused.text
    assert (
        field.rows("SELECT FROM audit_log WHERE action = 'submission.sensitive.read' AND project_id = :project") == []
    )
    one = reader.post(record, {"what": "/members[1]/id_no", "reason": "核对身份"}).text
    assert LONG_ID in one
    assert ID_NUMBER not in one
    everything = reader.post(record, {"what": "*", "reason": "电话回访"}).text
    assert ID_NUMBER in everything
    assert "王小山" in everything
    noted = field.rows(
        "SELECT details->>'what', details->>'reason' FROM audit_log"
        " WHERE action = 'submission.sensitive.read' AND project_id = :project ORDER BY id"
    )
    assert noted == [("/members[1]/id_no", "核对身份"), ("*", "电话回访")]


def test_sensitive_files_need_a_pass_made_for_the_person(
    reader: Browser, someone: Any, field: Field, record: str
) -> None:
    text = reader.get(record).text
    house = re.findall(r'href="([^"]+/files/house\.jpg)"', text)[0]
    shown = reader.get(house)
    assert shown.data == PHOTO
    assert shown.headers["Content-Disposition"].startswith("inline")
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert "/files/card.jpg" not in text
    assert reader.get(house.replace("house", "card")).status_code == 403
    opened = reader.post(record, {"what": "/card", "reason": "核对"}).text
    card = re.findall(r'href="([^"]+/files/card\.jpg\?pass=[^"]+)"', opened)[0]
    assert reader.get(card).data == PHOTO
    assert someone("viewer").get(card).status_code == 403
    assert reader.get(card[:-2] + "xx").status_code == 403


@pytest.mark.parametrize("name", ["house.svg", "house.html", "house.jpg.xml"])
def test_files_that_could_run_are_saved_not_shown(reader: Browser, field: Field, records_url: str, name: str) -> None:
    xml = answers("uuid:odd").replace(b"house.jpg", name.encode())
    assert field.send(xml, {name: b"<svg onload='alert(1)'/>"}).status_code == 201
    record, version = field.rows("SELECT id, current_version_id FROM submission WHERE project_id = :project")[0]
    response = reader.get(f"{records_url}/{record}/versions/{version}/files/{name}")
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_neighbours_follow_the_filter(reader: Browser, record: str) -> None:
    text = reader.get(record).text
    assert len(re.findall(r'rel="(?:prev|next)" data-key="." href', text)) == 2
    alone = reader.get(f"{record}?q=0002").text
    assert re.findall(r'rel="(?:prev|next)" data-key="." href', alone) == []


def test_history_shows_older_versions(reader: Browser, record: str) -> None:
    text = reader.get(record).text
    older = re.findall(r'href="([^"]+\?version=\d+)"', text)
    assert len(older) == 1
    page = reader.get(older[0]).text
    assert "older version" in page
    assert "uuid:0002" in page
    assert reader.get(f"{record}?version=999999").status_code == 404


def test_raw_xml_is_byte_for_byte_and_asks_why(reader: Browser, record: str) -> None:
    assert reader.get(f"{record}/record.xml").status_code == 400
    response = reader.post(f"{record}/record.xml", {"reason": "核对原件"})
    assert response.data == answers("uuid:new", tag="0002", note="改", deprecated="uuid:0002")


def test_reading_counts_far_tables_quickly(field: Field, form: Form, records_url: str, reader: Browser) -> None:
    """Past the limit of counting, the total is PostgreSQL's estimate and paging goes on."""
    from server.operations import records

    fill(field, 1)
    field.rows(
        "WITH copied AS (INSERT INTO submission (project_id, form_id, instance_id, current_version_id)"
        " SELECT project_id, form_id, instance_id || n, current_version_id FROM submission, generate_series(1, 300) n"
        " WHERE project_id = :project RETURNING id) SELECT count(*) FROM copied"
    )
    from server.database import db

    db.session.commit()
    limit, records.COUNT_LIMIT = records.COUNT_LIMIT, 100
    try:
        page = reader.get(f"{records_url}?size=25&page=8")
    finally:
        records.COUNT_LIMIT = limit
    assert len(names(page.text)) == 25
    assert "about" in page.text
