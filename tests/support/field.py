"""The field in a test: forms, phones that fetch and send, and a look at what was stored."""

from __future__ import annotations

import io
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import pyxform.xls2xform
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from server.database import db
from server.models import AppUser, Form, Project
from server.operations import app_users, forms

ORX = "http://openrosa.org/xforms"

VISIT = """
| survey   |              |            |       |
|          | type         | name       | label |
|          | text         | household  | 户码  |
|          | integer      | people     | 人数  |
|          | geopoint     | door       | 门口  |
|          | image        | photo      | 照片  |
|          | begin_repeat | members    | 成员  |
|          | text         | name       | 姓名  |
|          | integer      | age        | 年龄  |
|          | end_repeat   |            |       |
| settings |              |            |       |
|          | form_id      | form_title | version |
|          | {form_id}    | {title}    | {version} |
"""


def visit(form_id: str = "visit", version: str = "1", title: str = "走访") -> bytes:
    """A small household visit as an XForm."""
    markdown = VISIT.format(form_id=form_id, version=version, title=title)
    return pyxform.xls2xform.convert(markdown).xform.encode()


def record(
    instance_id: str | None = None,
    *,
    form_id: str = "visit",
    version: str = "1",
    deprecated_id: str | None = None,
    household: str = "H-001",
    photo: str = "",
) -> bytes:
    """The XML of one visit."""
    instance_id = instance_id or f"uuid:{uuid.uuid4()}"
    deprecated = f"<orx:deprecatedID>{deprecated_id}</orx:deprecatedID>" if deprecated_id else ""
    return (
        f'<?xml version=\'1.0\' encoding=\'UTF-8\' ?><data id="{form_id}" version="{version}" xmlns:orx="{ORX}">'
        f"<household>{household}</household><people>3</people><door>26.57 106.71 1100.0 4.5</door>"
        f"<photo>{photo}</photo><members><name>王小山</name><age>41</age></members>"
        f"<members><name>王春</name><age>12</age></members>"
        f"<orx:meta>{deprecated}<orx:instanceID>{instance_id}</orx:instanceID></orx:meta></data>"
    ).encode()


def message(response: Any) -> str:
    """The text an enumerator reads of an OpenRosa answer."""
    body = response.data if isinstance(response, TestResponse) else response.content
    found = ElementTree.fromstring(body).find("{http://openrosa.org/http/response}message")
    assert found is not None
    return found.text or ""


@dataclass
class Field:
    """A project with its phones.

    Parameters
    ----------
    app, client, project
        The fixtures of these names.
    """

    app: Flask
    client: FlaskClient
    project: Project
    _phone: AppUser | None = field(default=None, repr=False)

    def publish(self, xform: bytes | None = None, files: Mapping[str, bytes] | None = None) -> Form:
        """Publish a form (a small visit by default), with the files beside it."""
        definition = forms.Definition(xform or visit())
        existing = {form.xml_form_id: form for form in forms.listing(self.project.id)}
        form_id = forms.read_xform(definition.xform).form_id
        draft = forms.save_draft(self.project.id, definition, form=existing.get(form_id))
        for name, data in (files or {}).items():
            forms.attach(draft, name, data)
        form = forms.get(self.project.id, form_id)
        forms.publish(form)
        return form

    @property
    def phone(self) -> AppUser:
        """An app user who may use every form."""
        if self._phone is None:
            self._phone = app_users.create(self.project.id, "采集员甲")
        return self._phone

    def base(self, origin: str = "", phone: AppUser | None = None) -> str:
        """The server URL in the phone's settings, below `origin`."""
        return f"{origin}/v1/key/{app_users.token(phone or self.phone)}/projects/{self.project.id}"

    def get(self, path: str, **options: Any) -> TestResponse:
        """GET below the phone's server URL."""
        return self.client.get(self.base() + path, **options)

    def send(self, xml: bytes, files: Mapping[str, bytes] | None = None, base: str | None = None) -> TestResponse:
        """POST a submission as Collect does."""
        data: dict[str, Any] = {"xml_submission_file": (io.BytesIO(xml), "record.xml", "text/xml")}
        data |= {name: (io.BytesIO(content), name) for name, content in (files or {}).items()}
        address = f"{base or self.base()}/submission?deviceID=collect%3Atest"
        return self.client.post(address, data=data, headers={"X-OpenRosa-Version": "1.0"})

    def rows(self, sql: str, **values: Any) -> list[Any]:
        """What a query finds; ``:project`` is the test's project."""
        db.session.rollback()
        return list(db.session.execute(text(sql), {"project": self.project.id, **values}))

    def count(self) -> int:
        """Records of the project that staff see."""
        shown = "project_id = :project AND current_version_id IS NOT NULL AND deleted_at IS NULL AND NOT draft"
        return int(self.rows(f"SELECT count(*) FROM submission WHERE {shown}")[0][0])
