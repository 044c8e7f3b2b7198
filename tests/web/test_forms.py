"""Forms: uploads with their messages, drafts, publishing, states, files."""

from __future__ import annotations

import io
from typing import Any

import pytest

from server.models import Form, Project
from server.operations import forms
from tests.support.field import Field, visit
from tests.web.conftest import PLACES, Browser, survey

BROKEN = """
| survey |      |      |       |
|        | type | name | label |
|        | text | a b  | 姓名  |
"""


@pytest.fixture
def manager(someone: Any) -> Browser:
    browser: Browser = someone("manager")
    return browser


def file(data: bytes, name: str) -> tuple[io.BytesIO, str]:
    return io.BytesIO(data), name


def test_a_broken_form_is_explained_by_sheet_and_row(manager: Browser, project: Project) -> None:
    response = manager.post(f"/projects/{project.id}/forms", {"file": file(BROKEN.encode(), "broken.md")})
    assert response.status_code == 422
    row = response.text.split('id="messages"')[1]
    assert ">survey</td>" in row
    assert ">2</td>" in row
    assert "pyxform" in row
    assert list(forms.listing(project.id)) == []


def test_nothing_chosen_and_another_id_are_refused(manager: Browser, project: Project, form: Form) -> None:
    address = f"/projects/{project.id}/forms/{form.id}/draft"
    assert "Choose an Excel file first" in manager.post(address).text
    response = manager.post(address, {"file": file(visit("another"), "another.xml")})
    assert response.status_code == 422
    assert "another" in response.text


def test_from_upload_to_phone_and_closed(manager: Browser, field: Field) -> None:
    base = f"/projects/{field.project.id}/forms"
    created = manager.post(base, {"file": file(visit(), "visit.xml")})
    assert created.status_code == 303
    page = created.location
    assert 'class="qr-code"' in manager.get(page).text
    assert "<formID>" not in field.get("/formList").text
    assert manager.post(f"{page}/draft/publish").status_code == 303
    assert "<formID>visit</formID>" in field.get("/formList").text
    assert manager.post(f"{page}/draft/publish").status_code == 404
    manager.post(f"{page}/state", {"state": "closed"})
    assert "<formID>" not in field.get("/formList").text
    assert manager.post(f"{page}/state", {"state": "ajar"}).status_code == 400


def test_the_same_version_twice_is_refused_in_words(manager: Browser, field: Field) -> None:
    page = f"/projects/{field.project.id}/forms/{field.publish().id}"
    manager.post(f"{page}/draft", {"file": file(visit(title="改"), "visit.xml")})
    response = manager.post(f"{page}/draft/publish")
    assert response.status_code == 422
    assert "published before" in response.text


def test_upload_by_htmx_is_sent_on(manager: Browser, project: Project) -> None:
    response = manager.post(
        f"/projects/{project.id}/forms", {"file": file(visit(), "visit.xml")}, headers={"HX-Request": "true"}
    )
    assert response.status_code == 204
    assert response.headers["HX-Redirect"].startswith(f"/projects/{project.id}/forms/")


def test_discarding_the_only_draft_removes_the_form(manager: Browser, project: Project) -> None:
    base = f"/projects/{project.id}/forms"
    page = manager.post(base, {"file": file(visit(), "visit.xml")}).location
    assert manager.post(f"{page}/draft/discard").location == base
    assert manager.get(page).status_code == 404


def test_files_are_missing_until_given(manager: Browser, project: Project) -> None:
    page = manager.post(f"/projects/{project.id}/forms", {"file": file(survey(), "visit.xml")}).location
    assert "places.csv" in manager.get(page).text
    assert "still missing" in manager.get(page).text
    version = forms.listing(project.id)[0].draft_version_id
    address = f"{page}/versions/{version}/files"
    assert manager.get(f"{address}/places.csv").status_code == 404
    manager.post(address, {"name": "places.csv", "files": file(PLACES, "村名单.csv")})
    assert "still missing" not in manager.get(page).text
    given = manager.get(f"{address}/places.csv")
    assert given.data == PLACES
    assert given.headers["Content-Disposition"].startswith("attachment")
    manager.post(address, {"files": file(b"x", "unasked.csv")})
    assert "does not ask for a file" in manager.get(page).text


def test_definitions_are_downloaded_byte_for_byte(manager: Browser, project: Project, form: Form) -> None:
    base = f"/projects/{project.id}/forms/{form.id}/versions/{form.current_version_id}"
    response = manager.get(f"{base}/form.xml")
    assert response.data == survey()
    assert "visit-1.xml" in response.headers["Content-Disposition"]
    assert manager.get(f"{base}/form.xlsx").status_code == 404, "it came as XForm"


def test_a_survey_of_the_library_is_added_whole(manager: Browser, project: Project) -> None:
    response = manager.post(f"/projects/{project.id}/forms/library/mediation_log")
    assert response.status_code == 303
    added = forms.listing(project.id)[0]
    assert added.draft_version is not None
    assert all(item.blob_sha256 for item in added.draft_version.attachments)
    workbook = manager.get(f"{response.location}/versions/{added.draft_version_id}/form.xlsx")
    assert workbook.status_code == 200
    assert workbook.data.startswith(b"PK")
    again = manager.post(f"/projects/{project.id}/forms/library/mediation_log")
    assert again.status_code == 409
    assert "library/mediation_log" not in manager.get(f"/projects/{project.id}/forms").text
