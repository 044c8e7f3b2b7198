"""A desk in the township office: browsers without JavaScript for people of each role, and a form with secrets."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
import pyxform.xls2xform
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from server.database import db
from server.models import Form, Project
from server.operations import people
from tests.support.field import ORX, Field

PASSWORD = "a-long-password"
ROLES = ("admin", "manager", "viewer", "formfill")
_numbers = itertools.count(1)

SURVEY = """
| survey  |                                  |          |           |                          |
|         | type                             | name     | label     | bind::xiangtu:sensitive  |
|         | select_one_from_file places.csv  | village  | 村        |                          |
|         | select_multiple crop             | crops    | 作物      |                          |
|         | text                             | note     | 备注      |                          |
|         | integer                          | people   | 人数      |                          |
|         | text                             | tag      | 户码      |                          |
|         | geopoint                         | door     | 门口      |                          |
|         | image                            | card     | 证件照    | photo                    |
|         | image                            | house    | 房屋      |                          |
|         | begin_group                      | money    | 收入      |                          |
|         | decimal                          | income   | 年收入    |                          |
|         | end_group                        |          |           |                          |
|         | begin_repeat                     | members  | 成员      |                          |
|         | text                             | name     | 姓名      | name                     |
|         | text                             | id_no    | 身份证号  | id_number                |
|         | end_repeat                       |          |           |                          |
| choices |                                  |          |           |                          |
|         | list_name                        | name     | label     |                          |
|         | crop                             | rice     | 水稻      |                          |
|         | crop                             | tea      | 茶叶      |                          |
| settings |          |            |         |                      |                                            |
|          | form_id  | form_title | version | instance_name        | namespaces                                 |
|          | visit    | 走访       | 1       | concat("户 ", ${tag}) | xiangtu="https://xiangtu.example/xforms"   |
"""
PLACES = "name,label,label_en\nv1,石板村,Shiban\nv2,大坪村,Daping\n".encode()
ID_NUMBER = "52059919840102259X"
LONG_ID = "520599198401022591"


def survey() -> bytes:
    """The form with secrets as an XForm."""
    return pyxform.xls2xform.convert(SURVEY).xform.encode()


def answers(instance_id: str, *, tag: str = "0027", note: str = "", deprecated: str = "") -> bytes:
    """One record of it."""
    edits = f"<orx:deprecatedID>{deprecated}</orx:deprecatedID>" if deprecated else ""
    return (
        f'<data id="visit" version="1" xmlns:orx="{ORX}"><village>v1</village><crops>rice tea</crops>'
        f"<note>{note}</note><people>3</people><tag>{tag}</tag><door>26.57 106.71 1100.0 4.5</door>"
        f"<card>card.jpg</card><house>house.jpg</house><money><income>-12.5</income></money>"
        f"<members><name>王小山</name><id_no>{LONG_ID}</id_no></members>"
        f"<members><name>李春</name><id_no>{ID_NUMBER}</id_no></members>"
        f"<orx:meta>{edits}<orx:instanceID>{instance_id}</orx:instanceID>"
        f"<orx:instanceName>户 {tag}</orx:instanceName></orx:meta></data>"
    ).encode()


class Browser:
    """A browser without JavaScript: keeps cookies and sends the CSRF token of the last page with each form."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.token = ""

    def get(self, path: str, **options: Any) -> TestResponse:
        """Open a page."""
        with self.client.application.app_context():  # `g` of its own, as each request has outside of tests
            return self._keep(self.client.get(path, buffered=True, **options))

    def post(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Send a form."""
        if not self.token:
            self.get("/login")
        with self.client.application.app_context():
            return self._keep(
                self.client.post(path, data={"csrf_token": self.token, **(data or {})}, buffered=True, **options)
            )

    def log_in(self, email: str, password: str = PASSWORD, **data: str) -> TestResponse:
        """Log in."""
        self.get("/login")
        response = self.post("/login", {"email": email, "password": password, **data})
        self.get("/projects")  # the token from before the login is void
        return response

    def _keep(self, response: TestResponse) -> TestResponse:
        if response.mimetype == "text/html":
            found = re.search(r'name="csrf_token" value="([^"]+)"', response.text)
            self.token = found[1] if found else self.token
        return response


@pytest.fixture
def browser(app: Flask) -> Browser:
    """A browser nobody has logged in with."""
    return Browser(app.test_client())


@pytest.fixture
def someone(app: Flask, context: None) -> Any:
    """Makes a browser in which a new person with a role is logged in, in English."""

    def make(role: str | None = "admin", language: str = "en") -> Browser:
        user, _ = people.create_user(f"p{next(_numbers)}@example.cn", password=PASSWORD, role=role)
        user.language = language
        db.session.commit()
        made = Browser(app.test_client())
        assert made.log_in(user.email).status_code == 303
        return made

    return make


@pytest.fixture
def form(field: Field) -> Form:
    """The form with secrets, published in the test's project with its list."""
    return field.publish(survey(), {"places.csv": PLACES})


@pytest.fixture
def records_url(project: Project, form: Form) -> str:
    """Address of the form's table."""
    return f"/projects/{project.id}/forms/{form.id}/records"
