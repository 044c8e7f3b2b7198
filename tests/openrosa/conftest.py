"""A ground for tests that attack the phones' door over real HTTP: one project, one form, and a look at what changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from server.config import Settings
from server.database import db
from server.operations import projects
from tests.support.field import Field
from tests.support.phones import MULTIPART, Answer, body, exchange, post, request, xml_part
from tests.support.server import LiveServer

TABLES = ("submission", "submission_version", "submission_attachment", "submission_geometry", "blob", "audit_log")


class Ground:
    """A served project under attack."""

    def __init__(self, field: Field, live: LiveServer, blobs: Path) -> None:
        self.field = field
        self.live = live
        self.blobs = blobs
        self.base = field.base(live.url)
        self.path = field.base()

    def get(self, below: str | bytes, *headers: bytes, method: str = "GET") -> Answer:
        """A request below the phone's server URL."""
        below = below if isinstance(below, bytes) else below.encode()
        return exchange(self.base, request(method, self.path.encode() + below, headers=headers))

    def send(self, xml: bytes, *files: bytes) -> Answer:
        """A record with file parts."""
        return post(self.base, body(xml_part(xml), *files))

    def post(self, content: bytes, content_type: bytes = MULTIPART, *headers: bytes) -> Answer:
        """Any body."""
        return post(self.base, content, content_type, headers)

    def state(self) -> dict[str, int]:
        """Rows of every table that a record touches, and files of the blob store."""
        db.session.rollback()
        rows = {table: db.session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in TABLES}
        kept = sum(1 for file in self.blobs.rglob("*") if file.is_file() and file.parent.name != "incoming")
        return rows | {"kept files": kept, "incoming files": len([*(self.blobs / "incoming").iterdir()])}

    def version(self) -> object:
        """The newest version of a record."""
        (row,) = self.field.rows(
            "SELECT * FROM submission_version WHERE project_id = :project ORDER BY id DESC LIMIT 1"
        )
        return row


@pytest.fixture(scope="module")
def ground(app: Flask, live: LiveServer, settings: Settings) -> Iterator[Ground]:
    """The ground of a module; afterwards nothing may have crashed."""
    with app.app_context():
        field = Field(app, app.test_client(), projects.create("受攻击的乡"))
        field.publish()
        yield Ground(field, live, settings.blob_dir)
    written = live.log.read_text()
    assert "crash" not in written
    assert "Traceback" not in written


def assert_refused(ground: Ground, before: dict[str, int], answer: Answer, status: int, code: str) -> None:
    """It was refused as OpenRosa has it, in the enumerator's language, and nothing was written."""
    assert answer.status == status, answer.content
    assert answer.headers["content-type"].startswith("text/xml")
    assert answer.headers["x-openrosa-version"] == "1.0"
    assert f"({code})" in answer.message
    assert any("\u4e00" <= char <= "\u9fff" for char in answer.message), answer.message
    assert b"Traceback" not in answer.content
    assert ground.state() == before
