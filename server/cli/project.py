"""``xiangtu project``."""

from __future__ import annotations

from typing import Any

import click

from server.cli.language import _
from server.cli.output import json_option, print_json, say, table, when


@click.group("project", help=_("Projects."))
def command() -> None:
    """The group."""


@command.command("create", help=_("Create a project."))
@click.argument("name")
@click.option("--description", default="", help=_("What it is for."))
@click.option("--language", "speech", type=click.Choice(["zh", "en"]), help=_("Language phones are answered in."))
@json_option
def create(name: str, description: str, speech: str | None, as_json: bool) -> None:
    """Create a project."""
    from server.cli.instance import application

    with application() as app:
        from server.operations import projects

        speech = speech or app.config["SETTINGS"].language
        project = _describe(projects.create(name, description=description, language=speech))
    if as_json:
        print_json(project)
    else:
        say(_("Created project %(id)s: %(name)s", **project))


@command.command("list", help=_("List the projects."))
@json_option
def listing(as_json: bool) -> None:
    """List the projects."""
    from server.cli.instance import application

    with application():
        from server.operations import projects

        rows = [_describe(project) for project in projects.listing()]
    if as_json:
        print_json(rows)
    else:
        table(
            ["ID", _("Name"), _("Language"), _("Created")],
            [(row["id"], row["name"], row["language"], when(row["created_at"])) for row in rows],
        )


def _describe(project: Any) -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "description": project.description,
        "language": project.language,
        "archived": project.archived,
        "created_at": project.created_at,
    }
