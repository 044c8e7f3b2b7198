"""Making the demonstration: a project, the surveys, the enumerators, and their records through the phones' door."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from flask import current_app
from sqlalchemy import select, text

from forms.schema import FormSchema
from server.database import db
from server.demo import households, mediations, resources
from server.demo.instance import write_instance
from server.demo.records import BEIJING, Record
from server.demo.township import ENUMERATORS
from server.models import AuditEntry, FormVersion
from server.operations import app_users, audit, library, projects

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from server.models import AppUser, Form

PROJECT = "云岭镇（演示）"
FIRST_PHONE = "演示采集员"

Report = Callable[[int, int], None]


class DemoRefused(RuntimeError):
    """The door did not take a record of the demonstration."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of it: the project, how many records it has, whether all was there before."""

    project: int
    records: int
    already: bool


def load(report: Report = lambda sent, total: None) -> Loaded:
    """Make the demonstration unless it was made before; what an interrupted run left is completed.

    Parameters
    ----------
    report : callable
        Told after each record how many of how many were sent.

    Raises
    ------
    DemoRefused
        When the door answers anything but success.
    """
    done = _entry("demo.load")
    if done is not None and done.project_id is not None:
        return Loaded(done.project_id, int((done.details or {}).get("records", 0)), already=True)
    project_id, day = _project()
    forms = library.publish_all(project_id)
    phones = _phones(project_id)
    records = all_records(day)
    _send_all(records, forms, phones, report)
    _date_back(project_id, records)
    audit.record(None, "demo.load", project_id=project_id, details={"records": len(records)})
    db.session.commit()
    return Loaded(project_id, len(records), already=False)


def all_records(day: date) -> list[Record]:
    """The 500 records of the month before `day`, in the order in which phones sent them."""
    records = [*households.records(day), *mediations.records(day), *resources.records(day)]
    return sorted(records, key=lambda record: (record.sent, record.instance_id))


def _entry(action: str) -> AuditEntry | None:
    found: AuditEntry | None = db.session.scalar(
        select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id.desc()).limit(1)
    )
    return found


def _project() -> tuple[int, date]:
    """The demonstration's project and the day it was begun on: dates of records depend on it, also when completing."""
    begun = _entry("demo.create")
    if begun is not None and begun.project_id is not None:
        return begun.project_id, date.fromisoformat((begun.details or {})["day"])
    project = projects.create(PROJECT, description="演示数据：人名、证件号、地块都是虚构的。", language="zh")
    day = datetime.now(BEIJING).date()
    audit.record(None, "demo.create", project_id=project.id, details={"day": day.isoformat()})
    db.session.commit()
    return project.id, day


def _phones(project_id: int) -> list[AppUser]:
    """The enumerators in their order; the first phone for people who try the demonstration is made too."""
    known = {phone.actor.display_name: phone for phone in app_users.listing(project_id)}
    for name in (FIRST_PHONE, *ENUMERATORS):
        if name not in known:
            known[name] = app_users.create(project_id, name)
    return [known[name] for name in ENUMERATORS]


# ------------------------------------------------------------------------------------------------ sending


def _send_all(records: Sequence[Record], forms: Sequence[Form], phones: Sequence[AppUser], report: Report) -> None:
    schemas = {form.xml_form_id: _schema(form) for form in forms}
    paths = [f"/v1/key/{app_users.token(phone)}/projects/{phone.project_id}/submission" for phone in phones]
    client = current_app.test_client()
    for sent, record in enumerate(records, start=1):
        _send(client, paths[record.enumerator], schemas[record.form_id], record)
        report(sent, len(records))


def _schema(form: Form) -> FormSchema:
    version = db.session.get_one(FormVersion, form.current_version_id)
    return FormSchema.from_json(version.schema)


def _send(client: FlaskClient, path: str, schema: FormSchema, record: Record) -> None:
    xml = write_instance(schema, record.answers)
    body, boundary = _multipart({"xml_submission_file": ("submission.xml", xml, "text/xml")} | _parts(record))
    answer = client.post(
        path,
        query_string={"deviceID": record.answers["/deviceid"]},
        data=body,
        content_type=f"multipart/form-data; boundary={boundary}",
        headers={"X-OpenRosa-Version": "1.0", "User-Agent": "org.odk.collect.android/2026.1 (demonstration)"},
    )
    if answer.status_code not in {201, 202}:
        raise DemoRefused(f"{record.instance_id}: {answer.status_code} {answer.get_data(as_text=True)[:300]}")


def _parts(record: Record) -> dict[str, tuple[str, bytes, str]]:
    return {
        name: (name, content, "image/png" if name.endswith(".png") else "text/csv")
        for name, content in record.files.items()
    }


def _multipart(parts: Mapping[str, tuple[str, bytes, str]]) -> tuple[bytes, str]:
    boundary = secrets.token_hex(16)
    pieces = []
    for name, (file_name, content, kind) in parts.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n'
        pieces.append(f"{head}Content-Type: {kind}\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(pieces) + f"--{boundary}--\r\n".encode(), boundary


def _date_back(project_id: int, records: Sequence[Record]) -> None:
    """Let each record have arrived when its phone would have sent it, so that a month of work shows as a month."""
    values = {
        "project": project_id,
        "ids": [record.instance_id for record in records],
        "times": [record.sent for record in records],
    }
    for table in ("submission", "submission_version"):
        db.session.execute(
            text(
                f"""
                UPDATE {table} AS t SET created_at = d.sent
                FROM unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) AS d (id, sent)
                WHERE t.project_id = :project AND t.instance_id = d.id
                """  # noqa: S608 - names of our own
            ),
            values,
        )
