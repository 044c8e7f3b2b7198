"""Words and numbers on pages: times, sizes, the names of states."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from flask import Flask, g, request
from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _l

from server.i18n import LANGUAGES
from server.web import door

SHANGHAI = ZoneInfo("Asia/Shanghai")

#: State -> mark (colour is never alone), word.
FORM_STATES = {"open": ("●", _l("Open")), "closing": ("◐", _l("Winding down")), "closed": ("✕", _l("Closed"))}
REVIEW_STATES = {
    "received": ("○", _l("Received")),
    "edited": ("◐", _l("Edited")),
    "hasIssues": ("△", _l("Has issues")),
    "approved": ("●", _l("Approved")),
    "rejected": ("✕", _l("Rejected")),
}
ROLES = {
    "admin": _l("Administrator"),
    "manager": _l("Project manager"),
    "viewer": _l("Viewer"),
    "formfill": _l("Data collector"),
    "app-user": _l("Enumerator"),
}


def when(moment: datetime | None) -> str:
    """`2026-11-22 14:03` in Shanghai."""
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M") if moment else ""


def day(moment: datetime | date | None) -> str:
    """`2026-11-22` in Shanghai."""
    if isinstance(moment, datetime):
        moment = moment.astimezone(SHANGHAI).date()
    return moment.isoformat() if moment else ""


def number(value: float | None) -> str:
    """`12,345`."""
    return "" if value is None else f"{value:,}"


def size(octets: int | None) -> str:
    """`1.2 MB`."""
    if octets is None:
        return ""
    amount = float(octets)
    for unit in ("B", "KB", "MB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GB"


def total(count: int, exact: bool) -> str:
    """`1,234 records` or `about 1,200,000 records`."""
    text = ngettext("%(shown)s record", "%(shown)s records", count, shown=number(count))
    return text if exact else gettext("about %(count)s", count=text)


def init_app(app: Flask) -> None:
    """Give templates their words."""
    app.jinja_env.filters.update(when=when, day=day, number=number, size=size)
    app.jinja_env.globals.update(
        FORM_STATES=FORM_STATES, REVIEW_STATES=REVIEW_STATES, ROLES=ROLES, LANGUAGES=LANGUAGES, total=total
    )

    @app.context_processor
    def frame() -> dict[str, object]:
        """Who and where, for the frame of every page."""
        language = door.language()
        return {
            "language": language,
            "lang": "zh-CN" if language == "zh" else "en",
            "me": g.get("identity"),
            "project": g.get("project"),
            "can": door.verbs,
            "here": request.full_path.rstrip("?"),
        }
