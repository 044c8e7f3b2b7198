"""The Flask application: settings in, doors on."""

from __future__ import annotations

import sys
from typing import Any

import structlog
from flask import Flask, Response, jsonify, request
from sqlalchemy import text
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

import server.models  # noqa: F401 - registers the tables
from server import __version__, logs, openrosa, web
from server.cluster import Cluster
from server.config import Settings, load_settings, server_secret
from server.database import db, fast
from server.database.migrate import current_revision, head_revision
from server.openrosa import answers
from server.operations.errors import Refused, _
from server.patience import Turnstile
from server.storage import BlobStore


def create_app(settings: Settings | None = None, database_url: str | None = None) -> Flask:
    """The application.

    Parameters
    ----------
    settings : Settings, optional
        Settings in force; read from the environment when not given.
    database_url : str, optional
        Where PostgreSQL is; the settings' URL, else the embedded cluster of the data directory.
    """
    settings = settings or load_settings()
    logs.configure(settings.log_level, settings.log_format)
    app = Flask("server", static_folder=None, template_folder="web/templates")
    app.url_map.merge_slashes = False  # form ids may hold slashes, two in a row as well
    url = fast.sqlalchemy_url(database_url or settings.database_url or Cluster(settings.data_dir).url)
    secret = server_secret(settings)
    app.config.update(
        SETTINGS=settings,
        SERVER_SECRET=secret,
        SECRET_KEY=secret,
        SQLALCHEMY_DATABASE_URI=url,
        SQLALCHEMY_ENGINE_OPTIONS={"pool_size": settings.threads, "max_overflow": 2, "pool_pre_ping": True},
        MAX_CONTENT_LENGTH=settings.max_body,
        MAX_FORM_MEMORY_SIZE=2_000_000,
    )
    db.init_app(app)
    app.extensions["xiangtu.fast"] = fast.Lines(url)
    app.extensions["xiangtu.blobs"] = BlobStore(settings.blob_dir, settings.free_disk_mb * 1_000_000)
    _health(app)
    app.register_blueprint(openrosa.blueprint)
    web.init_app(app)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(Exception, _on_crash)
    app.wsgi_app = openrosa.Express(app, app.wsgi_app, _crash_on_the_short_way)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, *([settings.trusted_proxies] * 4))  # type: ignore[method-assign]
    app.wsgi_app = Turnstile(app.wsgi_app, settings.threads)  # type: ignore[method-assign]
    app.wsgi_app = logs.AccessLog(app.wsgi_app)  # type: ignore[method-assign]
    return app


def _health(app: Flask) -> None:
    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok", "version": __version__}

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        """The database answers and is migrated."""
        try:
            with db.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
                at = current_revision(connection)
        except Exception as error:
            return jsonify(status="unavailable", database=type(error).__name__), 503
        if at != head_revision():
            return jsonify(status="unavailable", migrations=at, wanted=head_revision()), 503
        return jsonify(status="ok", migrations=at), 200


def _is_program() -> bool:
    return request.path.startswith("/v1/")


def _on_http_error(error: HTTPException) -> Any:
    """Errors Flask finds before a door does: unknown address, wrong method, body too large."""
    if not _is_program():
        return web.errors.http_error(error)
    status = error.code or 500
    if status == 404:
        refused = Refused("404.1", _("Could not find the resource you were looking for."))
    else:
        refused = Refused(f"{status}.1", _("The request cannot be answered: %(reason)s"), reason=error.name)
    response = answers.refused(refused, "zh")
    if error.response is None and isinstance(getattr(error, "valid_methods", None), list | tuple | set):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))  # type: ignore[attr-defined]
    return response


def _on_crash(error: Exception) -> Any:
    if not _is_program():
        _write_down(request.path)
        return web.errors.crash(error)
    return _crash_on_the_short_way(error, request.path)


def _crash_on_the_short_way(_error: Exception, path: str) -> Response:
    _write_down(path)
    wording = _("Something went wrong on the server. It was written down; try again later.")
    return answers.refused(Refused("500.1", wording), "zh")


def _write_down(path: str) -> None:
    structlog.get_logger().error("crash", path=logs.safe_path(path), exc_info=sys.exc_info())
