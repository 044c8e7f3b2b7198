"""What all rooms share: who is asking, what they may do, the language, headers, refusals."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, Response, abort, current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from server.config import Settings
from server.database.fast import Unavailable
from server.models import Form, Project
from server.operations import forms, people, permissions, projects
from server.operations.errors import Refused, not_allowed, not_found
from server.operations.permissions import Identity
from server.storage import NoSpace
from server.web import errors

LOGIN_COOKIE = "session"
LANGUAGE_COOKIE = "lang"
csrf = CSRFProtect()
log = structlog.get_logger()

_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


class LoginNeeded(Exception):
    """Nobody is logged in, and the page needs somebody."""


def room(name: str) -> Blueprint:
    """A blueprint whose requests are checked at the door and whose refusals become pages."""
    blueprint = Blueprint(name, f"server.web.{name}")
    blueprint.before_request(csrf.protect)
    blueprint.before_request(_known_numbers)
    blueprint.register_error_handler(LoginNeeded, _on_login_needed)
    blueprint.register_error_handler(Refused, _on_refused)
    for kind in (Unavailable, OperationalError, PoolTimeout):
        blueprint.register_error_handler(kind, _on_unavailable)
    blueprint.register_error_handler(NoSpace, _on_no_space)
    return blueprint


def _known_numbers() -> None:
    """PostgreSQL's keys end at 2^63: what is beyond in an address is not there."""
    if any(isinstance(value, int) and value >= 2**63 for value in (request.view_args or {}).values()):
        raise not_found()


# ------------------------------------------------------------------------------------------------ who


def identity() -> Identity | None:
    """Who is logged in in this browser, asked once a request."""
    if "identity" not in g:
        token = request.cookies.get(LOGIN_COOKIE)
        g.identity = people.identify_session(token) if token else None
    found: Identity | None = g.identity
    return found


def me() -> Identity:
    """Who is logged in; `LoginNeeded` when nobody is."""
    found = identity()
    if found is None:
        raise LoginNeeded
    return found


def verbs(project_id: int | None = None, form_id: int | None = None) -> frozenset[str]:
    """What the person may do there, asked once a request."""
    known: dict[tuple[int | None, int | None], frozenset[str]] = g.setdefault("verbs", {})
    key = (project_id, form_id)
    if key not in known:
        known[key] = permissions.verbs(me().actor_id, project_id, form_id)
    return known[key]


def need(verb: str, project_id: int | None = None, form_id: int | None = None) -> None:
    """Raise `Refused` 403.1 unless the person holds the verb there."""
    if verb not in verbs(project_id, form_id):
        raise not_allowed()


def project(project_id: int, verb: str = "project.read") -> Project:
    """The project, for a person who may do `verb` in it.

    Raises
    ------
    Refused
        404.1 when it is not there, or not for this person to know of; 403.1 when only the verb is missing.
    """
    me()
    found = projects.get(project_id)
    allowed = verbs(project_id)
    if "project.read" not in allowed:
        raise not_found()
    if verb not in allowed:
        raise not_allowed()
    g.project = found
    return found


def form(project_id: int, form_id: int, verb: str = "form.read") -> Form:
    """The form with this key in the project; see `project` for what is raised."""
    project(project_id)
    found = next((item for item in forms.listing(project_id) if item.id == form_id), None)
    if found is None:
        raise not_found()
    need(verb, project_id, form_id)
    return found


# ------------------------------------------------------------------------------------------------ language


def language() -> str:
    """Language of the page: the person's, else the browser's choice, else the server's."""
    try:
        person = identity()
    except (OperationalError, PoolTimeout):
        person = None  # the page that says the database is away has a language too
    settings: Settings = current_app.config["SETTINGS"]
    for wanted in (person.language if person else None, request.cookies.get(LANGUAGE_COOKIE), settings.language):
        if wanted in {"zh", "en"}:
            return wanted
    return "zh"


# ------------------------------------------------------------------------------------------------ coming and going


def is_secure() -> bool:
    """Whether the browser reached us by https."""
    settings: Settings = current_app.config["SETTINGS"]
    return request.is_secure or settings.public_url.startswith("https://")


def is_part() -> bool:
    """Whether htmx asks for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def go(address: str) -> Response:
    """Send the browser to another page, also out of a request for a part."""
    if is_part() and request.headers.get("HX-Boosted") != "true":
        return Response(status=204, headers={"HX-Redirect": address})
    return redirect(address, 303)  # type: ignore[return-value]


def safe_next(address: str | None) -> str | None:
    """The address if it is a path of this server, None otherwise: nobody is sent to another host after logging in."""
    if not address or not address.startswith("/") or address.startswith("//") or "\\" in address:
        return None
    if any(ord(mark) < 0x20 for mark in address):
        return None
    parts = urlsplit(address)
    return address if not parts.scheme and not parts.netloc else None


def secure_headers(response: Response) -> Response:
    """Headers of pages; phones and programs have their own."""
    if request.path.startswith("/v1/") or request.path in {"/healthz", "/readyz"}:
        return response
    headers = response.headers
    headers.setdefault("Content-Security-Policy", _POLICY)
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    return response


# ------------------------------------------------------------------------------------------------ refusals


def words(error: Refused) -> str:
    """A refusal in the reader's language."""
    return gettext(error.message, **error.details) if error.details else gettext(error.message)


def say(text: str, kind: str = "good") -> None:
    """Show a message on the next page: good, warn or bad."""
    flash(text, kind)


def _on_login_needed(error: LoginNeeded) -> Response:
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    address = url_for("session.login", next=back if back != "/" else None)
    if is_part():
        return Response(status=401, headers={"HX-Redirect": address})
    return redirect(address, 303)  # type: ignore[return-value]


def _on_refused(error: Refused) -> Any:
    if error.status in {403, 404}:
        return errors.page(error.status, words(error))
    return errors.page(error.status, words(error), title=gettext("This could not be done"))


def _on_unavailable(error: Exception) -> Any:
    log.warning("database.unavailable", reason=type(error).__name__)
    return errors.page(507 if getattr(error, "full", False) else 503)


def _on_no_space(error: NoSpace) -> Any:
    log.error("storage.full", reason=str(error))
    return errors.page(507)


def uploaded(name: str, limit: int) -> tuple[bytes, str]:
    """Content and name of an uploaded file; aborts with 413 above `limit` bytes. Empty when none was chosen."""
    file = request.files.get(name)
    if file is None or not file.filename:
        return b"", ""
    data = file.stream.read(limit + 1)
    if len(data) > limit:
        abort(413)
    return data, file.filename


def page(template: str, /, status: int = 200, **values: Any) -> tuple[str, int]:
    """Render a page."""
    return render_template(template, **values), status
