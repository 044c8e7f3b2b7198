"""A server whose database is away: phones are told to wait, and never that something is gone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from server.app import create_app
from tests.conftest import quick_settings
from tests.support.field import message, record

KEY = "/v1/key/some-token/projects/1"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A client of an application that has nobody to ask."""
    folder: Path = tmp_path_factory.mktemp("data")
    app = create_app(quick_settings(folder), f"postgresql+psycopg://xiangtu@/nobody?host={folder}")
    yield app.test_client()
    app.extensions["xiangtu.fast"].dispose()


@pytest.mark.parametrize(
    "path",
    ["/formList", "/forms/visit.xml", "/forms/visit/manifest", "/forms/visit/attachments/villages.csv", "/submission"],
)
@pytest.mark.parametrize("base", [KEY, "/v1/projects/1", "/v1/test/some-token/projects/1/forms/visit/draft"])
def test_a_phone_is_told_to_come_back(client: FlaskClient, base: str, path: str) -> None:
    if base.endswith("draft"):
        path = path.removeprefix("/forms/visit") if path != "/forms/visit.xml" else ".xml"
    credentials = {"auth": ("clerk@example.cn", "password")} if base == "/v1/projects/1" else {}
    if path == "/submission":
        data = {"xml_submission_file": (io.BytesIO(record()), "r.xml"), "a.jpg": (io.BytesIO(b"photo"), "a.jpg")}
        response = client.post(base + path, data=data, **credentials)
    else:
        response = client.get(base + path, **credentials)
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert response.headers["X-OpenRosa-Version"] == "1.0"
    assert "(503.1)" in message(response)
    assert b"xforms" not in response.data
