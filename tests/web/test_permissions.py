"""Who may open and do what: each route for each role."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from server.models import Form, Project
from tests.support.field import Field
from tests.web.conftest import ROLES, Browser, answers

# Route below the project -> status for admin, manager, viewer, formfill, somebody without a role.
READ = {
    "/projects": (200, 200, 200, 200, 200),
    "/people": (200, 403, 403, 403, 403),
    "{p}": (303, 303, 303, 303, 303),
    "{p}/settings": (200, 200, 403, 403, 404),
    "{p}/records": (303, 303, 303, 403, 404),
    "{p}/forms": (200, 200, 200, 200, 404),
    "{p}/forms/{f}": (200, 200, 200, 200, 404),
    "{p}/forms/{f}/versions/{v}/form.xml": (200, 200, 200, 200, 404),
    "{p}/forms/{f}/versions/{v}/files/places.csv": (200, 200, 200, 200, 404),
    "{p}/forms/{f}/records": (200, 200, 200, 403, 404),
    "{p}/forms/{f}/records/{r}": (200, 200, 200, 403, 404),
    "{p}/forms/{f}/records/{r}/versions/{rv}/files/house.jpg": (200, 200, 200, 403, 404),
    "{p}/forms/{f}/records/{r}/versions/{rv}/files/card.jpg": (403, 403, 403, 403, 404),
    "{p}/forms/{f}/records/{r}/record.xml": (400, 400, 400, 403, 404),
    "{p}/forms/{f}/records.csv": (200, 200, 200, 403, 404),
    "{p}/enumerators": (200, 200, 403, 403, 404),
    "{p}/enumerators/print": (200, 200, 403, 403, 404),
    "{p}/enumerators/{a}": (200, 200, 403, 403, 404),
}
# Without what they need these acts are refused later, with 400, 404 or 422, by those who may do them.
WRITE = {
    "/projects": (400, 403, 403, 403, 403),
    "/people": (400, 403, 403, 403, 403),
    "/people/0/password": (404, 403, 403, 403, 403),
    "{p}/settings": (400, 400, 403, 403, 404),
    "{p}/forms": (422, 422, 403, 403, 404),
    "{p}/forms/library/nothing": (404, 404, 403, 403, 404),
    "{p}/forms/{f}/draft": (422, 422, 403, 403, 404),
    "{p}/forms/{f}/draft/publish": (404, 404, 403, 403, 404),
    "{p}/forms/{f}/draft/discard": (404, 404, 403, 403, 404),
    "{p}/forms/{f}/state": (400, 400, 403, 403, 404),
    "{p}/forms/{f}/versions/{v}/files": (303, 303, 403, 403, 404),
    "{p}/enumerators": (400, 400, 403, 403, 404),
    "{p}/enumerators/0/revoke": (404, 404, 403, 403, 404),
    "{p}/forms/{f}/records/{r}": (422, 422, 422, 403, 404),
    "{p}/forms/{f}/records.csv": (200, 200, 200, 403, 404),
}


@pytest.fixture
def places(field: Field, form: Form, project: Project) -> dict[str, Any]:
    assert field.send(answers("uuid:one"), {"house.jpg": b"\xff\xd8", "card.jpg": b"\xff\xd8"}).status_code == 201
    record, version = field.rows("SELECT id, current_version_id FROM submission WHERE project_id = :project")[0]
    return {
        "p": f"/projects/{project.id}", "f": form.id, "v": form.current_version_id, "r": record, "rv": version,
        "a": field.phone.actor_id,
    }  # fmt: skip


@pytest.mark.parametrize("role", [*ROLES, None])
def test_each_route_for_each_role(someone: Any, places: dict[str, Any], role: str | None) -> None:
    person: Browser = someone(role)
    column = [*ROLES, None].index(role)
    seen = {route: person.get(route.format(**places)).status_code for route in READ}
    assert seen == {route: statuses[column] for route, statuses in READ.items()}
    done = {route: person.post(route.format(**places)).status_code for route in WRITE}
    assert done == {route: statuses[column] for route, statuses in WRITE.items()}


def test_nobody_is_let_in_anywhere(browser: Browser, places: dict[str, Any]) -> None:
    for route in READ:
        assert browser.get(route.format(**places)).status_code == 303, route
    for route in WRITE:
        assert browser.post(route.format(**places)).location == "/login", route


def test_the_tables_above_name_every_page(app: Flask) -> None:
    pages = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint.split(".")[0] in {"projects", "forms", "app_users", "records", "people"}
    }
    known = {
        route.format(
            p="/projects/<int:project_id>", f="<int:form_id>", v="<int:version_id>", r="<int:submission_id>",
            rv="<int:version_id>", a="<int:actor_id>",
        ).replace("people/0", "people/<int:actor_id>").replace("enumerators/0", "enumerators/<int:actor_id>")
        .replace("library/nothing", "library/<name>").replace("/places.csv", "/<path:name>")
        .replace("/house.jpg", "/<path:name>").replace("/card.jpg", "/<path:name>")
        for route in (*READ, *WRITE)
    }  # fmt: skip
    assert pages - known == {
        "/projects/<int:project_id>/forms/<int:form_id>/versions/<int:version_id>/form.xlsx"  # tests/web/test_forms.py
    }


def test_a_form_of_another_project_is_not_found(someone: Any, places: dict[str, Any], context: None) -> None:
    from server.operations import projects

    other = projects.create("别的乡")
    assert someone().get(f"/projects/{other.id}/forms/{places['f']}/records/{places['r']}").status_code == 404


@pytest.mark.parametrize("number", [0, 2**63, 10**30])
def test_numbers_nobody_has(someone: Any, number: int, places: dict[str, Any]) -> None:
    person: Browser = someone()
    assert person.get(f"/projects/{number}/forms").status_code == 404
    assert person.get(f"{places['p']}/forms/{number}").status_code == 404
    assert person.get(f"{places['p']}/forms/{places['f']}/records/{number}").status_code == 404
    assert person.get(f"{places['p']}/forms/{places['f']}/versions/{number}/form.xml").status_code == 404
    assert person.get(f"{places['p']}/enumerators/{number}").status_code == 404
