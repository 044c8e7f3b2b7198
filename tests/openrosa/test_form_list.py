"""Form list, form, manifest and attachments, as Collect asks for them."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest

from server.models import Project
from server.operations import app_users, forms
from tests.support.field import Field, message, visit

LIST = "{http://openrosa.org/xforms/xformsList}"
MANIFEST = "{http://openrosa.org/xforms/xformsManifest}"

VILLAGE_SURVEY = """
| survey   |                                   |         |       |
|          | type                              | name    | label |
|          | select_one_from_file villages.csv | village | 村    |
| settings |                                   |         |       |
|          | form_id                           | form_title | version |
|          | villages                          | 村情    | 1     |
"""


def village_survey() -> bytes:
    import pyxform.xls2xform

    return pyxform.xls2xform.convert(VILLAGE_SURVEY).xform.encode()


def listed(response: Any) -> list[dict[str, str]]:
    root = ElementTree.fromstring(response.data)
    assert root.tag == f"{LIST}xforms"
    return [{child.tag.removeprefix(LIST): child.text or "" for child in form} for form in root]


def path_of(url: str) -> str:
    return urlsplit(url).path


def test_list_gives_collect_every_field_it_insists_on(field: Field) -> None:
    field.publish(visit(title="入户 & 走访"))
    response = field.get("/formList?deviceID=collect%3Aabc", headers={"X-OpenRosa-Version": "1.0"})
    assert response.status_code == 200
    assert response.content_type.startswith("text/xml")
    assert response.headers["X-OpenRosa-Version"] == "1.0"
    (form,) = listed(response)
    assert form["formID"] == "visit"
    assert form["name"] == "入户 & 走访"
    assert form["version"] == "1"
    assert "manifestUrl" not in form
    xml = field.client.get(path_of(form["downloadUrl"])).data
    assert form["hash"] == "md5:" + hashlib.md5(xml).hexdigest()


def test_form_comes_back_byte_for_byte(field: Field) -> None:
    xform = visit()
    field.publish(xform)
    response = field.get("/forms/visit.xml")
    assert response.data == xform
    assert response.content_type.startswith("text/xml")


def test_a_second_sync_downloads_nothing(field: Field) -> None:
    field.publish(village_survey(), {"villages.csv": b"name,label\n1,a\n"})
    for path in (
        "/formList",
        "/forms/villages.xml",
        "/forms/villages/manifest",
        "/forms/villages/attachments/villages.csv",
    ):
        first = field.get(path)
        assert first.status_code == 200, path
        assert first.headers["Cache-Control"] == "private, no-cache"
        again = field.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304, path
        assert again.data == b""


def test_publishing_again_changes_the_etag(field: Field) -> None:
    field.publish()
    before = field.get("/formList").headers["ETag"]
    field.publish(visit(version="2"))
    response = field.get("/formList", headers={"If-None-Match": before})
    assert response.status_code == 200
    assert listed(response)[0]["version"] == "2"


def test_manifest_lists_files_that_are_here(field: Field) -> None:
    csv = "name,label\n520599101200,石板村\n".encode()
    field.publish(village_survey(), {"villages.csv": csv})
    (form,) = listed(field.get("/formList"))
    response = field.client.get(path_of(form["manifestUrl"]))
    assert response.content_type.startswith("text/xml")
    assert response.headers["X-OpenRosa-Version"] == "1.0"
    (file,) = ElementTree.fromstring(response.data)
    values = {child.tag.removeprefix(MANIFEST): child.text or "" for child in file}
    assert values["filename"] == "villages.csv"
    assert values["hash"] == "md5:" + hashlib.md5(csv).hexdigest()
    downloaded = field.client.get(path_of(values["downloadUrl"]))
    assert downloaded.data == csv
    assert downloaded.headers["Content-Length"] == str(len(csv))


def test_a_file_that_is_not_here_yet_is_not_announced(field: Field) -> None:
    field.publish(village_survey())
    (form,) = listed(field.get("/formList"))
    assert "manifestUrl" not in form
    assert len(ElementTree.fromstring(field.get("/forms/villages/manifest").data)) == 0


@pytest.mark.parametrize("state", ["closing", "closed"])
def test_closing_and_closed_forms_drop_out(field: Field, state: str) -> None:
    form = field.publish()
    field.publish(visit("other"))
    forms.set_state(form, state)
    assert [row["formID"] for row in listed(field.get("/formList"))] == ["other"]


def test_drafts_are_not_listed(field: Field) -> None:
    field.publish()
    forms.save_draft(field.project.id, forms.Definition(visit("draft_only")))
    assert [row["formID"] for row in listed(field.get("/formList"))] == ["visit"]


def test_one_form_can_be_asked_for(field: Field) -> None:
    field.publish()
    field.publish(visit("other"))
    assert [row["formID"] for row in listed(field.get("/formList?formID=other"))] == ["other"]


def test_a_phone_that_asks_is_noted(field: Field) -> None:
    field.publish()
    assert field.phone.last_used_at is None
    field.get("/formList")
    (first,) = field.rows("SELECT last_used_at FROM app_user WHERE project_id = :project")
    assert first.last_used_at is not None
    field.get("/formList")
    assert field.rows("SELECT last_used_at FROM app_user WHERE project_id = :project") == [first], "to the hour"


def test_a_project_without_forms_lists_nothing(field: Field) -> None:
    assert listed(field.get("/formList")) == []


def test_a_wrong_token_is_refused_and_never_an_empty_list(field: Field) -> None:
    field.publish()
    response = field.client.get(f"/v1/key/{'x' * 64}/projects/{field.project.id}/formList")
    assert response.status_code == 403, "401 would make Collect ask for a password"
    assert "403.1" in message(response)


def test_a_revoked_token_is_refused_at_once(field: Field) -> None:
    field.publish()
    assert field.get("/formList").status_code == 200
    app_users.revoke(field.project.id, field.phone.actor_id)
    for path in ("/formList", "/forms/visit.xml", "/forms/visit/manifest"):
        assert field.get(path).status_code == 403, path


def test_a_token_opens_its_own_project_only(field: Field, project: Project) -> None:
    from server.operations import projects

    other = projects.create("别的乡")
    token = app_users.token(field.phone)
    assert field.client.get(f"/v1/key/{token}/projects/{other.id}/formList").status_code == 403


def test_an_app_user_may_be_limited_to_some_forms(field: Field) -> None:
    allowed = field.publish()
    field.publish(visit("other"))
    limited = app_users.create(field.project.id, "只做走访", form_ids=[allowed.id])
    response = field.client.get(field.base(phone=limited) + "/formList")
    assert [row["formID"] for row in listed(response)] == ["visit"]
    assert field.client.get(field.base(phone=limited) + "/forms/other.xml").status_code == 404
    assert field.send(b"<data id='other' version='1'/>", base=field.base(phone=limited)).status_code == 403


@pytest.mark.parametrize("form_id", ["a b", "a/b", "a&b", "入户走访", "été", "x.xml", "forms", "a%2Fb"])
def test_form_ids_may_hold_anything(field: Field, form_id: str) -> None:
    xform = visit("PLACEHOLDER").replace(b"PLACEHOLDER", form_id.replace("&", "&amp;").encode())
    field.publish(xform)
    (form,) = listed(field.get("/formList"))
    assert form["formID"] == form_id
    assert field.client.get(path_of(form["downloadUrl"])).data == xform


def test_errors_are_in_the_projects_language(field: Field) -> None:
    response = field.get("/forms/nothing.xml")
    assert response.status_code == 404
    assert response.content_type.startswith("text/xml")
    chinese = message(response)
    assert any("\u4e00" <= char <= "\u9fff" for char in chinese), chinese
    assert "404.1" in chinese
