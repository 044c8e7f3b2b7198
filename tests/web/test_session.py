"""Coming in, going out, language, headers."""

from __future__ import annotations

from typing import Any

import pytest

from server.operations import people
from tests.web.conftest import PASSWORD, Browser


@pytest.fixture
def email(context: None, request: pytest.FixtureRequest) -> str:
    address = f"{request.node.name[:60]}@example.cn".replace("[", "").replace("]", "").replace("/", "")
    return people.create_user(address, password=PASSWORD, role="admin", name="李站长")[0].email


def test_login_sets_a_guarded_cookie(browser: Browser, email: str) -> None:
    response = browser.log_in(email)
    assert (response.status_code, response.location) == (303, "/")
    cookie = next(line for line in response.headers.getlist("Set-Cookie") if line.startswith("session="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert "李站长" in browser.get("/projects").text


def test_cookies_are_secure_over_https(browser: Browser, email: str) -> None:
    https = {"base_url": "https://localhost"}
    browser.get("/login", **https)
    referrer = {"Referer": "https://localhost/login"}
    response = browser.post("/login", {"email": email, "password": PASSWORD}, headers=referrer, **https)
    assert response.status_code == 303
    assert all("Secure" in line for line in response.headers.getlist("Set-Cookie"))


def test_wrong_password_says_so_and_keeps_the_email(browser: Browser, email: str) -> None:
    response = browser.log_in(email, "wrong")
    assert response.status_code == 401
    assert email in response.text
    assert "notice-bad" in response.text
    assert browser.get("/projects").status_code == 303


def test_account_locks_after_many_failures(browser: Browser, email: str) -> None:
    for _ in range(people.LOCK_AFTER):
        browser.log_in(email, "wrong")
    response = browser.log_in(email)
    assert response.status_code == 429
    assert "notice-bad" in response.text


@pytest.mark.parametrize("path", ["/login", "/logout", "/language", "/projects", "/people"])
def test_posts_without_token_are_refused(someone: Any, path: str) -> None:
    response = someone().client.post(path, data={"email": "a@b.cn", "name": "x", "language": "zh"})
    assert response.status_code == 400


def test_programs_need_no_token(browser: Browser, project: Any) -> None:
    assert browser.client.post(f"/v1/projects/{project.id}/submission").status_code == 401


def test_logout_ends_the_session_everywhere(someone: Any) -> None:
    person: Browser = someone()
    cookie = person.client.get_cookie("session")
    assert cookie is not None
    assert person.post("/logout").location == "/login"
    person.client.set_cookie("session", cookie.value)
    assert person.get("/projects").status_code == 303


@pytest.mark.parametrize(
    "given",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "evil",
        "",
    ],
)
def test_next_never_leaves_the_server(browser: Browser, email: str, given: str) -> None:
    assert browser.log_in(email, next=given).location == "/"


def test_login_returns_to_the_page_asked_for(browser: Browser, email: str) -> None:
    asked = browser.get("/projects?x=1")
    assert asked.location == "/login?next=/projects?x%3D1"
    assert browser.log_in(email, next="/projects?x=1").location == "/projects?x=1"


def test_parts_of_pages_are_sent_to_the_login_as_a_whole(browser: Browser) -> None:
    response = browser.get("/projects", headers={"HX-Request": "true"})
    assert (response.status_code, response.headers["HX-Redirect"]) == (401, "/login?next=/projects")


def test_language_is_remembered_for_visitor_and_person(browser: Browser, email: str) -> None:
    assert 'lang="zh-CN"' in browser.get("/login").text
    browser.post("/language", {"language": "en", "next": "/login"})
    assert '<html lang="en">' in browser.get("/login").text
    browser.log_in(email)
    browser.client.delete_cookie("lang")
    assert '<html lang="en">' in browser.get("/projects").text


@pytest.mark.parametrize("path", ["/login", "/projects", "/nowhere"])
def test_pages_carry_security_headers(someone: Any, path: str) -> None:
    headers = someone().get(path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self'; img-src 'self' data: blob:")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_no_page_has_inline_script_or_style(someone: Any, records_url: str) -> None:
    person: Browser = someone()
    for path in ("/login", "/projects", "/people", records_url, records_url.removesuffix("/records")):
        text = person.get(path).text
        assert "<script>" not in text
        assert " style=" not in text
        assert " onclick=" not in text
