"""The envelope of a submission: found in every dress phones send it in, refused with a reason otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forms.instance import Envelope, InstanceError, parse, read_envelope
from forms.xform import read_xform

FIXTURES = Path(__file__).parent / "fixtures"
SUBMISSION = (FIXTURES / "visit.submission.xml").read_bytes().strip()
UUID = "uuid:5c3bd1a4-3f0a-4b26-a6a2-5b0f6d0a9f10"
# A definition of the same questions is all that is needed here, whatever their types.
FORM = read_xform(b"<html><model><instance>" + SUBMISSION.partition(b"?>")[2] + b"</instance></model></html>")


def test_the_envelope_of_what_a_phone_sends() -> None:
    envelope = read_envelope(SUBMISSION)
    assert (envelope.form_id, envelope.version) == ("visit", "2026010101")
    assert (envelope.instance_id, envelope.deprecated_id, envelope.instance_name) == (UUID, None, "户 76")
    assert envelope.encrypted is False


@pytest.mark.parametrize(
    ("xml", "instance_id"),
    [
        ('<data id="visit"><orx:meta><orx:instanceID>uuid:1</orx:instanceID></orx:meta></data>', "uuid:1"),
        (
            '<data id="visit" xmlns:n0="http://openrosa.org/xforms"><n0:meta><n0:instanceID>uuid:1</n0:instanceID>'
            "</n0:meta></data>",
            "uuid:1",
        ),
        (
            '<data id="visit"><orx2:meta xmlns:orx2="u"><orx2:instanceID> uuid:1 </orx2:instanceID></orx2:meta></data>',
            "uuid:1",
        ),
        (
            '<data xmlns="https://example.org/foreign" id="visit"><meta><instanceID>uuid:1</instanceID></meta></data>',
            "uuid:1",
        ),
        ('<data id="visit" instanceID="uuid:1"><score>1</score></data>', "uuid:1"),
        ('<data id="visit"><meta><instanceID/></meta></data>', None),
        ('<data id="visit"/>', None),
        ('\ufeff<data id="visit"><meta><instanceID>uuid:1</instanceID></meta></data>', "uuid:1"),
        ('\n  <?xml version="1.0"?><data id="visit"><meta><instanceID>uuid:1</instanceID></meta></data>', "uuid:1"),
        ('<data id="visit" x:y="1"><n>a > b</n><x:z/><meta><instanceID>uuid:1</instanceID></meta></data>', "uuid:1"),
    ],
)
def test_the_envelope_in_every_namespace(xml: str, instance_id: str | None) -> None:
    envelope = read_envelope(xml.encode())
    assert (envelope.form_id, envelope.version, envelope.instance_id) == ("visit", "", instance_id)


@pytest.mark.parametrize("form_id", ["a b", "a/b/c", "a&b", "enquête", "入户走访", "  padded "])
def test_form_ids_of_all_kinds(form_id: str) -> None:
    escaped = form_id.replace("&", "&amp;")
    assert read_envelope(f'<data id="{escaped}"/>'.encode()).form_id == form_id


def test_the_address_names_the_form_only_where_the_xml_does_not() -> None:
    assert read_envelope(b"<age>33</age>", "f").form_id == "f"
    assert read_envelope(b'<age id="g">33</age>', "f").form_id == "g"


def test_an_unbound_prefix_does_not_hide_a_truncated_body() -> None:
    unbound = b'<data id="visit">' + b"<orx:a>1</orx:a>" * 200
    assert read_envelope(unbound + b"</data>").form_id == "visit"
    with pytest.raises(InstanceError) as caught:
        read_envelope(unbound + b"<b>cut off")
    assert caught.value.code == "not_xml"


BOMB = b'<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><d id="visit"><x>&b;</x></d>'


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b"hello", "not_xml"),
        (b'{"id": "visit"}', "not_xml"),
        (b'<data id="visit">', "not_xml"),
        (b'<data id="visit"></data><data/>', "not_xml"),
        (b'<data id="visit" id="visit"/>', "not_xml"),
        (b'<data id="visit">&nbsp;</data>', "not_xml"),
        (b'<data id="visit">\xff\xfe</data>', "not_xml"),
        (b'<?xml version="1.0" encoding="no-such-code"?><data id="visit"/>', "not_xml"),
        (b'<data id="visit"><a:b a:c="1" a:c="2"/></data>', "not_xml"),
        (b"<data/>", "no_form_id"),
        (b'<data id="" xmlns="http://www.w3.org/2002/xforms"/>', "no_form_id"),
        (BOMB, "doctype"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><!-- x --> " + BOMB, "doctype"),
        (BOMB.decode().encode("utf-16"), "doctype"),
        (b'<!DOCTYPE d SYSTEM "file:///etc/passwd"><d id="visit"/>', "doctype"),
        (b'<data id="visit">' + b"<a>" * 5000, "too_deep"),
        (b'<data id="visit"><a>' + b"x" * 10_100_000 + b"</a></data>", "too_large"),
    ],
)
def test_what_is_refused(xml: bytes, code: str) -> None:
    with pytest.raises(InstanceError) as caught:
        read_envelope(xml)
    assert caught.value.code == code
    assert caught.value.message


_PIECES = st.sampled_from(
    [b"<", b">", b"</", b"/>", b"data", b' id="visit"', b"orx:meta", b"&#26;", b"&#xD83D;", b"&", b";", b"<![CDATA[",
     b"]]>", b"<!--", b"-->", b"<?xml", b"?>", b" xmlns:orx='u'", b"=", b'"', b"<!DOCTYPE", b"\xef\xbb\xbf",
     b"\x00", b"\x1a"]
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(st.binary(max_size=200), st.lists(st.one_of(_PIECES, st.binary(max_size=3)), max_size=30).map(b"".join))
)
def test_any_bytes_are_an_envelope_or_an_instance_error(xml: bytes) -> None:
    _envelope_or_error(xml)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(SUBMISSION)), st.integers(0, 40), st.one_of(st.binary(max_size=20), _PIECES))
def test_a_damaged_submission_is_an_envelope_or_an_instance_error(start: int, cut: int, put: bytes) -> None:
    envelope = _envelope_or_error(SUBMISSION[:start] + put + SUBMISSION[start + cut :])
    if envelope is not None:
        text = json.dumps(parse(envelope, FORM).answers, ensure_ascii=False)
        assert "\x00" not in text
        assert text.encode()


def _envelope_or_error(xml: bytes) -> Envelope | None:
    try:
        envelope = read_envelope(xml)
    except InstanceError:
        return None
    assert envelope.form_id
    return envelope
