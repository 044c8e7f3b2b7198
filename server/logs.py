"""Structured logs: one JSON line an event on standard error, with the request's id. Secrets in paths are cut out."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import structlog

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SECRET_IN_PATH = re.compile(r"^(/v1/(?:key|test)/)[^/]+")
_request_id: ContextVar[str] = ContextVar("request_id", default="")
_access_lines: Callable[[dict[str, Any]], None] | None = None
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def configure(level: str = "info", style: str = "json") -> None:
    """Set up structlog and the standard library's logging for this process."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[Any] = [
        _add_request_id,
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
    global _access_lines  # noqa: PLW0603 - logging is one a process
    _access_lines = (_write_line if style != "console" else _say_line) if number <= logging.INFO else None
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(number, logging.WARNING), format="%(levelname)s %(name)s %(message)s", force=True)


def _to_json(event: Any, default: Callable[[Any], Any] = str, **_options: Any) -> bytes:
    return orjson.dumps(event, default=default, option=orjson.OPT_NON_STR_KEYS)


def _add_request_id(_logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    request_id = _request_id.get()
    return {"request_id": request_id, **event} if request_id else event


def _write_line(event: dict[str, Any]) -> None:
    sys.stderr.buffer.write(orjson.dumps(event) + b"\n")
    sys.stderr.buffer.flush()


def _say_line(event: dict[str, Any]) -> None:
    structlog.get_logger().info(event.pop("event"), **{key: event[key] for key in ("method", "path", "status", "ms")})


def safe_path(path: str) -> str:
    """The path without the token in it."""
    return _SECRET_IN_PATH.sub(r"\1***", path) if path.startswith(("/v1/key/", "/v1/test/")) else path


class AccessLog:
    """WSGI middleware: gives each request an id (a proxy's ``X-Request-Id`` is kept) and logs a line when answered.

    The line is written as it stands: the processors that other events pass cost a request as much as finding its form.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        started = time.perf_counter()
        given = environ.get("HTTP_X_REQUEST_ID")
        request_id = given if given and _REQUEST_ID.fullmatch(given) else os.urandom(12).hex()
        _request_id.set(request_id)
        status = "500"

        def start(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal status
            status = line[:3]
            headers.append(("X-Request-Id", request_id))
            return start_response(line, headers, exc_info) if exc_info else start_response(line, headers)

        try:
            return self._app(environ, start)
        finally:
            if _access_lines is not None and environ.get("PATH_INFO") != "/healthz":  # asked every second
                _access_lines(
                    {
                        "timestamp": datetime.now(UTC).isoformat(),
                        "level": "info",
                        "event": "request",
                        "request_id": request_id,
                        "method": environ["REQUEST_METHOD"],
                        "path": safe_path(environ.get("PATH_INFO", "")),
                        "status": int(status),
                        "ms": round((time.perf_counter() - started) * 1000, 1),
                    }
                )
