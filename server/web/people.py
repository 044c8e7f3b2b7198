"""People who log in: for the administrator."""

from __future__ import annotations

from typing import Any

from flask import request, url_for
from flask_babel import gettext as _

from server.operations import administration, people
from server.operations.errors import Refused, not_found
from server.web import door

room = door.room("people")

#: Roles that hold everywhere. A role in one project is given there.
SITE_ROLES = ("admin", "manager", "viewer")


@room.get("/people")
def listing() -> Any:
    """Everybody who can log in."""
    door.me()
    door.need("user.list")
    return _listing()


@room.post("/people")
def create() -> Any:
    """Create a person; the generated password is shown on this one answer only."""
    door.me()
    door.need("user.create")
    role = request.form.get("role", "")
    given = {"email": request.form.get("email", ""), "name": request.form.get("name", "").strip(), "role": role}
    try:
        user, password = people.create_user(
            given["email"],
            role=role if role in SITE_ROLES else None,
            name=given["name"] or None,
            by=door.me().actor_id,
        )
    except Refused as error:
        return _listing(status=400, error=door.words(error), given=given)
    return _listing(shown=(user, password))


@room.post("/people/<int:actor_id>/password")
def reset_password(actor_id: int) -> Any:
    """Give a person a new generated password; their logins end."""
    door.me()
    door.need("user.update")
    user = next((user for user in people.list_users() if user.actor_id == actor_id), None)
    if user is None:
        raise not_found()
    if actor_id == door.me().actor_id:
        door.say(_("Your own password cannot be reset here: you would be logged out without having read it."), "bad")
        return door.go(url_for("people.listing"))
    password = people.generate_password()
    people.set_password(user, password, door.me().actor_id)
    return _listing(shown=(user, password))


def _listing(**values: Any) -> Any:
    users = people.list_users()
    return door.page(
        "people/list.html",
        status=values.pop("status", 200),
        people=users,
        roles=administration.roles_of([user.actor_id for user in users]),
        site_roles=SITE_ROLES,
        shown=values.pop("shown", None),
        error=values.pop("error", None),
        given=values.pop("given", {}),
    )
