"""Forms: drafts, versions, attachments, states."""

from __future__ import annotations

import hashlib

import pytest

from server.models import Project
from server.operations import forms
from server.operations.errors import Refused
from tests.support.field import visit

ASKS_FOR_FILE = """
| survey   |                                   |            |         |
|          | type                              | name       | label   |
|          | select_one_from_file villages.csv | village    | 村      |
| settings |                                   |            |         |
|          | form_id                           | form_title | version |
|          | visit                             | 走访       | {version} |
"""


def asks_for_file(version: str) -> bytes:
    import pyxform.xls2xform

    return pyxform.xls2xform.convert(ASKS_FOR_FILE.format(version=version)).xform.encode()


def draft(project: Project, xform: bytes, **options: object):  # type: ignore[no-untyped-def]
    return forms.save_draft(project.id, forms.Definition(xform), **options)  # type: ignore[arg-type]


def refused(code: str, call: object, *arguments: object, **options: object) -> None:
    with pytest.raises(Refused) as caught:
        call(*arguments, **options)  # type: ignore[operator]
    assert caught.value.code == code


def test_a_first_draft_makes_the_form(project: Project) -> None:
    version = draft(project, visit())
    form = forms.get(project.id, "visit")
    assert form.draft_version_id == version.id
    assert form.current_version_id is None
    assert version.hash == hashlib.md5(visit()).hexdigest()


def test_publishing_makes_the_draft_current(project: Project) -> None:
    version = draft(project, visit())
    form = forms.get(project.id, "visit")
    forms.publish(form)
    assert (form.current_version_id, form.draft_version_id) == (version.id, None)
    assert version.published_at is not None


def test_every_published_version_is_kept(project: Project) -> None:
    for number in ("1", "2", "3"):
        existing = None if number == "1" else forms.get(project.id, "visit")
        draft(project, visit(version=number), form=existing)
        forms.publish(forms.get(project.id, "visit"))
    assert [version.version for version in forms.versions(forms.get(project.id, "visit"))] == ["3", "2", "1"]


def test_a_version_is_published_once(project: Project) -> None:
    draft(project, visit())
    form = forms.get(project.id, "visit")
    forms.publish(form)
    draft(project, visit(title="改了题目"), form=form)
    refused("409.6", forms.publish, form)


def test_publishing_without_a_draft_is_refused(project: Project) -> None:
    draft(project, visit())
    form = forms.get(project.id, "visit")
    forms.publish(form)
    refused("404.1", forms.publish, form)


def test_a_form_id_is_taken_once_a_project(project: Project) -> None:
    draft(project, visit())
    refused("409.3", draft, project, visit())


def test_a_new_version_must_be_of_the_same_form(project: Project) -> None:
    draft(project, visit())
    refused("400.8", draft, project, visit("other"), form=forms.get(project.id, "visit"))


@pytest.mark.parametrize("xform", [b"", b"<a/>", b"not xml", b"<html xmlns='http://www.w3.org/1999/xhtml'/>"])
def test_what_is_no_form_is_refused(project: Project, xform: bytes) -> None:
    refused("400.8", draft, project, xform)
    assert forms.listing(project.id) == []


def test_attachments_are_expected_then_present_then_carried_over(project: Project) -> None:
    version = draft(project, asks_for_file("1"))
    (expected,) = version.attachments
    assert (expected.name, expected.blob_sha256) == ("villages.csv", None)
    forms.attach(version, "villages.csv", b"name,label\n1,a\n")
    form = forms.get(project.id, "visit")
    forms.publish(form)
    second = draft(project, asks_for_file("2"), form=form)
    assert [bytes(file.blob_sha256 or b"") for file in second.attachments] == [
        hashlib.sha256(b"name,label\n1,a\n").digest()
    ]


def test_a_file_nobody_asks_for_is_refused(project: Project) -> None:
    refused("404.1", forms.attach, draft(project, visit()), "other.csv", b"x")


def test_discarding_the_only_draft_takes_the_form_away(project: Project) -> None:
    draft(project, visit())
    forms.discard_draft(forms.get(project.id, "visit"))
    refused("404.1", forms.get, project.id, "visit")
    assert draft(project, visit()).version == "1", "the form id is free again"


def test_discarding_a_later_draft_keeps_the_form(project: Project) -> None:
    first = draft(project, visit())
    form = forms.get(project.id, "visit")
    forms.publish(form)
    draft(project, visit(version="2"), form=form)
    forms.discard_draft(form)
    assert (form.current_version_id, form.draft_version_id) == (first.id, None)


def test_an_unknown_state_is_refused(project: Project) -> None:
    draft(project, visit())
    refused("400.8", forms.set_state, forms.get(project.id, "visit"), "asleep")


@pytest.mark.parametrize("project_id", [0, -1, 2**63, 2**70])
def test_numbers_no_project_has(context: None, project_id: int) -> None:
    refused("404.1", forms.get, project_id, "visit")


EXTERNAL = """
| survey           |                      |         |       |
|                  | type                 | name    | label | choice_filter |
|                  | text                 | town    | 乡    |               |
|                  | select_one_external v| village | 村    | town=${town}  |
| external_choices |                      |         |       |               |
|                  | list_name            | name    | label | town          |
|                  | v                    | 1       | 石板  | a             |
| settings         |                      |         |       |               |
|                  | form_id              | version | form_title |          |
|                  | external             | 1       | 外部  |               |
"""


def test_external_choices_come_with_the_form(project: Project) -> None:
    definition = forms.read_definition(EXTERNAL.encode(), "external.md")
    version = forms.save_draft(project.id, definition)
    (itemsets,) = version.attachments
    assert itemsets.name == "itemsets.csv"
    assert itemsets.blob_sha256 is not None
    assert "石板".encode() in b"".join(forms.blobs().chunks(bytes(itemsets.blob_sha256)))
