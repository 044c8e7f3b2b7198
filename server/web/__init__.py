"""Door 3: people. Pages for the staff, in Chinese and English."""

from __future__ import annotations

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_babel import Babel

from server.i18n import TRANSLATIONS
from server.web import (
    app_users,
    assets,
    door,
    form_files,  # noqa: F401 - hangs its routes on the room of forms
    forms,
    people,
    projects,
    records,
    session,
    words,
)


class _PageSession(SecureCookieSessionInterface):
    """Flask's own cookie (messages, CSRF): marked Secure whenever the browser came by https."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """None for phones and programs: they have no pages."""
        return None if request.path.startswith("/v1/") else super().open_session(app, request)

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether the cookie may travel over https only."""
        return door.is_secure()


def init_app(app: Flask) -> None:
    """Hang the pages on the application."""
    app.config.update(
        # The cookie called `session` is the login, which programs use too.
        SESSION_COOKIE_NAME="page",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_CHECK_DEFAULT=False,  # rooms check it; phones and programs have their own doors
        WTF_CSRF_TIME_LIMIT=None,  # a page left open over lunch must still work
        BABEL_DEFAULT_LOCALE="en",
        BABEL_DEFAULT_TIMEZONE="Asia/Shanghai",
        BABEL_TRANSLATION_DIRECTORIES=str(TRANSLATIONS),
    )
    app.session_interface = _PageSession()
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    Babel(app, locale_selector=door.language)
    door.csrf.init_app(app)
    app.after_request(door.secure_headers)
    words.init_app(app)
    assets.init_app(app)
    for module in (session, projects, forms, app_users, records, people):
        app.register_blueprint(module.room)
