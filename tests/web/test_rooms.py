"""Projects, people, enumerators, error pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from server.app import create_app
from server.config import Settings
from server.models import Form, Project
from server.operations import app_users, people, projects
from server.web import assets
from tests.support.field import Field
from tests.web.conftest import Browser


def test_first_page_is_the_only_project_or_the_list(app: Flask, someone: Any, database_url: str) -> None:
    with sa.create_engine(database_url).begin() as connection:
        connection.execute(sa.text("UPDATE project SET deleted_at = now()"))
    person: Browser = someone()
    assert person.get("/").location == "/projects"
    assert "There is no project yet" in person.get("/projects").text
    only = projects.create("独一乡")
    assert person.get("/").location == f"/projects/{only.id}/records"
    assert "There are no records yet" in person.get(f"/projects/{only.id}/records").text
    projects.create("第二乡")
    assert person.get("/").location == "/projects"


def test_a_project_is_created_and_renamed(someone: Any) -> None:
    person: Browser = someone()
    assert person.post("/projects", {"name": "  "}).status_code == 400
    page = person.post("/projects", {"name": "云岭镇<b>", "language": "en"}).location
    assert "云岭镇&lt;b&gt;" in person.get(page).text
    settings = page.replace("/forms", "/settings")
    assert person.post(settings, {"name": "x" * 201}).status_code == 400
    assert person.post(settings, {"name": "青山乡", "description": "d", "language": "zh"}).status_code == 303
    assert 'value="青山乡"' in person.get(settings).text


def test_people_get_a_password_shown_once(someone: Any, app: Flask) -> None:
    person: Browser = someone()
    shown = person.post("/people", {"email": "new@example.cn", "name": "新人", "role": "viewer"}).text
    password = shown.split('id="password">')[1].split("<")[0]
    assert password not in person.get("/people").text
    newcomer = Browser(app.test_client())
    assert newcomer.log_in("new@example.cn", password).status_code == 303
    assert person.post("/people", {"email": "new@example.cn", "role": "viewer"}).status_code == 400
    user = people.find_user("new@example.cn")
    assert user is not None
    fresh = person.post(f"/people/{user.actor_id}/password").text.split('id="password">')[1].split("<")[0]
    assert newcomer.get("/projects").status_code == 303, "the old login has ended"
    assert newcomer.log_in("new@example.cn", fresh).status_code == 303


def test_roles_cannot_be_made_up(someone: Any) -> None:
    shown = someone().post("/people", {"email": "odd@example.cn", "role": "app-user"}).text
    assert "no role yet" in shown


def test_an_enumerator_scans_prints_and_is_revoked(someone: Any, field: Field, form: Form) -> None:
    person: Browser = someone("manager")
    base = f"/projects/{field.project.id}/enumerators"
    assert person.post(base, {"name": ""}).status_code == 400
    assert person.post(base, {"name": "王", "reach": "some"}).status_code == 400
    page = person.post(base, {"name": "石板村 王", "reach": "some", "forms": str(form.id)}).location
    text = person.get(page).text
    assert 'class="qr-code"' in text
    assert "走访" in text
    phone = app_users.listing(field.project.id)[0]
    assert app_users.server_url(phone) in text
    assert person.get(f"{base}/print").text.count('class="sheet-card"') == 1
    assert "visit" in field.client.get(field.base(phone=phone) + "/formList").text
    person.post(f"{page}/revoke")
    assert field.client.get(field.base(phone=phone) + "/formList").status_code == 403
    assert 'class="qr-code"' not in person.get(page).text
    assert 'class="sheet-card"' not in person.get(f"{base}/print").text


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/logout", 405), ("/static/nothing.js", 404)])
def test_error_pages_say_what_to_do(browser: Browser, path: str, status: int) -> None:
    response = browser.get(path)
    assert response.status_code == status
    assert "<h1>" in response.text
    assert 'href="/"' in response.text


def test_too_large_a_file_is_told(app: Flask, someone: Any, project: Project) -> None:
    import io

    limit = app.config["SETTINGS"].max_xlsform
    response = someone().post(f"/projects/{project.id}/forms", {"file": (io.BytesIO(b" " * (limit + 1)), "large.xlsx")})
    assert response.status_code == 413
    assert "too large" in response.text


def test_a_database_away_is_a_page_not_a_traceback(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, log_level="critical")
    away = create_app(settings, "postgresql+psycopg://nobody@/nothing?host=/nonexistent")
    client = away.test_client()
    client.set_cookie("session", "x" * 64)
    response = client.get("/projects")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "10"
    assert "Traceback" not in response.text
    assert "<h1>" in response.text


def test_pages_work_before_they_are_built(browser: Browser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(assets, "DIST", tmp_path)
    response = browser.get("/login")
    assert response.status_code == 200
    assert "make setup" in response.text
    assert "<script" not in response.text


def test_built_files_are_kept_by_browsers(browser: Browser) -> None:
    for name in ("style", "script", "icons"):
        response = browser.get("/static/" + assets.manifest()[name])
        assert response.status_code == 200
        assert "immutable" in response.headers["Cache-Control"]
        assert b"https://fonts" not in response.data


def test_the_locked_packages_name_no_registry() -> None:
    lock = assets.DIST.parents[1] / "ui" / "package-lock.json"
    text = lock.read_text(encoding="utf-8")
    assert '"resolved"' not in text
    assert "integrity" in text
