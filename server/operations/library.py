"""The surveys that ship with the product, as forms of a project."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from forms.library import Survey, surveys
from server.models import Form, FormVersion
from server.operations import forms
from server.operations.errors import Refused


def definition(survey: Survey, *, validate: bool = False) -> forms.Definition:
    """A shipped survey as a definition, with the Excel workbook that staff go on editing.

    ODK Validate is left out unless asked for: the tests of this version have run it, and it takes seconds.
    """
    from forms.xlsform import convert, write_xlsx

    converted = convert(survey.source, validate=validate)
    workbook = BytesIO()
    write_xlsx(survey.source, workbook)
    return forms.Definition(
        converted.xform, workbook.getvalue(), f"{survey.title_zh}.xlsx", warnings=tuple(converted.warnings)
    )


def add(project_id: int, survey: Survey, *, by: int | None = None) -> Form:
    """Add a shipped survey to a project, as a draft with its files; `Refused` 409.3 when its id is taken there."""
    draft = forms.save_draft(project_id, definition(survey), by=by)
    attach_media(draft, survey.media, by=by)
    return forms.get(project_id, survey.name)


def attach_media(version: FormVersion, files: Iterable[Path], *, by: int | None = None) -> None:
    """Give a draft those of the files that it asks for by name."""
    wanted = {attachment.name for attachment in version.attachments}
    for file in files:
        if file.name in wanted:
            forms.attach(version, file.name, file.read_bytes(), by=by)


def publish_all(project_id: int) -> list[Form]:
    """Publish the shipped surveys in a project, those that are not there yet; returns all of them in their order."""
    published = []
    for survey in surveys():
        try:
            form = forms.get(project_id, survey.name)
        except Refused:
            form = add(project_id, survey)
        if form.current_version_id is None:
            forms.publish(form)
        published.append(form)
    return published
