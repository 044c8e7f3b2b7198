"""``xiangtu form``: from spreadsheet to phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from server.cli.language import _
from server.cli.output import json_option, note, print_json, say, table

_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_project = click.option("--project", type=int, required=True, help=_("ID of the project."))


@click.group("form", help=_("Forms: convert, check, publish, and the Excel files of the shipped surveys."))
def command() -> None:
    """The group."""


@command.command("convert", help=_("Convert an XLSForm (xlsx, xls, md, csv) to the XForm phones read."))
@_file
@click.option(
    "--out", type=click.Path(path_type=Path), help=_("File to write; beside the source, .xml, when left out.")
)
@json_option
def convert(file: Path, out: Path | None, as_json: bool) -> None:
    """Convert; ODK Validate has its say."""
    from forms.xlsform import convert as to_xform

    done = to_xform(file)
    target = out or file.with_suffix(".xml")
    target.write_bytes(done.xform)
    if as_json:
        warnings = [_message(message) for message in done.warnings]
        about = {"form": done.form_id, "version": done.version, "title": done.title}
        print_json(about | {"file": str(target), "warnings": warnings})
        return
    for message in done.warnings:
        note(f"! {message}")
    say(_("Written: %(file)s", file=target))


@command.command(
    "check", help=_("Check a form and tell what is wrong by sheet and row. Exit status 1 when it cannot be used.")
)
@_file
@json_option
def check(file: Path, as_json: bool) -> None:
    """Check with pyxform and ODK Validate."""
    from forms.xlsform import Message, XLSFormError, validate_xform
    from forms.xlsform import convert as to_xform

    about: dict[str, Any] = {}
    messages: list[Message]
    try:
        if file.read_bytes()[:512].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            messages = validate_xform(file.read_bytes())
        else:
            done = to_xform(file)
            messages = list(done.warnings)
            about = {"form": done.form_id, "version": done.version, "title": done.title}
    except XLSFormError as error:
        messages = error.messages
    usable = all(message.severity != "error" for message in messages)
    if as_json:
        print_json({"ok": usable} | about | {"messages": [_message(message) for message in messages]})
    else:
        if messages:
            kinds = {"error": _("error"), "warning": _("warning")}
            rows = [(kinds[message.severity], message.sheet, message.row, message.text) for message in messages]
            table([_("Kind"), _("Sheet"), _("Row"), _("Message")], rows)
        say(_("The form can be used.") if usable else _("The form cannot be used."))
    if not usable:
        click.get_current_context().exit(1)


@command.command(
    "publish",
    help=_("Publish a form: a file, or the name of a shipped survey. Media of the same folder goes with it."),
)
@click.argument("source")
@_project
@json_option
def publish(source: str, project: int, as_json: bool) -> None:
    """Publish a form, new or as a new version."""
    from server.cli.instance import application

    with application():
        version, warnings = _publish(project, source)
        done = {
            "form": _form_name(version),
            "version": version.version,
            "title": version.title,
            "hash": version.hash,
            "attachments": [
                {"name": file.name, "present": file.blob_sha256 is not None} for file in version.attachments
            ],
            "warnings": [_message(message) for message in warnings],
        }
    if as_json:
        print_json(done)
        return
    for message in warnings:
        note(f"! {message}")
    for file in done["attachments"]:
        if not file["present"]:
            note(
                "! "
                + _("The form asks for %(name)s, which is not in the folder; upload it on its page.", name=file["name"])
            )
    say(_("Published: %(title)s (%(form)s, version %(version)s)", **done))


@command.command("list", help=_("List the forms of a project."))
@_project
@json_option
def listing(project: int, as_json: bool) -> None:
    """List the forms."""
    from server.cli.instance import application

    with application():
        from server.operations import forms, projects

        projects.get(project)
        rows = [_describe(form) for form in forms.listing(project)]
    if as_json:
        print_json(rows)
    else:
        states = {"open": _("open"), "closing": _("closing"), "closed": _("closed")}
        table(
            [_("Form"), _("Title"), _("Version"), _("State")],
            [(row["form"], row["title"], row["version"] or _("draft"), states[row["state"]]) for row in rows],
        )


@command.command("xlsx", help=_("Write shipped surveys, or a readable form, as Excel files to edit."))
@click.argument("names", nargs=-1)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), help=_("Folder to write to."))
@json_option
def xlsx(names: tuple[str, ...], out: Path, as_json: bool) -> None:
    """Write .xlsx files: all shipped surveys when none is named; their media is copied beside them."""
    import shutil

    from forms.library import surveys
    from forms.xlsform import write_xlsx

    known = {survey.name: survey for survey in surveys()}
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name in names or known:
        source, media = (known[name].source, known[name].media) if name in known else (Path(name), [])
        target = out / f"{name if name in known else source.stem}.xlsx"
        write_xlsx(source, target)
        written.append(str(target))
        for file in media:
            shutil.copyfile(file, out / file.name)
    if as_json:
        print_json({"files": written})
    else:
        for path in written:
            say(_("Written: %(file)s", file=path))


def _publish(project_id: int, source: str) -> tuple[Any, list[Any]]:
    """Draft, attachments, published; a draft that cannot be published is not left behind."""
    from server.cli.failures import Failure
    from server.operations import forms
    from server.operations.errors import Refused
    from server.operations.library import attach_media, definition

    known = {survey.name: survey for survey in _surveys()}
    if source in known:
        read, media = definition(known[source], validate=True), known[source].media
    else:
        path = Path(source)
        if not path.is_file():
            raise Failure("file", _("There is no file and no shipped survey called %(name)s.", name=source))
        read = forms.read_definition(path.read_bytes(), path.name, form_id_fallback=path.stem)
        media = [file for file in path.parent.iterdir() if file.is_file() and file != path]
    draft = forms.save_draft(project_id, read, form=_existing(project_id, read.xform))
    attach_media(draft, media)
    form = forms.get(project_id, _form_name(draft))
    try:
        return forms.publish(form), list(read.warnings)
    except Refused:
        forms.discard_draft(form)
        raise


def _surveys() -> list[Any]:
    from forms.library import surveys

    return surveys()


def _existing(project_id: int, xform: bytes) -> Any:
    """The project's form of the same id, None when there is none."""
    from forms.xform import XFormError, read_xform
    from server.operations import forms, projects
    from server.operations.errors import Refused

    projects.get(project_id)
    try:
        return forms.get(project_id, read_xform(xform).form_id)
    except (XFormError, Refused):
        return None


def _form_name(version: Any) -> str:
    from server.database import db
    from server.models import Form

    return db.session.get_one(Form, version.form_id).xml_form_id


def _describe(form: Any) -> dict[str, Any]:
    current = form.current_version
    shown = current or form.draft_version
    return {
        "form": form.xml_form_id,
        "title": shown.title if shown else form.xml_form_id,
        "state": form.state,
        "version": current.version if current else None,
        "draft": form.draft_version.version if form.draft_version else None,
        "updated_at": form.updated_at or form.created_at,
    }


def _message(message: Any) -> dict[str, Any]:
    return {
        "severity": message.severity,
        "sheet": message.sheet,
        "row": message.row,
        "text": message.text,
        "source": message.source,
    }
