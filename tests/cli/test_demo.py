"""The demonstration: valid for the engine inside ODK Collect, loaded through the phones' door, exactly once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from lxml import etree
from sqlalchemy import text

from forms.library import surveys
from forms.xform import read_xform
from forms.xlsform import convert
from server import demo
from server.database import db
from server.demo.instance import UnknownPath, write_instance
from server.demo.loading import all_records
from server.operations import app_users
from tests.clients.javarosa import JavaRosa

DAY = datetime.now(UTC).date()
COUNTS = {"household_visit": 380, "mediation_log": 60, "resource_survey": 60}
#: What opening a record for editing changes by itself.
CHANGED_BY_EDITING = {"/start", "/end", "/meta/instanceID", "/meta/instanceName", "/meta/deprecatedID"}


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


def leaves(xml: bytes) -> Counter[tuple[str, str]]:
    """Path and text of every answer."""
    found: Counter[tuple[str, str]] = Counter()

    def walk(node: etree._Element, path: str) -> None:
        for child in node:
            inner = f"{path}/{etree.QName(child).localname}"
            walk(child, inner)
            if len(child) == 0 and child.text and inner not in CHANGED_BY_EDITING:
                found[inner, child.text] += 1

    walk(etree.fromstring(xml), "")
    return found


def test_the_same_day_gives_the_same_records() -> None:
    first, second = all_records(DAY), all_records(DAY)
    assert [record.answers for record in first] == [record.answers for record in second]
    assert Counter(record.form_id for record in first) == COUNTS
    assert len({record.instance_id for record in first}) == 500
    earliest = datetime.combine(DAY - timedelta(days=30), datetime.min.time(), UTC) - timedelta(hours=8)
    assert all(earliest <= record.ended <= record.sent for record in first)
    assert all(record.ended.date() < DAY for record in first)


def test_collect_finds_nothing_to_mend() -> None:
    """Opened for editing in JavaRosa, records are valid and keep every answer; calculations come out the same."""
    media = {survey.name: {file.name: file.read_bytes() for file in survey.media} for survey in surveys()}
    xforms = {survey.name: convert(survey.source, validate=False).xform for survey in surveys()}
    schemas = {name: read_xform(xform) for name, xform in xforms.items()}
    records = all_records(DAY)
    sample = [one for form in COUNTS for one in [record for record in records if record.form_id == form][::31]]
    with JavaRosa() as javarosa:
        for record in sample:
            xml = write_instance(schemas[record.form_id], record.answers)
            opened = javarosa.fill(xforms[record.form_id], {"answers": {}}, media[record.form_id], edit=xml)
            # A day agreed on for coming back may be over by now.
            assert opened.validation in {"ok", "constraint /contact_group/revisit_date"}, record.instance_id
            assert leaves(xml) == leaves(opened.xml)


def test_an_answer_to_no_question_is_an_error() -> None:
    schema = read_xform(convert(surveys()[0].source, validate=False).xform)
    with pytest.raises(UnknownPath, match="/place/no_such"):
        write_instance(schema, {"/place/no_such": "1"})


def test_loading_is_completed_after_an_interruption_and_happens_once(app: Flask) -> None:
    def stop(sent: int, total: int) -> None:
        if sent == 30:
            raise Interrupted

    with app.app_context():
        with pytest.raises(Interrupted):
            demo.load(stop)
        assert _value("SELECT count(*) FROM submission") == 30

        done = demo.load()
        assert (done.records, done.already) == (500, False)
        again = demo.load()
        assert again == demo.Loaded(done.project, 500, already=True)

        _check_records(done.project)
        assert len(app_users.listing(done.project)) == 6


def _check_records(project: int) -> None:
    rows = db.session.execute(
        text(
            """
            SELECT f.xml_form_id, count(*), bool_and(v.problems IS NULL OR v.problems = '[]'),
                   min(s.created_at) < max(s.created_at) - interval '20 days', max(s.created_at) <= now()
            FROM submission s JOIN form f ON f.id = s.form_id JOIN submission_version v ON v.id = s.current_version_id
            WHERE s.project_id = :project GROUP BY f.xml_form_id
            """
        ),
        {"project": project},
    ).all()
    assert {row[0]: row[1] for row in rows} == COUNTS
    assert all(row[2] and row[3] and row[4] for row in rows)
    assert _value("SELECT count(*) FROM submission_attachment WHERE blob_sha256 IS NULL OR NOT expected") == 0
    assert _value("SELECT count(*) FROM submission_geometry WHERE NOT ST_IsValid(geom)") == 0
    # Three villages within a few kilometres.
    assert _value("SELECT ST_Area(ST_Extent(geom)::geometry::geography) / 1e6 FROM submission_geometry") < 60


def _value(sql: str) -> float:
    value: float = db.session.scalar(text(sql))
    return value


def test_dates_depend_on_the_day_it_was_begun() -> None:
    old = all_records(date(2026, 3, 2))
    assert max(record.ended for record in old).date() == date(2026, 3, 1)
