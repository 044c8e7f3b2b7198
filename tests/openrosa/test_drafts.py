"""Trying a draft on a phone before it is published."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from server.models import FormVersion
from server.operations import forms
from tests.support.field import Field, message, record, visit


@pytest.fixture
def draft(field: Field) -> FormVersion:
    return forms.save_draft(field.project.id, forms.Definition(visit()))


def base(field: Field, draft: FormVersion) -> str:
    return f"/v1/test/{forms.draft_token(draft)}/projects/{field.project.id}/forms/visit/draft"


def test_the_draft_is_listed_alone(field: Field, draft: FormVersion) -> None:
    field.publish(visit("other"))
    response = field.client.get(base(field, draft) + "/formList")
    assert response.status_code == 200
    root = ElementTree.fromstring(response.data)
    assert [form[0].text for form in root] == ["visit"]
    url = next(child.text or "" for child in root[0] if child.tag.endswith("downloadUrl"))
    assert field.client.get(url.removeprefix("http://localhost")).data == visit()


def test_trial_records_stay_apart(field: Field, draft: FormVersion) -> None:
    assert field.send(record("uuid:t"), base=base(field, draft)).status_code == 201
    assert field.count() == 0
    assert field.rows("SELECT draft FROM submission WHERE project_id = :project") == [(True,)]
    forms.publish(forms.get(field.project.id, "visit"))
    assert field.send(record("uuid:t")).status_code == 201, "the same instance is new to the published form"
    assert field.count() == 1


def test_the_address_ends_with_the_draft(field: Field, draft: FormVersion) -> None:
    address = base(field, draft)
    assert field.client.head(address + "/submission").status_code == 204
    forms.publish(forms.get(field.project.id, "visit"))
    for response in (
        field.client.get(address + "/formList"),
        field.client.get(address + ".xml"),
        field.send(record(), base=address),
    ):
        assert response.status_code == 404
        assert "404" in message(response)


def test_a_drafts_token_opens_nothing_else(field: Field, draft: FormVersion) -> None:
    field.publish(visit("other"))
    token = forms.draft_token(draft)
    project = field.project.id
    assert field.client.get(f"/v1/key/{token}/projects/{project}/formList").status_code == 403
    assert field.client.get(f"/v1/test/{token}/projects/{project}/forms/other/draft/formList").status_code == 404


def test_an_app_users_token_does_not_open_a_draft(field: Field, draft: FormVersion) -> None:
    from server.operations import app_users

    token = app_users.token(field.phone)
    address = f"/v1/test/{token}/projects/{field.project.id}/forms/visit/draft/formList"
    assert field.client.get(address).status_code == 404
