"""``xiangtu app-user``: enumerators' phones."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import click

from server.cli.language import _
from server.cli.output import json_option, print_json, say, table, when

_project = click.option("--project", type=int, required=True, help=_("ID of the project."))


@click.group("app-user", help=_("Enumerators' phones and their QR codes."))
def command() -> None:
    """The group."""


@command.command("create", help=_("Create an enumerator's phone and show its QR code."))
@_project
@click.option("--name", required=True, help=_("Name of the enumerator."))
@click.option("--form", "forms", multiple=True, help=_("Only this form (its form_id); may be given several times."))
@click.option("--qr", "target", type=click.Path(path_type=Path), help=_("Write the QR code into this PNG file."))
@json_option
def create(project: int, name: str, forms: tuple[str, ...], target: Path | None, as_json: bool) -> None:
    """Create a phone."""
    from server.cli.instance import application

    with application():
        from server.operations import app_users
        from server.operations import forms as form_operations

        form_ids = [form_operations.get(project, form).id for form in forms]
        app_user = app_users.create(project, name, form_ids=form_ids)
        found = _with_code(app_user)
    _hand_over(found, target, as_json)


@command.command("qr", help=_("Show the QR code of a phone again."))
@_project
@click.argument("app_user", type=int, metavar="ID")
@click.option("--out", "target", type=click.Path(path_type=Path), help=_("Write the QR code into this PNG file."))
@json_option
def qr(project: int, app_user: int, target: Path | None, as_json: bool) -> None:
    """Show a QR code again."""
    from server.cli.failures import Failure
    from server.cli.instance import application

    with application():
        from server.operations import app_users

        phone = app_users.get(project, app_user)
        if phone.revoked_at is not None:
            raise Failure("409.2", _("The access of %(name)s was revoked.", name=phone.actor.display_name))
        found = _with_code(phone)
    _hand_over(found, target, as_json)


@command.command("list", help=_("List the phones of a project."))
@_project
@json_option
def listing(project: int, as_json: bool) -> None:
    """List the phones."""
    from server.cli.instance import application

    with application():
        from server.operations import app_users, projects

        projects.get(project)
        rows = [_describe(app_user) for app_user in app_users.listing(project)]
    if as_json:
        print_json(rows)
    else:
        table(
            ["ID", _("Name"), _("Created"), _("Last used"), _("Revoked")],
            [
                (row["id"], row["name"], when(row["created_at"]), when(row["last_used_at"]), when(row["revoked_at"]))
                for row in rows
            ],
        )


@command.command("revoke", help=_("Take a phone's access away at once; its records stay."))
@_project
@click.argument("app_user", type=int, metavar="ID")
@json_option
def revoke(project: int, app_user: int, as_json: bool) -> None:
    """Take the access away."""
    from server.cli.instance import application

    with application():
        from server.operations import app_users

        phone = _describe(app_users.revoke(project, app_user))
    if as_json:
        print_json(phone)
    else:
        say(_("%(name)s can no longer send or fetch anything.", name=phone["name"]))


def _describe(app_user: Any) -> dict[str, Any]:
    return {
        "id": app_user.actor_id,
        "project": app_user.project_id,
        "name": app_user.actor.display_name,
        "created_at": app_user.actor.created_at,
        "last_used_at": app_user.last_used_at,
        "revoked_at": app_user.revoked_at,
    }


def _with_code(app_user: Any) -> dict[str, Any]:
    """The phone with its secrets: token, address, text of the QR code."""
    from server.operations import app_users, projects

    project = projects.get(app_user.project_id)
    url = app_users.server_url(app_user)
    return _describe(app_user) | {
        "token": app_users.token(app_user),
        "server_url": url,
        "settings": app_users.collect_settings(url, project.name, project.language),
    }


def _hand_over(found: dict[str, Any], target: Path | None, as_json: bool) -> None:
    if target is not None:
        import segno

        segno.make(found["settings"], error="l").save(str(target), kind="png", scale=6, border=4)
        found["file"] = str(target)
    if as_json:
        print_json(found)
        return
    say(terminal_code(found["settings"]))
    say(_("%(name)s: scan this code with ODK Collect (menu “Configure with QR code”).", name=found["name"]))
    say(_("Server address: %(url)s", url=found["server_url"]))
    if target is not None:
        say(_("Written: %(file)s", file=target))


def terminal_code(text: str) -> str:
    """A QR code in half blocks for a terminal, as small as it can be.

    On a real terminal the colours are set: the code is light on dark, and cameras do not read it the other way round.
    """
    import segno

    out = io.StringIO()
    segno.make(text, error="l").terminal(out, border=2, compact=True)
    lines = out.getvalue().rstrip("\n").splitlines()
    if sys.stdout.isatty():
        lines = [f"\x1b[97;40m{line}\x1b[0m" for line in lines]
    return "\n".join(lines)
