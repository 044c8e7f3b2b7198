"""Coming in, going out, choosing the language."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, make_response, request, url_for
from flask import session as page_session

from server.config import Settings
from server.i18n import LANGUAGES
from server.operations import people, projects
from server.operations.errors import Refused
from server.web import door

room = door.room("session")
_YEAR = 31_536_000


@room.get("/")
def home() -> Response:
    """The only project, or the list of projects."""
    found = projects.listing(door.me())
    active = [project for project in found if not project.archived]
    if len(found) == 1 and active:
        return door.go(url_for("records.of_project", project_id=active[0].id))
    return door.go(url_for("projects.listing"))


@room.route("/login", methods=["GET", "POST"])
def login() -> Any:
    """The login page."""
    back = door.safe_next(request.values.get("next"))
    if request.method == "GET":
        if door.identity() is not None:
            return door.go(back or url_for("session.home"))
        return door.page("login.html", next=back, email="", error=None)
    email = request.form.get("email", "").strip()
    try:
        token, user = people.log_in(
            email,
            request.form.get("password", ""),
            user_agent=request.headers.get("User-Agent"),
            address=request.remote_addr,
        )
    except Refused as error:
        return door.page("login.html", status=error.status, next=back, email=email, error=door.words(error))
    page_session.clear()  # what was said or signed before the login does not carry over
    response = door.go(back or url_for("session.home"))
    settings: Settings = current_app.config["SETTINGS"]
    response.set_cookie(
        door.LOGIN_COOKIE,
        token,
        max_age=settings.session_hours * 3600,
        httponly=True,
        samesite="Lax",
        secure=door.is_secure(),
    )
    if user.language is None and request.cookies.get(door.LANGUAGE_COOKIE) in LANGUAGES:
        user_language = request.cookies[door.LANGUAGE_COOKIE]
        found = people.identify_session(token)
        if found is not None:
            people.set_language(found, user_language)
    return response


@room.post("/logout")
def logout() -> Response:
    """End the login."""
    token = request.cookies.get(door.LOGIN_COOKIE)
    if token:
        people.log_out(token)
    page_session.clear()
    response = door.go(url_for("session.login"))
    response.delete_cookie(door.LOGIN_COOKIE, httponly=True, samesite="Lax", secure=door.is_secure())
    return response


@room.post("/language")
def choose_language() -> Response:
    """Switch the language of the pages and remember it."""
    wanted = request.form.get("language", "")
    response = make_response(door.go(door.safe_next(request.form.get("next")) or url_for("session.home")))
    if wanted in LANGUAGES:
        person = door.identity()
        if person is not None:
            people.set_language(person, wanted)
        response.set_cookie(
            door.LANGUAGE_COOKIE, wanted, max_age=_YEAR, httponly=True, samesite="Lax", secure=door.is_secure()
        )
    return response
