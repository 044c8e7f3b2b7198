"""Submissions: the envelope whatever the bytes, and answers that lose nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyxform.xls2xform import convert

from forms.instance import MAX_PROBLEMS, Instance, InstanceError, parse, read_envelope
from forms.schema import FormSchema
from forms.xform import read_xform

FIXTURES = Path(__file__).parent / "fixtures"
SUBMISSION = (FIXTURES / "visit.submission.xml").read_bytes().strip()
VISIT = read_xform(convert((FIXTURES / "visit.md").read_text(encoding="utf-8")).xform.encode())
UUID = "uuid:5c3bd1a4-3f0a-4b26-a6a2-5b0f6d0a9f10"


def read(inside: str, schema: FormSchema = VISIT, attributes: str = 'id="visit" version="1"') -> Instance:
    return parse(read_envelope(f"<data {attributes}>{inside}</data>".encode()), schema)


def reasons(instance: Instance) -> list[tuple[str, str]]:
    return [(problem.path, problem.reason) for problem in instance.problems]


def test_the_answers_of_what_a_phone_sends() -> None:
    instance = parse(read_envelope(SUBMISSION), VISIT)
    assert instance.answers == {
        "/start": "2026-11-22T14:03:05.120+08:00",
        "/basic/id_number": "11010519491231002X",
        "/basic/age": 76,
        "/village": "513424101201",
        "/crops": ["rice", "rape"],
        "/ranking": ["rape", "rice"],
        "/income": 23.5,
        "/door": "27.4012 102.1785 1380.5 4.5",
        "/plot": "27.4 102.1 0.0 0.0; 27.4 102.2 0.0 0.0; 27.5 102.2 0.0 0.0; 27.4 102.1 0.0 0.0",
        "/photo": "1732255385120.jpg",
        "/tariff": "12",
        "/members_count": "2",
        "/members": [
            {
                "/members/name": "甲",
                "/members/loans": [
                    {"/members/loans/amount": 100.0, "/members/loans/bank": "27.41 102.11 0.0 0.0"},
                    {"/members/loans/amount": 250.5},
                ],
            },
            {
                "/members/name": "乙",
                "/members/loans": [{"/members/loans/amount": 3.0, "/members/loans/bank": "27.42 102.12"}],
            },
        ],
        "/score": 4,
        "/meta/entity/label": "11010519491231002X",
        "/meta/audit": "audit.csv",
        "/meta/instanceID": UUID,
        "/meta/instanceName": "户 76",
    }
    assert instance.files == ["1732255385120.jpg", "audit.csv"]
    assert instance.problems == []


def test_places_know_their_repeat_instance() -> None:
    found = parse(read_envelope(SUBMISSION), VISIT).geometries
    assert [(item.path, item.ordinal, item.accuracy) for item in found] == [
        ("/door", 0, 4.5),
        ("/plot", 0, 0.0),
        ("/members/loans/bank", 0, 0.0),
        ("/members/loans/bank", 2, None),
    ]
    shapes = [shapely.from_wkb(item.ewkb) for item in found]
    assert [shape.geom_type for shape in shapes] == ["Point", "Polygon", "Point", "Point"]
    assert shapes[0].coords[0] == (102.1785, 27.4012, 1380.5)
    assert all(shape.has_z and shapely.get_srid(shape) == 4326 for shape in shapes)


@pytest.mark.parametrize(
    ("inside", "path", "value"),
    [
        ("<income>10</income>", "/income", 10.0),
        ("<income>10.0</income>", "/income", 10.0),
        ("<income>-1.5e3</income>", "/income", -1500.0),
        ("<score> 4 </score>", "/score", 4),
        ("<score>-4</score>", "/score", -4),
        ("<score>4.0</score>", "/score", 4),
        ("<score>9223372036854775807</score>", "/score", 9223372036854775807),
        ("<crops>rice\n rape</crops>", "/crops", ["rice", "rape"]),
        ("<village>a&amp;b&lt;</village>", "/village", "a&b<"),
        ("<basic_town> 两端  </basic_town>", "/basic_town", " 两端  "),
        ("<basic_town><![CDATA[<b>]]></basic_town>", "/basic_town", "<b>"),
        ("<basic_town>a<!-- no answer -->b<?pi x?></basic_town>", "/basic_town", "ab"),
        ("<door>27 102</door>", "/door", "27 102"),
        ("<door>27 102 5 6;</door>", "/door", "27 102 5 6;"),
        ("<start>2026-11-22T14:03:05Z</start>", "/start", "2026-11-22T14:03:05Z"),
        ("<start>2026-11-22T14:03:05.000+08</start>", "/start", "2026-11-22T14:03:05.000+08"),
    ],
)
def test_answers_of_the_right_type(inside: str, path: str, value: Any) -> None:
    instance = read(inside)
    assert instance.answers == {path: value}
    assert type(instance.answers[path]) is type(value)
    assert instance.problems == []


@pytest.mark.parametrize(
    ("inside", "path", "reason"),
    [
        ("<score>4.5</score>", "/score", "not_an_integer"),
        ("<score>1_000</score>", "/score", "not_an_integer"),
        ("<score>٣</score>", "/score", "not_an_integer"),
        ("<score>9223372036854775808</score>", "/score", "not_an_integer"),
        (f"<score>{'9' * 6000}</score>", "/score", "not_an_integer"),
        ("<income>NaN</income>", "/income", "not_a_number"),
        ("<income>Infinity</income>", "/income", "not_a_number"),
        ("<income>1e999</income>", "/income", "not_a_number"),
        ("<income>1,5</income>", "/income", "not_a_number"),
        ("<income>1_0</income>", "/income", "not_a_number"),
        ("<start>2026-11-22</start>", "/start", "not_a_datetime"),
        ("<start>2026-13-22T14:03:05.000+08:00</start>", "/start", "not_a_datetime"),
        ("<start>2026-W01-1T14:03:05</start>", "/start", "not_a_datetime"),
        ("<start>2026-11-22T140305</start>", "/start", "not_a_datetime"),
        ("<start>2026-11-22T14:03:05,5</start>", "/start", "not_a_datetime"),
        ("<start>2026-11-22T14:03:05+99:00</start>", "/start", "not_a_datetime"),
        ("<door>here</door>", "/door", "not_a_point"),
        ("<door>27</door>", "/door", "not_a_point"),
        ("<door>27 102 nan 1</door>", "/door", "not_a_point"),
        ("<door>127 102</door>", "/door", "out_of_range"),
        ("<door>nan 102</door>", "/door", "out_of_range"),
        ("<door>1 2; 3 4</door>", "/door", "not_a_point"),
        ("<plot>1 2; 3 4</plot>", "/plot", "too_few_points"),
        ("<unheard_of>x</unheard_of>", "/unheard_of", "not_in_form"),
        ("<basic>x</basic>", "/basic", "not_a_leaf"),
    ],
)
def test_an_answer_of_the_wrong_type_is_kept_as_text_with_a_problem(inside: str, path: str, reason: str) -> None:
    instance = read(inside)
    text = inside.partition(">")[2].partition("<")[0]
    assert instance.answers == {path: text}
    assert reasons(instance) == [(path, reason)]
    assert instance.geometries == []


DATES = read_xform(
    convert(
        "| survey | | | |\n| | type | name | label |\n| | date | d | D |\n| | time | t | T |\n"
        "| | geotrace | line | L |\n| | barcode | code | C |\n| | file | doc | F |\n| | acknowledge | ok | K |\n"
    ).xform.encode()
)


@pytest.mark.parametrize(
    ("inside", "answers", "problems"),
    [
        ("<d>2026-02-28</d>", {"/d": "2026-02-28"}, []),
        ("<d>2026-02-28+08:00</d>", {"/d": "2026-02-28"}, []),
        ("<d>2026-02-28Z</d>", {"/d": "2026-02-28"}, []),
        ("<d>2026-02-30</d>", {"/d": "2026-02-30"}, [("/d", "not_a_date")]),
        ("<d>2026-W01-1</d>", {"/d": "2026-W01-1"}, [("/d", "not_a_date")]),
        ("<d>20260228</d>", {"/d": "20260228"}, [("/d", "not_a_date")]),
        ("<t>09:30:00.000+08:00</t>", {"/t": "09:30:00.000+08:00"}, []),
        ("<t>09:30</t>", {"/t": "09:30"}, []),
        ("<t>25:30</t>", {"/t": "25:30"}, [("/t", "not_a_time")]),
        ("<line>1 2 0.0 0.0; 3 4 0.0 0.0</line>", {"/line": "1 2 0.0 0.0; 3 4 0.0 0.0"}, []),
        ("<line>1 2</line>", {"/line": "1 2"}, [("/line", "too_few_points")]),
        ("<code>\u241d01\u241d</code>", {"/code": "\u241d01\u241d"}, []),
        ("<doc>f😂le3صادق</doc>", {"/doc": "f😂le3صادق"}, []),
        ("<ok>OK</ok>", {"/ok": "OK"}, []),
    ],
)
def test_further_types(inside: str, answers: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    instance = read(inside, DATES)
    assert instance.answers == answers
    assert reasons(instance) == problems


def test_an_edit_names_what_it_replaces() -> None:
    meta = "<meta><deprecatedID>uuid:1</deprecatedID><instanceID>uuid:2</instanceID></meta>"
    instance = read(meta)
    assert (instance.envelope.instance_id, instance.envelope.deprecated_id) == ("uuid:2", "uuid:1")
    assert instance.answers == {"/meta/deprecatedID": "uuid:1", "/meta/instanceID": "uuid:2"}
    assert instance.problems == []


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("12&#26;34", "12␚34"),
        ("&#x1d;01&#29;", "␝01␝"),
        ("a\x1ab\x00", "a␚b␀"),
        ("&#0;", "␀"),
        ("&#xD83D;&#xDE02;", "😂"),
        ("&#55357;", "\ufffd"),
        ("&#xFFFF;&#26;", "\ufffd␚"),
        ("&#99999999;", "\ufffd"),
        ("keeps &#20013;&amp;&#x26;\t&#26;", "keeps 中&&\t␚"),
    ],
)
def test_control_characters_become_visible(sent: str, kept: str) -> None:
    instance = read(f"<basic_town>{sent}</basic_town>")
    assert instance.answers == {"/basic_town": kept}
    assert "\\u0000" not in json.dumps(instance.answers)


def test_field_names_with_dots_and_a_child_with_the_name_of_its_repeat() -> None:
    schema = read_xform((FIXTURES / "handmade.xml").read_bytes())
    xml = (
        '<water id="w" xmlns="https://example.org/water"><q1.1>3</q1.1><site><visits><day>2026-01-01</day>'
        "<visits>7</visits></visits><visits/></site></water>"
    )
    instance = parse(read_envelope(xml.encode()), schema)
    assert instance.answers == {
        "/q1.1": 3,
        "/site/visits": [{"/site/visits/day": "2026-01-01", "/site/visits/visits": "7"}, {}],
    }
    assert instance.problems == []


def test_a_root_that_is_a_part_of_the_form() -> None:
    form = (
        '<html><model><instance><data id="f"><age/><g><a/></g></data></instance><submission ref="/data/{}"/>'
        '<bind nodeset="/data/age" type="int"/><bind nodeset="/data/g/a" type="int"/></model></html>'
    )
    age, group = (read_xform(form.format(name).encode()) for name in ("age", "g"))
    # JavaRosa sends the part without id: only the address can tell the form.
    assert parse(read_envelope(b"<age>33</age>", "f"), age).answers == {"/age": 33}
    assert parse(read_envelope(b'<g id="f"><a>33</a></g>'), group).answers == {"/g/a": 33}
    assert parse(read_envelope(b'<other id="f"><age>33</age></other>'), VISIT).answers == {"/age": "33"}


def test_the_same_file_twice_is_expected_once() -> None:
    instance = read("<photo>fîlé2.jpg</photo><photo>fîlé2.jpg</photo><photo>b.jpg</photo>")
    assert instance.files == ["fîlé2.jpg", "b.jpg"]
    assert instance.answers == {"/photo": "fîlé2.jpg", "/photo[2]": "fîlé2.jpg", "/photo[3]": "b.jpg"}
    assert reasons(instance) == [("/photo[2]", "repeated"), ("/photo[3]", "repeated")]


def test_a_second_group_adds_to_the_first() -> None:
    instance = read("<basic><age>1</age></basic><basic><age>2</age><id_number>x</id_number></basic>")
    assert instance.answers == {"/basic/age": 1, "/basic/age[2]": "2", "/basic/id_number": "x"}


def test_text_beside_elements_is_kept() -> None:
    instance = read("before<basic>in<age>1</age>after</basic><members>loose<name>甲</name></members>")
    assert instance.answers == {
        "/": "before",
        "/basic": "in",
        "/basic/age": 1,
        "/basic[2]": "after",
        "/members": [{"/members": "loose", "/members/name": "甲"}],
    }


def test_elements_inside_a_leaf_are_kept() -> None:
    instance = read("<income>1<cents>50</cents></income>")
    assert instance.answers == {"/income": "1", "/income/cents": "50"}


def test_two_thousand_instances_of_a_repeat() -> None:
    instance = read("".join(f"<members><name>{n}</name></members>" for n in range(2000)))
    assert [row["/members/name"] for row in instance.answers["/members"]] == [str(n) for n in range(2000)]


def test_problems_are_cut_and_say_so() -> None:
    instance = read(f"<members><name>x</name><odd>{'v' * 300}</odd></members>" * (MAX_PROBLEMS + 50))
    assert len(instance.problems) == MAX_PROBLEMS + 1
    assert instance.problems[-1].reason == "more"
    assert len(instance.problems[0].value) == 200
    assert len(instance.answers["/members"]) == MAX_PROBLEMS + 50


def test_an_encrypted_submission_is_recognised() -> None:
    xml = (
        '<data xmlns="http://www.opendatakit.org/xforms/encrypted" encrypted="yes" id="visit" version="1">'
        "<base64EncryptedKey>AAAA</base64EncryptedKey>"
        '<orx:meta xmlns:orx="http://openrosa.org/xforms"><orx:instanceID>uuid:1</orx:instanceID></orx:meta>'
        "<media><file>a.jpg.enc</file></media><media><file>b.jpg.enc</file></media>"
        "<encryptedXmlFile>submission.xml.enc</encryptedXmlFile>"
        "<base64EncryptedElementSignature>BBBB</base64EncryptedElementSignature></data>"
    )
    envelope = read_envelope(xml.encode())
    instance = parse(envelope, VISIT)
    assert (envelope.encrypted, envelope.instance_id) == (True, "uuid:1")
    assert instance.files == ["a.jpg.enc", "b.jpg.enc", "submission.xml.enc"]
    assert (instance.answers, instance.geometries, instance.problems) == ({}, [], [])


def test_a_declaration_in_an_answer_is_no_declaration() -> None:
    assert read("<basic_town><![CDATA[<!DOCTYPE html>]]></basic_town>").answers == {"/basic_town": "<!DOCTYPE html>"}


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ("<a>" * 100 + "x" + "</a>" * 100, "too_deep"),
        (f"<{'n' * 2000}>x</{'n' * 2000}>", "too_deep"),
        ("<odd>x</odd>" * 10_001, "too_many_unknown"),
        ("<score>1</score>" * 10_002, "too_many_unknown"),
    ],
)
def test_what_the_form_does_not_know_is_bounded(inside: str, code: str) -> None:
    with pytest.raises(InstanceError) as caught:
        read(inside)
    assert caught.value.code == code


def test_many_second_answers_take_linear_time() -> None:
    instance = read("<score>1</score>" * 9_000)
    assert len(instance.answers) == 9_000


# Properties

_NAMES = st.sampled_from(
    ["basic", "age", "id_number", "members", "name", "loans", "amount", "bank", "crops", "ranking", "score", "income",
     "door", "start", "photo", "meta", "entity", "label", "orx:odd", "q.1", "n:age"]
)  # fmt: skip
_TREES = st.recursive(
    st.tuples(_NAMES, st.booleans()),
    lambda inner: st.tuples(_NAMES, st.lists(inner, min_size=1, max_size=5)),
    max_leaves=40,
)


@settings(deadline=None, max_examples=200)
@given(st.lists(_TREES, max_size=8), st.booleans())
def test_each_non_empty_leaf_is_in_the_answers_exactly_once(trees: list[Any], numbers: bool) -> None:
    sent: list[str] = []
    inside = "".join(_write(tree, sent, "" if numbers else "t") for tree in trees)
    instance = read(inside, attributes='id="visit" xmlns:n="urn:n"')
    assert Counter(_texts(instance.answers)) == Counter(sent)


def _write(tree: Any, sent: list[str], mark: str) -> str:
    name, inner = tree
    if isinstance(inner, list):
        return f"<{name}>{''.join(_write(item, sent, mark) for item in inner)}</{name}>"
    if not inner:
        return f"<{name}/>"
    sent.append(f"{mark}{1000 + len(sent)}")
    return f"<{name}>{sent[-1]}</{name}>"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    else:
        yield str(int(value)) if isinstance(value, float) else str(value)
