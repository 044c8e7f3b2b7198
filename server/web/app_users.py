"""Enumerators: their phones' access and the codes that set the phones up."""

from __future__ import annotations

from typing import Any

from flask import request, url_for
from flask_babel import gettext as _

from server.models import AppUser
from server.operations import administration, app_users, forms
from server.operations.errors import Refused
from server.web import codes, door

room = door.room("app_users")
_LIST = "/projects/<int:project_id>/enumerators"


@room.get(_LIST)
def listing(project_id: int) -> Any:
    """The project's enumerators."""
    return _listing(project_id)


def _listing(project_id: int, error: str | None = None, given: dict[str, Any] | None = None) -> Any:
    door.project(project_id, "app_user.list")
    found = app_users.listing(project_id)
    return door.page(
        "app_users/list.html",
        status=400 if error else 200,
        app_users=found,
        in_use=sum(1 for app_user in found if app_user.revoked_at is None),
        forms=forms.listing(project_id),
        limited=administration.forms_of_app_users([app_user.actor_id for app_user in found]),
        error=error,
        given=given or {},
    )


@room.post(_LIST)
def create(project_id: int) -> Any:
    """Create an enumerator for all forms or for the chosen ones."""
    door.project(project_id, "app_user.create")
    given: dict[str, Any] = {
        "name": request.form.get("name", ""),
        "reach": request.form.get("reach", "all"),
        "forms": [int(value) for value in request.form.getlist("forms") if value.isdecimal() and len(value) < 19],
    }
    try:
        if given["reach"] == "some" and not given["forms"]:
            raise Refused("400.8", _("Choose at least one form, or allow all of them."))
        chosen = given["forms"] if given["reach"] == "some" else ()
        app_user = app_users.create(project_id, given["name"], form_ids=chosen, by=door.me().actor_id)
    except Refused as error:
        return _listing(project_id, door.words(error), given)
    door.say(_("The enumerator was created. Let the phone scan the code below."))
    return door.go(url_for("app_users.show", project_id=project_id, actor_id=app_user.actor_id))


@room.get(f"{_LIST}/<int:actor_id>")
def show(project_id: int, actor_id: int) -> Any:
    """One enumerator with the code for the phone."""
    project = door.project(project_id, "app_user.list")
    app_user = app_users.get(project_id, actor_id)
    known = {form.id: form for form in forms.listing(project_id)}
    limited = administration.forms_of_app_users([actor_id]).get(actor_id, [])
    return door.page(
        "app_users/show.html",
        app_user=app_user,
        code=_code(app_user, project.name, project.language) if app_user.revoked_at is None else None,
        url=app_users.server_url(app_user),
        limited=[known[form_id] for form_id in limited if form_id in known],
        whole=not limited,
    )


def _code(app_user: AppUser, project_name: str, language: str) -> Any:
    text = app_users.collect_settings(app_users.server_url(app_user), project_name, language)
    return codes.qr(text, _("Code for %(name)s", name=app_user.actor.display_name))


@room.post(f"{_LIST}/<int:actor_id>/revoke")
def revoke(project_id: int, actor_id: int) -> Any:
    """Take the phone's access away."""
    door.project(project_id, "app_user.delete")
    app_user = app_users.revoke(project_id, actor_id, by=door.me().actor_id)
    door.say(_("%(name)s can no longer send records. Those already here stay.", name=app_user.actor.display_name))
    return door.go(url_for("app_users.listing", project_id=project_id))


@room.get(f"{_LIST}/print")
def print_cards(project_id: int) -> Any:
    """Cards to cut out: all in use, or those chosen."""
    project = door.project(project_id, "app_user.list")
    chosen = {int(value) for value in request.args.getlist("id") if value.isdecimal()}
    cards = [
        (app_user, _code(app_user, project.name, project.language))
        for app_user in app_users.listing(project_id)
        if app_user.revoked_at is None and (not chosen or app_user.actor_id in chosen)
    ]
    return door.page("app_users/print.html", cards=cards)
