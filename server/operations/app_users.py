"""App users: an enumerator's phone in one project, and the QR code that sets it up."""

from __future__ import annotations

import base64
import json
import secrets
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime

from flask import current_app
from sqlalchemy import select

from server.config import Settings
from server.database import db
from server.models import Actor, AppUser, Assignment, Form, Project
from server.operations import audit
from server.operations.errors import Refused, _, not_found
from server.operations.people import role_named
from server.operations.tokens import derive, digest

_PURPOSE = "app-user"


def create(project_id: int, name: str, *, form_ids: Sequence[int] = (), by: int | None = None) -> AppUser:
    """Create a phone's app user, allowed on the whole project or, when given, only on `form_ids`.

    Raises
    ------
    Refused
        404.1 when the project or a form is not there, 400.8 without a usable name.
    """
    name = name.strip()
    if not name or len(name) > 200 or "\x00" in name:
        raise Refused("400.8", _("An enumerator needs a name of at most 200 characters."))
    project = db.session.get(Project, project_id)
    if project is None or project.deleted_at is not None:
        raise not_found()
    known = set(db.session.scalars(select(Form.id).where(Form.project_id == project_id, Form.id.in_(form_ids))))
    if known != set(form_ids):
        raise not_found()
    actor = Actor(type="app_user", display_name=name)
    db.session.add(actor)
    db.session.flush()
    nonce = secrets.token_bytes(24)
    app_user = AppUser(
        actor_id=actor.id, project_id=project_id, nonce=nonce, token_hash=digest(derive(_PURPOSE, nonce)), created_by=by
    )
    db.session.add(app_user)
    role_id = role_named("app-user").id
    for form_id in form_ids or (None,):
        db.session.add(Assignment(actor_id=actor.id, role_id=role_id, project_id=project_id, form_id=form_id))
    audit.record(by, "field_key.create", project_id=project_id, details={"actor": actor.id, "name": name})
    db.session.commit()
    return app_user


def listing(project_id: int) -> list[AppUser]:
    """The project's app users: those in use first, newest first."""
    return list(
        db.session.scalars(
            select(AppUser)
            .where(AppUser.project_id == project_id)
            .order_by(AppUser.revoked_at.is_not(None), AppUser.actor_id.desc())
        )
    )


def get(project_id: int, actor_id: int) -> AppUser:
    """One app user of the project; `Refused` 404.1 when it is not there."""
    app_user = db.session.get(AppUser, actor_id)
    if app_user is None or app_user.project_id != project_id:
        raise not_found()
    return app_user


def revoke(project_id: int, actor_id: int, *, by: int | None = None) -> AppUser:
    """Take the phone's access away at once; its records stay. Harmless when done already."""
    app_user = get(project_id, actor_id)
    if app_user.revoked_at is None:
        app_user.revoked_at = datetime.now(UTC)
        audit.record(by, "field_key.session.end", project_id=project_id, details={"actor": actor_id})
        db.session.commit()
    return app_user


def token(app_user: AppUser) -> str:
    """The token in the phone's path."""
    return derive(_PURPOSE, app_user.nonce)


def server_url(app_user: AppUser, origin: str | None = None) -> str:
    """What Collect calls the server URL: ``{origin}/v1/key/{token}/projects/{id}``."""
    settings: Settings = current_app.config["SETTINGS"]
    return f"{origin or settings.server_origin()}/v1/key/{token(app_user)}/projects/{app_user.project_id}"


def collect_settings(url: str, project_name: str, language: str = "zh") -> str:
    """The text of Collect's settings QR code: ``base64(zlib(JSON))``.

    Collect's own defaults (Google basemap, sending and updating by hand) suit no township, so they are always set; the
    phone then keeps exactly the project's forms and sends whenever there is a network.
    """
    settings = {
        "general": {
            "server_url": url,
            "form_update_mode": "match_exactly",
            "periodic_form_updates_check": "every_fifteen_minutes",
            "autosend": "wifi_and_cellular",
            "basemap_source": "osm",
            "app_language": language,
        },
        "project": {"name": project_name, "icon": "乡" if language == "zh" else "X", "color": "#206bc4"},
        "admin": {},
    }
    packed = json.dumps(settings, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(zlib.compress(packed, 9)).decode("ascii")
