"""Styles, scripts and icons: built once, named by content, kept by browsers for a year."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, send_from_directory, url_for
from markupsafe import Markup, escape

DIST = Path(__file__).parent / "static" / "dist"
_YEAR = 31_536_000


def manifest() -> dict[str, str]:
    """What templates ask for (`style`, `script`, `icons`) -> file below `DIST`; empty when the pages are not built."""
    try:
        return _read((DIST / "manifest.json").stat().st_mtime_ns)
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=1)
def _read(_changed: int) -> dict[str, str]:
    # Read again when it changed: the pages may be built while the server runs.
    found: dict[str, str] = json.loads((DIST / "manifest.json").read_text(encoding="utf-8"))
    return found


def asset(name: str) -> str | None:
    """Address of a built file, None when the pages are not built."""
    file = manifest().get(name)
    return url_for("static_file", name=file) if file else None


def icon(name: str, extra: str = "") -> Markup:
    """An icon of the sprite, hidden from screen readers: words stand beside it."""
    address = asset("icons")
    if address is None:
        return Markup("")
    return Markup('<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>').format(
        escape(extra), address, name
    )


def init_app(app: Flask) -> None:
    """Serve the built files and give templates `asset` and `icon`."""

    @app.get("/static/<path:name>")
    def static_file(name: str) -> Response:
        """A built file; its name changes with its content."""
        response = send_from_directory(DIST, name, max_age=_YEAR)
        if name.startswith("assets/"):
            response.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
        return response

    values: dict[str, Any] = {"asset": asset, "icon": icon, "is_built": lambda: bool(manifest())}
    app.jinja_env.globals.update(values)
