"""Form definitions: what is read from them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyxform.xls2xform import convert

from forms.schema import EntitySpec, ExpectedAttachment, FormSchema, pick
from forms.xform import XFormError, read_xform, resolve

FIXTURES = Path(__file__).parent / "fixtures"
HANDMADE = (FIXTURES / "handmade.xml").read_bytes()
ZH, EN = "中文 (zh)", "English (en)"


@pytest.fixture(scope="module")
def visit() -> FormSchema:
    return read_xform(convert((FIXTURES / "visit.md").read_text(encoding="utf-8")).xform.encode())


@pytest.fixture(scope="module")
def handmade() -> FormSchema:
    return read_xform(HANDMADE)


def test_the_head_of_a_form(visit: FormSchema) -> None:
    assert (visit.form_id, visit.version, visit.title, visit.root_name) == ("visit", "2026010101", "入户走访", "data")
    assert (visit.languages, visit.default_language) == ((ZH, EN), ZH)
    assert visit.instance_name == "concat('户 ',  /data/basic/age )"
    assert visit.entities_version == "2024.1.0"


def test_fields_stand_in_document_order_and_a_repeat_counts_once(visit: FormSchema) -> None:
    found = [(field.path, field.type, field.repeat) for field in visit.fields]
    assert found == [
        ("/start", "dateTime", None),
        ("/basic", "structure", None),
        ("/basic/id_number", "string", None),
        ("/basic/age", "int", None),
        ("/village", "select1", None),
        ("/basic_town", "string", None),
        ("/crops", "select", None),
        ("/ranking", "rank", None),
        ("/income", "decimal", None),
        ("/door", "geopoint", None),
        ("/plot", "geoshape", None),
        ("/photo", "binary", None),
        ("/tariff", "string", None),
        ("/members_count", "string", None),
        ("/members", "repeat", None),
        ("/members/name", "string", "/members"),
        ("/members/greet", "string", "/members"),
        ("/members/loans", "repeat", "/members"),
        ("/members/loans/amount", "decimal", "/members/loans"),
        ("/members/loans/bank", "geopoint", "/members/loans"),
        ("/score", "int", None),
        ("/meta", "structure", None),
        ("/meta/entity", "structure", None),
        ("/meta/entity/label", "string", None),
        ("/meta/audit", "binary", None),
        ("/meta/instanceID", "string", None),
        ("/meta/instanceName", "string", None),
    ]
    assert [field.order for field in visit.fields] == list(range(len(visit.fields)))


def test_texts_of_a_question_by_language(visit: FormSchema) -> None:
    age, number = visit.by_path["/basic/age"], visit.by_path["/basic/id_number"]
    assert age.labels == {ZH: "${/basic/id_number} 的年龄", EN: "Age"}
    assert age.constraint_messages == {ZH: "太大"}, "pyxform's '-' stands for a missing translation"
    assert number.hints == {ZH: "十八位"}
    assert number.media == {"image": {ZH: "card.png"}}
    assert visit.by_path["/members/greet"].labels[ZH] == "您好 ${/members/name}"
    assert visit.by_path["/members"].labels[EN] == "Members"
    assert visit.by_path["/basic"].label("en") == "Basics"


def test_logic_and_marks_of_a_question(visit: FormSchema) -> None:
    age, number = visit.by_path["/basic/age"], visit.by_path["/basic/id_number"]
    assert (age.relevant, age.constraint) == ("/data/basic/id_number  != ''", ". < 150")
    assert (number.required, number.sensitive, number.appearance) == ("true()", "id_number", "masked")
    assert visit.by_path["/score"].parameters == {"start": "1", "end": "5", "step": "1"}
    assert visit.by_path["/photo"].parameters["max-pixels"] == "1280"
    assert visit.by_path["/photo"].mediatype == "image/*"
    assert visit.by_path["/members"].repeat_count == "/data/members_count"
    assert visit.by_path["/members/greet"].note
    assert [field.path for field in visit.fields if field.calculated and not field.meta] == [
        "/start", "/tariff", "/members_count",
    ]  # fmt: skip
    assert visit.by_path["/meta/audit"].meta
    assert visit.by_path["/meta/audit"].binary


def test_choices_inside_the_form_and_beside_it(visit: FormSchema) -> None:
    crops, villages = visit.choice_list("crop"), visit.choice_list("villages")
    assert crops is not None
    assert villages is not None
    assert [(choice.name, choice.labels, choice.extra) for choice in crops.choices] == [
        ("rice", {ZH: "水稻", EN: "Rice"}, {"season": "summer"}),
        ("rape", {ZH: "油菜"}, {"season": "winter"}),
    ]
    assert (villages.source, villages.value_ref, villages.choices) == ("villages.csv", "name", ())
    village = visit.by_path["/village"]
    assert (village.list_name, village.choice_filter) == ("villages", "township= /data/basic_town")
    assert [field.path for field in visit.fields if field.multiple] == ["/crops", "/ranking"]


def test_files_and_entities(visit: FormSchema) -> None:
    assert visit.attachments == (
        ExpectedAttachment("card.png", "image"),
        ExpectedAttachment("villages.csv", "csv"),
        ExpectedAttachment("tariffs.csv", "csv"),
    )
    assert visit.entities == (
        EntitySpec(
            dataset="people",
            path="/meta/entity",
            create=True,
            create_if="/data/basic/age  > 17",
            label="/data/basic/id_number",
            properties={"age": "/basic/age"},
        ),
    )


def test_a_form_made_by_hand(handmade: FormSchema) -> None:
    assert (handmade.form_id, handmade.version, handmade.title) == ("water points/&é", "7", "Water points")
    assert (handmade.languages, handmade.default_language) == ((), "default")
    assert (handmade.root_name, handmade.root_namespace) == ("water", "https://example.org/water")
    assert (handmade.submission_url, handmade.public_key) == ("https://example.org/submit", "TUlJ")
    assert (handmade.auto_send, handmade.auto_delete) == ("true", "false")
    assert handmade.by_path["/q1.1"].labels == {"default": "How deep, ${/kind}?"}
    assert handmade.by_path["/q1.1"].required_messages == {"default": "Needed"}


@pytest.mark.parametrize(
    ("path", "kind", "value_type"),
    [
        ("/q1.1", "field", "int"),
        ("/kind", "field", "select1"),
        ("/uses", "field", "select"),
        ("/clip", "field", "binary"),
        ("/site", "group", "structure"),
        ("/site/visits", "repeat", "repeat"),
        ("/site/visits/day", "field", "date"),
        ("/site/visits/visits", "field", "string"),
        ("/site/visits/extra", "field", "string"),
        ("/empty_group", "group", "structure"),
        ("/meta/instanceID", "field", "string"),
    ],
)
def test_nodes_of_a_form_made_by_hand(handmade: FormSchema, path: str, kind: str, value_type: str) -> None:
    found = handmade.by_path[path]
    assert (found.kind, found.type) == (kind, value_type)


def test_labels_reach_through_groups_that_are_only_on_the_screen(handmade: FormSchema) -> None:
    assert handmade.by_path["/site"].labels == {"default": "Site"}
    assert handmade.by_path["/site/visits"].labels == {"default": "Visits"}
    assert handmade.by_path["/site/visits/day"].labels == {"default": "Day at ${/site/visits/place}"}
    assert handmade.by_path["/site/visits/visits"].labels == {"default": "How many"}
    assert handmade.by_path["/site/place"].default_expression == "concat('a', 'b')"
    assert handmade.by_path["/uses"].default == "drink wash"


def test_a_group_with_other_questions_does_not_name_the_repeat_in_it() -> None:
    xml = _form(
        "<a/><r><b/></r>",
        body="""<group><label>Both</label><input ref="/d/a"/>
        <repeat nodeset="/d/r"><input ref="/d/r/b"/></repeat></group>""",
    )
    assert read_xform(xml).by_path["/r"].labels == {}


def test_choices_written_in_questions_and_filters_with_brackets(handmade: FormSchema) -> None:
    kind = handmade.choice_list(handmade.by_path["/kind"].list_name)
    assert kind is not None
    assert [(choice.name, choice.labels) for choice in kind.choices] == [
        ("well", {"default": "Well"}),
        ("spring", {"default": "Spring"}),
    ]
    region = handmade.by_path["/region"]
    assert region.choice_filter == "zone=/water/zone and data[1]='x'"
    regions = handmade.choice_list("regions")
    assert regions is not None
    assert (regions.value_ref, regions.label_ref) == ("code", "title")


def test_other_columns_can_be_name_and_label_of_a_list() -> None:
    xml = _form(
        "<a/>",
        model='<instance id="c"><root><item><code>r</code><title>Red</title><warm>1</warm></item></root></instance>',
        body="""<select1 ref="/d/a"><itemset nodeset="instance('c')/root/item"><value ref="code"/><label ref="title"/>
        </itemset></select1>""",
    )
    schema = read_xform(xml)
    colours = schema.choice_list(schema.by_path["/a"].list_name)
    assert colours is not None
    assert [(choice.name, choice.labels["default"]) for choice in colours.choices] == [("r", "Red")]
    assert colours.choices[0].extra["warm"] == "1"


def test_every_way_to_need_a_file(handmade: FormSchema) -> None:
    assert set(handmade.attachments) == {
        ExpectedAttachment("zones.geojson", "geojson"),
        ExpectedAttachment("roads.xml", "xml"),
        ExpectedAttachment("regions.csv", "csv"),
        ExpectedAttachment("days.csv", "csv"),
        ExpectedAttachment("lookup.csv", "csv"),
        ExpectedAttachment("itemsets.csv", "csv"),
        ExpectedAttachment("blank.png", "image"),
    }


@pytest.mark.parametrize("form", [HANDMADE, (FIXTURES / "visit.md").read_text(encoding="utf-8")])
def test_a_schema_goes_through_json_unchanged(form: bytes | str) -> None:
    schema = read_xform(form if isinstance(form, bytes) else convert(form).xform.encode())
    assert FormSchema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


def test_fifty_repeat_instances_in_the_definition_are_one_field() -> None:
    xml = _form("<r><a/></r>" * 50, body='<repeat nodeset="/d/r"><input ref="/d/r/a"/></repeat>')
    assert [field.path for field in read_xform(xml).fields] == ["/r", "/r/a"]


def test_a_secondary_instance_of_three_megabytes() -> None:
    items = "".join(f"<item><name>{n}</name><label>{'x' * 40}</label></item>" for n in range(40_000))
    body = """<select1 ref="/d/a"><itemset nodeset="instance('big')/root/item"><value ref="name"/><label ref="label"/>
    </itemset></select1>"""
    schema = read_xform(_form("<a/>", model=f'<instance id="big"><root>{items}</root></instance>', body=body))
    big = schema.choice_list("big")
    assert big is not None
    assert len(big.choices) == 40_000


def test_a_form_without_languages_keeps_its_media() -> None:
    md = "| survey | | | | |\n| | type | name | label | media::audio |\n| | text | q | Say | q.mp3 |\n"
    schema = read_xform(convert(md).xform.encode())
    assert schema.languages == ()
    assert schema.by_path["/q"].labels == {"default": "Say"}
    assert schema.attachments == (ExpectedAttachment("q.mp3", "audio"),)


def test_a_form_is_known_by_its_namespace_when_it_has_no_id() -> None:
    schema = read_xform(_form("<a/>", root='d xmlns="https://example.org/forms/old"'))
    assert (schema.form_id, schema.version) == ("https://example.org/forms/old", "")


def test_the_part_that_is_sent_alone() -> None:
    schema = read_xform(_form("<age/>", model='<submission ref="/d/age"/>'))
    assert schema.submission_ref == "/age"


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        (b"", "not_xml"),
        (b"not xml", "not_xml"),
        (b"<html><unclosed></html>", "not_xml"),
        (b"<!DOCTYPE h [<!ENTITY a 'b'>]><h>&a;</h>", "doctype"),
        ("<!DOCTYPE h><h/>".encode("utf-16"), "doctype"),
        (b"<html/>", "no_model"),
        (b"<html><model/></html>", "no_instance"),
        (b"<html><model><instance/></model></html>", "no_instance"),
        (b"<html><model><instance><data/></instance></model></html>", "no_form_id"),
        (b'<html><model><instance><data id=" "/></instance></model></html>', "no_form_id"),
        (
            b'<html><model><instance><d id="f">' + b"<a>" * 90 + b"</a>" * 90 + b"</d></instance></model></html>",
            "too_deep",
        ),
        (
            b'<html><model><instance><d id="f"/></instance></model><body><input ref="/d/x"/></body></html>',
            "no_such_node",
        ),
    ],
)
def test_what_collect_would_refuse(xml: bytes, code: str) -> None:
    with pytest.raises(XFormError) as caught:
        read_xform(xml)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("expression", "context", "path"),
    [
        ("/data/a/b", "", "/a/b"),
        (" /data/a ", "/x", "/a"),
        ("/data", "", ""),
        ("../b", "/g/a", "/g/b"),
        ("./b", "/g", "/g/b"),
        (".", "/g/a", "/g/a"),
        ("current()/../b", "/g/a", "/g/b"),
        ("/data/orx:meta/orx:instanceID", "", "/meta/instanceID"),
        ("/data/meta/entity/@id", "", "/meta/entity/@id"),
        ("/other/a", "", None),
        ("/data/a[1]/b", "", None),
        ("concat('a')", "", None),
        ("../../../x", "/a", None),
        ("", "/a", None),
    ],
)
def test_paths(expression: str, context: str, path: str | None) -> None:
    assert resolve(expression, context, "data") == path


@pytest.mark.parametrize(
    ("language", "default", "text"),
    [
        (ZH, None, "村"),
        ("zh", None, "村"),
        ("zh_Hans_CN", None, "村"),
        ("en", ZH, "Village"),
        ("fr", ZH, "村"),
        (None, EN, "Village"),
    ],
)
def test_a_label_for_a_reader(language: str | None, default: str | None, text: str) -> None:
    assert pick({ZH: "村", EN: "Village"}, language, default) == text
    assert pick({}, language, default) == ""


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_damaged_form_is_read_or_refused_with_a_reason(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(HANDMADE)))
    end = data.draw(st.integers(start, min(len(HANDMADE), start + 60)))
    xml = HANDMADE[:start] + data.draw(st.binary(max_size=20)) + HANDMADE[end:]
    try:
        found = read_xform(xml).form_id
    except XFormError as error:
        found = error.code
    assert found


def _form(instance: str, model: str = "", body: str = "", root: str = 'd id="f"') -> bytes:
    name = root.partition(" ")[0]
    return (
        '<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"><h:head><h:title>T</h:title>'
        f"<model><instance><{root}>{instance}</{name}></instance>{model}</model></h:head><h:body>{body}</h:body></h:html>"
    ).encode()
