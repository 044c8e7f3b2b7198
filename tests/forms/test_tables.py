"""Column names and their order: what scripts, workbooks and SQL views rely on."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyxform.xls2xform import convert

from forms.instance import parse, read_envelope
from forms.schema import Field, FormSchema
from forms.tables import Table, rows, tables
from forms.xform import read_xform

FIXTURES = Path(__file__).parent / "fixtures"
VISIT = read_xform(convert((FIXTURES / "visit.md").read_text(encoding="utf-8")).xform.encode())
AFTER = [
    "KEY", "SubmitterID", "SubmitterName", "AttachmentsPresent", "AttachmentsExpected", "Status", "ReviewState",
    "DeviceID", "Edits", "FormVersion",
]  # fmt: skip


def headers(table: Table) -> list[str]:
    return [column.header for column in table.columns]


def form(*fields: Field) -> FormSchema:
    return FormSchema("f", "1", "F", "data", fields=fields)


def test_the_columns_of_records() -> None:
    assert headers(tables(VISIT)[0]) == [
        "SubmissionDate", "start", "basic-id_number", "basic-age", "village", "basic_town", "crops", "ranking",
        "income",
        "door-Latitude", "door-Longitude", "door-Altitude", "door-Accuracy", "plot", "photo", "tariff",
        "members_count", "score", "meta-entity-label", "meta-audit", "meta-instanceID", "meta-instanceName", *AFTER,
    ]  # fmt: skip


def test_the_columns_of_repeats() -> None:
    _, members, loans = tables(VISIT)
    assert (members.name, members.path, members.parent) == ("members", "/members", None)
    assert (loans.name, loans.path, loans.parent) == ("loans", "/members/loans", "/members")
    assert headers(members) == ["name", "greet", "PARENT_KEY", "KEY"]
    assert headers(loans) == [
        "amount", "bank-Latitude", "bank-Longitude", "bank-Altitude", "bank-Accuracy", "PARENT_KEY", "KEY",
    ]  # fmt: skip


def test_a_column_knows_its_question() -> None:
    by_header = {column.header: column for column in tables(VISIT)[0].columns}
    point = by_header["door-Altitude"]
    assert (point.path, point.type, point.source_type, point.part) == ("/door", "decimal", "geopoint", "Altitude")
    assert by_header["basic-age"].labels["English (en)"] == "Age"
    assert by_header["basic-id_number"].sensitive == "id_number"
    assert (by_header["KEY"].path, by_header["SubmissionDate"].type) == (None, "dateTime")


def test_selects_can_be_split_and_groups_left_out() -> None:
    found = headers(tables(VISIT, split_selects=True, group_names=False)[0])
    assert found[2:4] == ["id_number", "age"]
    assert found[6:10] == ["crops", "crops/rice", "crops/rape", "ranking"]


def test_headers_and_sql_names_are_unique() -> None:
    schema = form(
        Field("/a-b", "a-b", "string"),
        Field("/a", "a", "structure", "group"),
        Field("/a/b", "b", "string"),
        Field("/KEY", "KEY", "string"),
        Field("/" + "n" * 70, "n" * 70, "string"),
        Field("/" + "n" * 71, "n" * 71, "string"),
        Field("/" + "村" * 30, "村" * 30, "string"),
    )
    table = tables(schema)[0]
    assert headers(table)[1:4] == ["a-b", "a-b_2", "KEY_2"]
    assert len(set(headers(table))) == len(table.columns)
    names = [column.sql_name for column in table.columns]
    assert len(set(names)) == len(names)
    assert all(len(name.encode()) <= 63 for name in names)
    assert names[4:7] == ["n" * 63, "n" * 61 + "_2", "村" * 21]


def test_repeats_of_the_same_name_take_the_names_of_their_groups() -> None:
    schema = form(
        Field("/a", "a", "structure", "group"),
        Field("/a/item", "item", "repeat", "repeat"),
        Field("/a/item/x", "x", "string", repeat="/a/item"),
        Field("/b", "b", "structure", "group"),
        Field("/b/item", "item", "repeat", "repeat"),
        Field("/b/only", "only", "repeat", "repeat"),
    )
    assert [table.name for table in tables(schema)] == ["Submissions", "a-item", "b-item", "only"]


@pytest.mark.parametrize(
    ("form_id", "names"),
    [("visit", ["visit.csv", "visit-members.csv"]), ("a/b:c", ["a_b_c.csv", "a_b_c-members.csv"])],
)
def test_file_names(form_id: str, names: list[str]) -> None:
    assert [table.file_name(form_id) for table in tables(VISIT)[:2]] == names


def test_versions_are_one_table_in_the_order_of_the_first() -> None:
    new = form(
        Field("/c", "c", "string"), Field("/a", "a", "decimal"), Field("/d", "d", "date"), Field("/g", "g", "geopoint")
    )
    old = form(
        Field("/x", "x", "string"),
        Field("/a", "a", "int", labels={"default": "old"}),
        Field("/b1", "b1", "string"),
        Field("/b2", "b2", "string"),
        Field("/d", "d", "string"),
        Field("/g", "g", "string"),
        Field("/c", "c", "string"),
        Field("/z", "z", "string"),
    )
    columns = tables([new, old])[0].columns[1 : -len(AFTER)]
    assert [(column.header, column.type) for column in columns] == [
        ("x", "string"), ("c", "string"), ("z", "string"), ("a", "decimal"), ("b1", "string"), ("b2", "string"),
        ("d", "string"), ("g-Latitude", "decimal"), ("g-Longitude", "decimal"), ("g-Altitude", "decimal"),
        ("g-Accuracy", "decimal"),
    ]  # fmt: skip
    assert columns[3].labels == {}


def test_a_group_that_became_a_repeat_keeps_both_places() -> None:
    old = form(Field("/m", "m", "structure", "group"), Field("/m/a", "a", "string"))
    new = form(Field("/m", "m", "repeat", "repeat"), Field("/m/a", "a", "string", repeat="/m"))
    root, repeat = tables([new, old])
    assert headers(root)[1] == "m-a"
    assert headers(repeat) == ["a", "PARENT_KEY", "KEY"]


def test_the_rows_of_a_record() -> None:
    xml = (FIXTURES / "visit.submission.xml").read_bytes()
    answers = parse(read_envelope(xml), VISIT).answers
    root, members, loans = tables(VISIT)
    assert [row.key for row in rows(root, answers, "uuid:1")] == ["uuid:1"]
    assert [(row.key, row.parent_key) for row in rows(members, answers, "uuid:1")] == [
        ("uuid:1/members[1]", "uuid:1"),
        ("uuid:1/members[2]", "uuid:1"),
    ]
    assert [
        (row.key, row.parent_key, row.answers["/members/loans/amount"]) for row in rows(loans, answers, "uuid:1")
    ] == [
        ("uuid:1/members[1]/loans[1]", "uuid:1/members[1]", 100.0),
        ("uuid:1/members[1]/loans[2]", "uuid:1/members[1]", 250.5),
        ("uuid:1/members[2]/loans[1]", "uuid:1/members[2]", 3.0),
    ]


def test_a_repeat_in_a_group_has_the_group_in_its_key() -> None:
    schema = form(
        Field("/g", "g", "structure", "group"),
        Field("/g/m", "m", "repeat", "repeat"),
        Field("/g/m/a", "a", "string", repeat="/g/m"),
    )
    table = tables(schema)[1]
    assert [row.key for row in rows(table, {"/g/m": [{"/g/m/a": "x"}, {}]}, "uuid:1")] == [
        "uuid:1/g/m[1]",
        "uuid:1/g/m[2]",
    ]
