"""The main job: phones fetch the three surveys, JavaRosa fills them, and the records are in PostGIS."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from server.database import db
from server.operations import app_users, forms, projects
from server.operations.library import publish_all
from tests.clients.javarosa import Filled, JavaRosa
from tests.clients.phone import Phone
from tests.forms.mediation_log_plans import MEETING
from tests.forms.plans import HOUSEHOLD, RESOURCE
from tests.support.server import LiveServer

SMALL = "60000"  # bytes a phone may put in one POST here
PHOTO = 25_000


def photo(seed: int) -> bytes:
    """Bytes no two of which are alike."""
    return b"".join(hashlib.sha256(b"%d-%d" % (seed, block)).digest() for block in range(PHOTO // 32 + 1))[:PHOTO]


@dataclass
class Township:
    """A published project, its phone, and what the server keeps."""

    phone: Phone
    project_id: int

    def rows(self, sql: str, **values: Any) -> list[Any]:
        """What a query finds."""
        db.session.rollback()
        return list(db.session.execute(text(sql), {"project": self.project_id, **values}))


@pytest.fixture(scope="module")
def small_posts(app: Flask, settings: Any, database_url: str) -> Iterator[LiveServer]:
    """A server that takes little at once."""
    with LiveServer(settings.data_dir, database_url, XIANGTU_ACCEPT_LENGTH=SMALL) as server:
        yield server


@pytest.fixture
def township(app: Flask, small_posts: LiveServer) -> Iterator[Township]:
    with app.app_context():
        project = projects.create("云岭镇")
        publish_all(project.id)
        phone = app_users.create(project.id, "采集员甲")
        yield Township(Phone(app_users.server_url(phone, small_posts.url)), project.id)


@pytest.fixture(scope="module")
def engine() -> Iterator[JavaRosa]:
    with JavaRosa() as javarosa:
        yield javarosa


PLANS = {"household_visit": HOUSEHOLD, "mediation_log": MEETING, "resource_survey": RESOURCE}


def fill(engine: JavaRosa, phone: Phone, form_id: str, folder: Path) -> tuple[Filled, dict[str, bytes]]:
    """Fill a form as it is on the phone; returns the record and its files."""
    form = phone.forms[form_id]
    folder.mkdir()
    for name, data in form.files.items():
        (folder / name).write_bytes(data)
    filled = engine.fill(form.xml, {"answers": PLANS[form_id]}, folder)
    assert filled.ok, filled.notes
    names = [value for value in PLANS[form_id].values() if value and value.endswith((".png", ".jpg"))]
    files = {name: photo(number) for number, name in enumerate(names)}
    return filled, {**files, "audit.csv": b"event,node,start,end\nform start,,1,\n"}


def test_a_phone_gets_the_three_surveys_once(township: Township) -> None:
    township.phone.sync()
    assert set(township.phone.forms) == {"household_visit", "mediation_log", "resource_survey"}
    assert all("villages.csv" in form.files for form in township.phone.forms.values())
    downloaded = len(township.phone.downloads)
    assert downloaded == 6
    township.phone.sync()
    assert len(township.phone.downloads) == downloaded, "a second sync downloads nothing again"


@pytest.mark.parametrize("form_id", list(PLANS))
def test_a_record_arrives_whole(township: Township, engine: JavaRosa, form_id: str, tmp_path: Path) -> None:
    township.phone.sync()
    filled, files = fill(engine, township.phone, form_id, tmp_path / "media")
    posts = township.phone.send(filled.xml, files)
    assert len(posts) > 1 or len(files) < 3, "the files go in several POSTs"
    assert township.phone.send(filled.xml, files) == posts, "a retry is answered alike"
    (row,) = township.rows(
        """
        SELECT s.id, v.xml, v.answers, v.problems, v.instance_name FROM submission s
        JOIN submission_version v ON v.id = s.current_version_id WHERE s.project_id = :project
        """
    )
    assert bytes(row.xml) == filled.xml
    assert row.problems is None
    stored = township.rows("SELECT name, expected, blob_sha256 FROM submission_attachment WHERE project_id = :project")
    assert {name for name, _expected, _sha in stored} == set(files)
    assert all(expected for _name, expected, _sha in stored)
    for name, _expected, sha256 in stored:
        assert b"".join(forms.blobs().chunks(bytes(sha256))) == files[name]
    places = township.rows("SELECT ST_IsValid(geom) AS valid FROM submission_geometry WHERE project_id = :project")
    assert places
    assert all(place.valid for place in places)


def test_an_edit_on_the_phone_replaces_the_record(township: Township, engine: JavaRosa, tmp_path: Path) -> None:
    township.phone.sync()
    filled, files = fill(engine, township.phone, "household_visit", tmp_path / "media")
    township.phone.send(filled.xml, files)
    form = township.phone.forms["household_visit"]
    changed = {"answers": {"/closing/notes": "补充说明"}}
    edited = engine.fill(form.xml, changed, tmp_path / "media", edit=filled.xml)
    township.phone.send(edited.xml, {})
    (row,) = township.rows(
        """
        SELECT s.review_state, v.answers ->> '/closing/notes' AS notes, v.ordinal FROM submission s
        JOIN submission_version v ON v.id = s.current_version_id WHERE s.project_id = :project
        """
    )
    assert (row.review_state, row.notes, row.ordinal) == ("edited", "补充说明", 1)
    missing = township.rows("SELECT 1 FROM submission_attachment WHERE project_id = :project AND blob_sha256 IS NULL")
    assert missing == []
