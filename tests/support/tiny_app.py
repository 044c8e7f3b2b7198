"""A WSGI application for tests of the supervisor: it says which process answered."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from server.process import die_with_parent

die_with_parent()
if os.environ.get("XIANGTU_TINY_APP_BROKEN"):
    raise RuntimeError("tiny_app is broken")


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer any request with the worker's process id."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode("ascii")]
