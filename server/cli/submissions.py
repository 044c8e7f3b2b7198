"""``xiangtu submissions``: records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from server.cli.failures import Failure
from server.cli.language import _, language
from server.cli.output import json_option, print_json, progress, say, table

_project = click.option("--project", type=int, required=True, help=_("ID of the project."))


@click.group("submissions", help=_("Records: count and export."))
def command() -> None:
    """The group."""


@command.command("count", help=_("Count the records of a project, form by form."))
@_project
@click.option("--form", help=_("Only this form (its form_id)."))
@json_option
def count(project: int, form: str | None, as_json: bool) -> None:
    """Count records: test records, deleted ones and edits that still wait for their original are left out."""
    from server.cli.instance import application

    with application():
        rows = _counts(project, form)
    total = sum(row["count"] for row in rows)
    if as_json:
        waiting = sum(row["waiting"] for row in rows)
        print_json({"project": project, "total": total, "waiting": waiting, "forms": rows})
    else:
        table([_("Form"), _("Title"), _("Records")], [(row["form"], row["title"], row["count"]) for row in rows])
        say(_("Total: %(total)s", total=total))


@command.command(
    "export",
    help=_(
        "Write the records of a form for Excel, WPS and Calc: a .csv, with one more for each repeat beside it, "
        "or all of them in a .zip."
    ),
)
@_project
@click.option("--form", required=True, help=_("The form (its form_id)."))
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help=_("File (.csv, .zip) or folder to write to.")
)
@click.option("--codes", is_flag=True, help=_("Names and codes as ODK Central writes them, for programs."))
@click.option("--mask", is_flag=True, help=_("Mask names, ID numbers, telephones and health."))
@click.option("--media", is_flag=True, help=_("Photos and other files too; needs a .zip."))
@json_option
def export(project: int, form: str, out: Path, codes: bool, mask: bool, media: bool, as_json: bool) -> None:
    """Everything is written under a temporary name first: a file with the right name is always whole."""
    from server.cli.instance import application

    with application():
        from server.exports import csv
        from server.operations import forms

        (row,) = _counts(project, form)
        options = csv.Options(office=not codes, language=language(), sensitive=not mask, media=media)
        pieces = csv.export(forms.get(project, form), options)
        target = out / pieces.file_name if out.is_dir() else out
        files = _write(pieces, target, bar=not as_json)
    if as_json:
        print_json(
            {"file": str(files[0]), "files": [str(file) for file in files], "form": form, "records": row["count"]}
        )
    else:
        for file in files:
            say(_("Written: %(file)s", file=file))
        say(_("%(count)s records", count=row["count"]))


def _write(pieces: Any, target: Path, bar: bool) -> list[Path]:
    """The export in its file, or unpacked when a .csv was asked for and it has several tables."""
    zipped = pieces.file_name.endswith(".zip")
    unpack = zipped and target.suffix.lower() == ".csv"
    if zipped and not unpack and target.suffix.lower() != ".zip":
        raise Failure("file", _("This export is a .zip (or a .csv with others beside it); name such a file."))
    temporary = target.with_name(f".{target.name}.part")
    try:
        with progress(bar) as shown, temporary.open("wb") as file:
            task = shown.add_task(_("Writing (bytes)"), total=None)
            for piece in pieces:
                file.write(piece)
                shown.update(task, advance=len(piece))
        if unpack:
            return _unpack(temporary, target)
        temporary.replace(target)
        return [target]
    finally:
        pieces.close()
        temporary.unlink(missing_ok=True)


def _unpack(archive: Path, target: Path) -> list[Path]:
    """The root table as `target`, the repeats as ``target-NAME.csv`` beside it."""
    import shutil
    import zipfile

    written = []
    with zipfile.ZipFile(archive) as packed:
        names = packed.namelist()
        if any(not name.endswith(".csv") or "/" in name for name in names):
            raise Failure("file", _("Photos and other files need a .zip; name such a file."))
        stem = names[0].removesuffix(".csv")
        for name in names:
            inner = name.removesuffix(".csv").removeprefix(stem)
            file = target.with_name(f"{target.stem}{inner}{target.suffix}")
            with packed.open(name) as source, file.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            written.append(file)
    return written


def _counts(project_id: int, form_id: str | None) -> list[dict[str, Any]]:
    from sqlalchemy import text

    from server.database import db
    from server.operations import forms, projects

    projects.get(project_id)
    if form_id is not None:
        forms.get(project_id, form_id)
    rows = db.session.execute(
        text(
            """
            SELECT f.xml_form_id AS form, coalesce(v.title, f.xml_form_id) AS title,
                   count(s.id) FILTER (WHERE s.current_version_id IS NOT NULL) AS count,
                   count(s.id) FILTER (WHERE s.current_version_id IS NULL) AS waiting
            FROM form f
            LEFT JOIN form_version v ON v.id = coalesce(f.current_version_id, f.draft_version_id)
            LEFT JOIN submission s ON s.form_id = f.id AND NOT s.draft AND s.deleted_at IS NULL
            WHERE f.project_id = :project AND f.deleted_at IS NULL AND (f.xml_form_id = :form OR :form IS NULL)
            GROUP BY f.id, v.title ORDER BY f.xml_form_id
            """
        ),
        {"project": project_id, "form": form_id},
    )
    return [dict(row._mapping) for row in rows]
