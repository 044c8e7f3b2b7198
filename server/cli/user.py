"""``xiangtu user``: people who log in."""

from __future__ import annotations

from typing import Any

import click

from server.cli.language import _
from server.cli.output import json_option, print_json, say, table, when


@click.group("user", help=_("People who log in."))
def command() -> None:
    """The group."""


@command.command("create", help=_("Create a person. Without --password a random one is made and printed."))
@click.option("--email", required=True, help=_("E-mail: the name to log in with."))
@click.option("--role", help=_("Role on the whole site: admin, manager, viewer, formfill; none when left out."))
@click.option("--name", help=_("Name to show; the e-mail when left out."))
@click.option("--password", help=_("Password; others on this machine can read it while the command runs."))
@json_option
def create(email: str, role: str | None, name: str | None, password: str | None, as_json: bool) -> None:
    """Create a person."""
    from server.cli.instance import application

    with application():
        from server.operations import people

        user, secret = people.create_user(email, password=password, role=role, name=name)
        made = {
            "id": user.actor_id,
            "email": user.email,
            "name": user.actor.display_name,
            "role": role,
            "password": secret,
        }
    if as_json:
        print_json(made)
        return
    say(_("Created: %(email)s", email=email))
    if password is None:
        say(_("Password: %(password)s", password=secret))
        say(_("It is shown this once; hand it over safely."))


@command.command("list", help=_("List the people."))
@json_option
def listing(as_json: bool) -> None:
    """List the people."""
    from server.cli.instance import application

    with application():
        from server.operations import people

        rows = [_describe(user) for user in people.list_users()]
    if as_json:
        print_json(rows)
    else:
        table(
            ["ID", _("E-mail"), _("Name"), _("Roles"), _("Last login")],
            [
                (row["id"], row["email"], row["name"], ", ".join(row["roles"]), when(row["last_login_at"]))
                for row in rows
            ],
        )


@command.command("reset-password", help=_("Give a person a new password and end their logins."))
@click.argument("email")
@click.option("--password", help=_("The new password; a random one is made and printed when left out."))
@json_option
def reset_password(email: str, password: str | None, as_json: bool) -> None:
    """Give a person a new password."""
    from server.cli.failures import Failure
    from server.cli.instance import application

    with application():
        from server.operations import people

        user = people.find_user(email)
        if user is None:
            raise Failure("404.1", _("There is no user with the e-mail %(email)s.", email=email))
        secret = password or people.generate_password()
        people.set_password(user, secret, by=None)
        made = {"id": user.actor_id, "email": user.email, "password": secret}
    if as_json:
        print_json(made)
        return
    say(_("%(email)s has a new password and is logged out everywhere.", email=email))
    if password is None:
        say(_("Password: %(password)s", password=secret))


def _describe(user: Any) -> dict[str, Any]:
    from sqlalchemy import select

    from server.database import db
    from server.models import Assignment, Role

    roles = db.session.scalars(
        select(Role.system)
        .join(Assignment)
        .where(Assignment.actor_id == user.actor_id)
        .distinct()
        .order_by(Role.system)
    )
    return {
        "id": user.actor_id,
        "email": user.email,
        "name": user.actor.display_name,
        "roles": list(roles),
        "created_at": user.actor.created_at,
        "last_login_at": user.last_login_at,
    }
