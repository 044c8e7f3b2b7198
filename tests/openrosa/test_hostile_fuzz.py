"""Bytes nobody thought of: arbitrary and mutated bodies are taken in or refused, never a crash, never half a record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.operations import projects
from tests.support.field import Field, record
from tests.support.phones import BOUNDARY, MULTIPART, body, file_part, part, xml_part

FUZZ = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
VALID = body(xml_part(record("uuid:fuzz", photo="a.jpg")), file_part("a.jpg", b"photo" * 20))
SPLINTERS = st.sampled_from(
    [
        b"",
        b"\r\n",
        b"\n",
        b"--",
        b"--" + BOUNDARY,
        b"--" + BOUNDARY + b"--",
        b"\x00",
        b"\xff\xfe",
        b"<",
        b">",
        b"&",
        b"]]>",
        b"<!DOCTYPE x [",
        b"<!ENTITY",
        b"<![CDATA[",
        b"&#0;",
        b"&#xD800;",
        b"<?xml version='1.0' encoding='UTF-16'?>",
        b"orx:",
        b" xmlns:a='b'",
        b'name="',
        b'filename="',
        b"Content-Disposition: form-data",
        b"Content-Length: 5\r\n",
        b"%00",
        b"\xe6\x9d\x91",
        b"\xf0\x9f\x98\x82",
        b"<meta>",
        b"</data>",
        b"uuid:",
        b"1e999",
        b"-" * 300,
        b"<orx:deprecatedID>uuid:other</orx:deprecatedID>",
    ]
)


@pytest.fixture(scope="module")
def fuzzed(app: Flask) -> Iterator[Field]:
    """A project whose records nobody would want."""
    with app.app_context():
        field = Field(app, app.test_client(), projects.create("乱码乡"))
        field.publish()
        yield field


def send(field: Field, content: bytes, content_type: bytes = MULTIPART) -> None:
    path = f"{field.base()}/submission"
    response = field.client.post(path, data=content, headers={"Content-Type": content_type.decode("latin-1")})
    assert response.status_code == 201 or 400 <= response.status_code < 500, response.data
    assert response.headers["Content-Type"].startswith("text/xml")
    assert response.headers["X-OpenRosa-Version"] == "1.0"
    assert b"<OpenRosaResponse" in response.data
    incoming = field.app.extensions["xiangtu.blobs"].temporary
    assert [*incoming.iterdir()] == []


@FUZZ
@given(content=st.binary(max_size=400), content_type=st.one_of(st.just(MULTIPART), st.binary(max_size=40)))
def test_any_bytes(fuzzed: Field, content: bytes, content_type: bytes) -> None:
    send(fuzzed, content, content_type.replace(b"\n", b"").replace(b"\r", b""))


@FUZZ
@given(st.lists(st.tuples(st.integers(0, len(VALID)), st.integers(0, 40), SPLINTERS), min_size=1, max_size=4))
def test_a_good_body_with_pieces_cut_out_and_put_in(fuzzed: Field, changes: list[tuple[int, int, bytes]]) -> None:
    content = VALID
    for place, length, splinter in changes:
        content = content[:place] + splinter + content[place + length :]
    send(fuzzed, content)


NAME = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20).map(
    lambda text: text.encode().replace(b'"', b"")
)


@FUZZ
@given(st.lists(st.tuples(NAME, NAME, st.binary(max_size=60)), max_size=5), st.booleans())
def test_any_parts(fuzzed: Field, parts: list[tuple[bytes, bytes, bytes]], with_record: bool) -> None:
    first = [xml_part(record())] if with_record else []
    pieces = [part(b'name="' + name + b'"; filename="' + file + b'"', content) for name, file, content in parts]
    send(fuzzed, body(*first, *pieces))


TAG = st.sampled_from(
    [
        "household",
        "people",
        "door",
        "photo",
        "members",
        "name",
        "age",
        "meta",
        "instanceID",
        "deprecatedID",
        "orx:meta",
        "x",
        "村",
    ]
)
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="<&"), max_size=12)
TREE = st.recursive(
    st.tuples(TAG, TEXT).map(lambda leaf: f"<{leaf[0]}>{leaf[1]}</{leaf[0]}>"),
    lambda inner: st.tuples(TAG, st.lists(inner, max_size=4), TEXT).map(
        lambda node: f"<{node[0]}>{''.join(node[1])}{node[2]}</{node[0]}>"
    ),
    max_leaves=15,
)


@FUZZ
@given(TREE)
def test_any_tree(fuzzed: Field, tree: str) -> None:
    send(fuzzed, body(xml_part(f'<data id="visit" version="1">{tree}</data>'.encode())))
