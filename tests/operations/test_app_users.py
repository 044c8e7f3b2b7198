"""App users and the QR code that sets a phone up."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from server.database import db
from server.models import Project
from server.operations import app_users
from server.operations.errors import Refused


def test_the_database_alone_gives_no_token_away(project: Project) -> None:
    phone = app_users.create(project.id, "采集员甲")
    token = app_users.token(phone)
    assert len(token) == 64
    row = db.session.execute(db.text("SELECT * FROM app_user WHERE actor_id = :id"), {"id": phone.actor_id}).one()
    assert token not in repr(row)


def test_the_token_can_be_shown_again(project: Project) -> None:
    phone = app_users.create(project.id, "采集员甲")
    assert app_users.token(app_users.get(project.id, phone.actor_id)) == app_users.token(phone)


def test_two_phones_differ(project: Project) -> None:
    first, second = (app_users.create(project.id, "同名") for _ in range(2))
    assert app_users.token(first) != app_users.token(second)


def test_the_qr_code_sets_collect_up(project: Project) -> None:
    url = app_users.server_url(app_users.create(project.id, "采集员甲"), "http://192.168.1.5:8080")
    packed = app_users.collect_settings(url, "云岭镇入户走访")
    assert len(packed) < 4000
    settings = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert set(settings) == {"general", "project", "admin"}
    general = settings["general"]
    assert general["server_url"] == url
    assert general["form_update_mode"] == "match_exactly"
    assert general["autosend"] == "wifi_and_cellular"
    assert general["basemap_source"] != "google"
    assert settings["project"]["name"] == "云岭镇入户走访"


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\x00b"])
def test_unusable_names_are_refused(project: Project, name: str) -> None:
    with pytest.raises(Refused, match=r"400\.8"):
        app_users.create(project.id, name)


def test_a_form_of_another_project_cannot_be_allowed(project: Project) -> None:
    with pytest.raises(Refused, match=r"404\.1"):
        app_users.create(project.id, "甲", form_ids=[10**9])
    assert app_users.listing(project.id) == []


def test_revoked_phones_come_last(project: Project) -> None:
    first, second = (app_users.create(project.id, name) for name in ("甲", "乙"))
    app_users.revoke(project.id, second.actor_id)
    app_users.revoke(project.id, second.actor_id)
    assert [phone.actor_id for phone in app_users.listing(project.id)] == [first.actor_id, second.actor_id]


def test_a_phone_of_another_project_is_not_found(project: Project) -> None:
    from server.operations import projects

    other = app_users.create(projects.create("别的乡").id, "甲")
    with pytest.raises(Refused, match=r"404\.1"):
        app_users.revoke(project.id, other.actor_id)
