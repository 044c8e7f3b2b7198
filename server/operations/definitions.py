"""Which form version a submission belongs to, remembered in the process.

A published version never changes, so what is remembered is always right about the version; whether the form still
accepts records is asked in the statement that writes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from flask import current_app

from forms.schema import FormSchema
from server.database import fast
from server.operations.errors import Refused, _, not_found

_KEEP = 256
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Definition:
    """A form version as the receiving side needs it."""

    project_id: int
    form_id: int
    version_id: int
    draft: bool
    key: tuple[int, str, str, str | None]
    schema: FormSchema


def resolve(project_id: int, xml_form_id: str, version: str, draft_of: str | None = None) -> Definition:
    """The version a submission names: published, or the current draft of `draft_of`.

    Raises
    ------
    Refused
        404.1 unknown form, 404.6 unknown version.
    """
    key = (project_id, xml_form_id, version, draft_of)
    cache = _cache()
    with _lock:
        found = cache.get(key)
        if found is not None:
            cache.move_to_end(key)
            return found
    found = _load(key)
    with _lock:
        cache[key] = found
        while len(cache) > _KEEP:
            cache.popitem(last=False)
    return found


def forget(definition: Definition) -> None:
    """Drop a definition that the database no longer agrees with."""
    with _lock:
        _cache().pop(definition.key, None)


def _cache() -> OrderedDict[tuple[int, str, str, str | None], Definition]:
    cache: OrderedDict[tuple[int, str, str, str | None], Definition] = current_app.extensions.setdefault(
        "xiangtu.definitions", OrderedDict()
    )
    return cache


def refusal(definition: Definition) -> Refused:
    """Why the database did not accept a record for this definition just now."""
    row = fast.execute(
        """
        SELECT f.deleted_at IS NOT NULL OR p.deleted_at IS NOT NULL, f.state = 'closed' OR p.archived
        FROM form f JOIN project p ON p.id = f.project_id WHERE f.id = %(form)s
        """,
        {"form": definition.form_id},
    )
    if row is None or row[0]:
        return _unknown_form(definition.key[1])
    if row[1]:
        return Refused("409.2", _("This form is closed and takes no more records. Ask the township office."))
    return Refused("404.4", _("This draft is no longer under test. Get its new code from the form's page."))


def _load(key: tuple[int, str, str, str | None]) -> Definition:
    project_id, xml_form_id, version, draft_of = key
    if "\x00" in xml_form_id + version or not 0 < project_id < 2**63:
        raise _unknown_form(xml_form_id)
    if draft_of is not None:
        if draft_of != xml_form_id:
            raise _unknown_form(xml_form_id)
        wanted = "v.id = f.draft_version_id"
    else:
        wanted = "v.published_at IS NOT NULL"
    row = fast.execute(
        f"""
        SELECT f.id, v.id, v.schema
        FROM form f LEFT JOIN form_version v ON v.form_id = f.id AND v.version = %(version)s AND {wanted}
        WHERE f.project_id = %(project)s AND f.xml_form_id = %(form)s AND f.deleted_at IS NULL
        """,
        {"project": project_id, "form": xml_form_id, "version": version},
    )
    if row is None:
        raise _unknown_form(xml_form_id)
    if row[1] is None:
        raise Refused(
            "404.6",
            _("The server does not know version %(version)s of this form. Update the form on the phone."),
            version=version or "''",
        )
    return Definition(project_id, row[0], row[1], draft_of is not None, key, FormSchema.from_json(row[2]))


def _unknown_form(xml_form_id: str) -> Refused:
    if not xml_form_id:
        return not_found()
    return Refused("404.1", _("The server has no form %(form)s. Ask the township office."), form=xml_form_id[:100])
