"""Structured logs: one JSON line an event on standard error, with the request's id. Secrets in paths are cut out."""

from __future__ import annotations

import logging
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import orjson
import structlog

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SECRET_IN_PATH = re.compile(r"^(/v1/(?:key|test)/)[^/]+")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def configure(level: str = "info", style: str = "json") -> None:
    """Set up structlog and the standard library's logging for this process."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if style == "console":
        renderer: list[Any] = [structlog.dev.ConsoleRenderer()]
        factory: Any = structlog.PrintLoggerFactory(sys.stderr)
    else:
        renderer = [structlog.processors.JSONRenderer(serializer=_to_json)]
        factory = structlog.BytesLoggerFactory(sys.stderr.buffer)
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(number, logging.WARNING), format="%(levelname)s %(name)s %(message)s", force=True)


def _to_json(event: Any, default: Callable[[Any], Any] = str, **_options: Any) -> bytes:
    return orjson.dumps(event, default=default, option=orjson.OPT_NON_STR_KEYS)


def safe_path(path: str) -> str:
    """The path without the token in it."""
    return _SECRET_IN_PATH.sub(r"\1***", path)


class AccessLog:
    """WSGI middleware: gives each request an id (a proxy's ``X-Request-Id`` is kept) and logs a line when answered."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._log = structlog.get_logger()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        started = time.perf_counter()
        given = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status = "500"

        def start(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal status
            status = line[:3]
            headers.append(("X-Request-Id", request_id))
            return start_response(line, headers, exc_info) if exc_info else start_response(line, headers)

        try:
            return self._app(environ, start)
        finally:
            say = self._log.debug if environ.get("PATH_INFO") == "/healthz" else self._log.info  # asked every second
            say(
                "request",
                method=environ["REQUEST_METHOD"],
                path=safe_path(environ.get("PATH_INFO", "")),
                status=int(status),
                ms=round((time.perf_counter() - started) * 1000, 1),
            )
