"""Pages for what went wrong: what happened, and what to do."""

from __future__ import annotations

from typing import Any

from flask import make_response, render_template
from flask_babel import lazy_gettext as _l
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from server.database.fast import Unavailable

#: Status -> what happened, what to do.
TEXTS: dict[int, tuple[Any, Any]] = {
    400: (_l("The request was not understood"), _l("Go back, reload the page and try again.")),
    403: (
        _l("You are not allowed to do that"),
        _l("Your role does not include this. Ask the administrator if you need it for your work."),
    ),
    404: (
        _l("This page is not here"),
        _l("The address may be mistyped, or what it showed was removed. Go back to the list and choose again."),
    ),
    405: (_l("This address cannot be used that way"), _l("Go back and use the buttons on the page.")),
    413: (
        _l("The file is too large"),
        _l("Choose a smaller file. Photos inside an Excel form are not needed: attach them to the form instead."),
    ),
    429: (_l("Too many attempts"), _l("Wait ten minutes and try again.")),
    500: (
        _l("Something went wrong on the server"),
        _l(
            "It was written down in the server's log. Try again in a moment; if it happens again, tell the "
            "administrator the time."
        ),
    ),
    503: (
        _l("The database does not answer right now"),
        _l("Nothing was lost. It usually comes back by itself within a minute; then reload this page."),
    ),
    507: (
        _l("The server's disk is full"),
        _l("Nothing was stored. Tell the administrator to free some space, then try again."),
    ),
}


def page(status: int, text: str | None = None, title: str | None = None) -> Any:
    """An error page."""
    what, advice = TEXTS.get(status, TEXTS[500 if status >= 500 else 400])
    response = make_response(
        render_template("error.html", status=status, title=title or what, text=text or "", advice=advice), status
    )
    if status == 503:
        response.headers["Retry-After"] = "10"
    return response


def http_error(error: HTTPException) -> Any:
    """A page for an error Flask found."""
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()
    if isinstance(error, CSRFError):
        return page(400, title=str(_l("This page was open for too long")))
    response = page(error.code or 500)
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def crash(error: Exception) -> Any:
    """A page for a fault of ours."""
    return page(503 if isinstance(error, OperationalError | PoolTimeout | Unavailable) else 500)
