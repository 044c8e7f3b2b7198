"""Projects: the list, a new one, the settings of one."""

from __future__ import annotations

from typing import Any

from flask import request, url_for
from flask_babel import gettext as _

from server.i18n import LANGUAGES
from server.operations import administration, projects, records
from server.operations.errors import Refused
from server.web import door

room = door.room("projects")


@room.get("/projects")
def listing() -> Any:
    """All projects the person may read."""
    return _listing()


def _listing(error: str | None = None, name: str = "") -> Any:
    found = projects.listing(door.me())
    overview = records.overview([project.id for project in found])
    return door.page(
        "projects/list.html",
        status=200 if error is None else 400,
        projects=found,
        overview=overview,
        error=error,
        name=name,
    )


@room.post("/projects")
def create() -> Any:
    """Create a project."""
    door.need("project.create")
    name = request.form.get("name", "")
    try:
        project = projects.create(
            name,
            description=request.form.get("description", ""),
            language=_language(request.form.get("language"), door.language()),
            by=door.me().actor_id,
        )
    except Refused as error:
        return _listing(door.words(error), name)
    door.say(_("The project was created. Next: add a form."))
    return door.go(url_for("forms.listing", project_id=project.id))


@room.get("/projects/<int:project_id>")
def show(project_id: int) -> Any:
    """A project opens on its records."""
    return door.go(url_for("records.of_project", project_id=project_id))


@room.route("/projects/<int:project_id>/settings", methods=["GET", "POST"])
def settings(project_id: int) -> Any:
    """Name, description, language of phones."""
    project = door.project(project_id, "project.update")
    if request.method == "GET":
        return door.page("projects/settings.html", error=None, given=project)
    given = {
        "name": request.form.get("name", ""),
        "description": request.form.get("description", ""),
        "language": _language(request.form.get("language"), project.language),
    }
    try:
        administration.update_project(project, **given, by=door.me().actor_id)
    except Refused as error:
        return door.page("projects/settings.html", status=400, error=door.words(error), given=given)
    door.say(_("The settings were saved."))
    return door.go(url_for("projects.settings", project_id=project_id))


def _language(given: str | None, otherwise: str) -> str:
    return given if given in LANGUAGES else otherwise
