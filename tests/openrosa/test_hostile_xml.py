"""Hostile and odd XML in the record's part, against the served application: what is sent, and what is answered."""

from __future__ import annotations

import uuid

import pytest

from tests.openrosa.conftest import Ground, assert_refused

HEAD = b'<data id="visit" version="1">'
META = b"<meta><instanceID>uuid:%s</instanceID></meta>"


def meta() -> bytes:
    return META % str(uuid.uuid4()).encode()


def record(inner: bytes, head: bytes = HEAD, prolog: bytes = b"") -> bytes:
    """A record with `inner` among its answers and a fresh instanceID."""
    return prolog + head + inner + meta() + b"</data>"


def doctype(declarations: bytes, inner: bytes = b"<household>&x;</household>") -> bytes:
    return record(inner, prolog=b"<!DOCTYPE data [" + declarations + b"]>")


LAUGHS = b'<!ENTITY l0 "lol">' + b"".join(
    b'<!ENTITY l%d "%s">' % (level, b"&l%d;" % (level - 1) * 10) for level in range(1, 11)
)
DEEP = 100_000

REFUSED = {
    "billion laughs": (doctype(LAUGHS, b"<household>&l10;</household>"), 400, "400.1"),
    "quadratic blow-up": (
        doctype(b'<!ENTITY x "%s">' % (b"x" * 50_000), b"<household>" + b"&x;" * 50_000 + b"</household>"),
        400,
        "400.1",
    ),
    "external entity from a file": (doctype(b'<!ENTITY x SYSTEM "file:///etc/passwd">'), 400, "400.1"),
    "external entity from the network": (doctype(b'<!ENTITY x SYSTEM "http://127.0.0.1:9/x">'), 400, "400.1"),
    "parameter entity": (doctype(b'<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;', b""), 400, "400.1"),
    "external subset": (record(b"", prolog=b'<!DOCTYPE data SYSTEM "http://127.0.0.1:9/x.dtd">'), 400, "400.1"),
    "bare DOCTYPE": (record(b"", prolog=b"<!DOCTYPE data>"), 400, "400.1"),
    "DOCTYPE behind a comment": (record(b"", prolog=b"<!-- x --><!DOCTYPE data>"), 400, "400.1"),
    "bomb in UTF-16": (doctype(LAUGHS, b"<household>&l10;</household>").decode().encode("utf-16"), 400, "400.1"),
    "bomb in UTF-7": (
        b'<?xml version="1.0" encoding="UTF-7"?>'
        + doctype(LAUGHS, b"<household>&l10;</household>").decode().encode("utf-7"),
        400,
        "400.1",
    ),
    "DOCTYPE in the middle": (record(b"<!DOCTYPE data>"), 400, "400.1"),
    "undefined entity": (record(b"<household>&nbsp;</household>"), 400, "400.1"),
    "nested 65 deep": (record(b"<a>" * 65 + b"x" + b"</a>" * 65), 400, "400.1"),
    "repeat in itself 100 deep": (record(b"<members>" * 100 + b"<name>x</name>" + b"</members>" * 100), 400, "400.1"),
    "nested 100,000 deep": (record(b"<a>" * DEEP + b"x" + b"</a>" * DEEP), 400, "400.1"),
    "text of 11 MB": (record(b"<household>" + b"x" * 11_000_000 + b"</household>"), 400, "400.1"),
    "attribute of 11 MB": (record(b'<household x="' + b"x" * 11_000_000 + b'">1</household>'), 400, "400.1"),
    "21 MB": (record(b"<household>1</household>" + b" " * 21_000_000), 413, "413.1"),
    "a million empty elements": (record(b"<x/>" * 1_000_000), 413, "413.1"),
    "100,000 answers nobody asked for": (record(b"<x>1</x>" * 100_000), 400, "400.1"),
    "one answer 20,000 times": (record(b"<household>1</household>" * 20_000), 400, "400.1"),
    "20,000 files": (
        record(
            b"".join(b"<media><file>%d.enc</file></media>" % number for number in range(20_000)),
            head=b'<data id="visit" version="1" encrypted="yes">',
        ),
        413,
        "413.1",
    ),
    "invalid UTF-8": (record(b"<household>\xff\xfe</household>"), 400, "400.1"),
    "UTF-8 cut in a character": (record(b"<household>\xe6\x9d</household>"), 400, "400.1"),
    "GBK that says nothing": (record("<household>石板村</household>".encode("gbk")), 400, "400.1"),
    "encoding nobody knows": (record(b"", prolog=b'<?xml version="1.0" encoding="x-unknown"?>'), 400, "400.1"),
    "EBCDIC": (record(b"", prolog=b'<?xml version="1.0" encoding="cp037"?>'), 400, "400.1"),
    "nothing": (b"", 400, "400.1"),
    "blanks": (b" \r\n\t", 400, "400.1"),
    "text": (b"hello", 400, "400.1"),
    "JSON": (b'{"id": "visit"}', 400, "400.1"),
    "cut off": (record(b"<household>1</household>")[:70], 400, "400.1"),
    "two records in one": (record(b"") + record(b""), 400, "400.1"),
    "no form id": (b"<data>" + meta() + b"</data>", 400, "400.2"),
    "instanceID of 256 characters": (HEAD + META.replace(b"uuid:", b"") % (b"i" * 256) + b"</data>", 400, "400.8"),
    "deprecatedID of 1 MB": (
        HEAD
        + b"<meta><instanceID>uuid:x</instanceID><deprecatedID>"
        + b"d" * 1_000_000
        + b"</deprecatedID></meta></data>",
        400,
        "400.8",
    ),
    "unknown form": (record(b"", head=b'<data id="nothing" version="1">'), 404, "404.1"),
    "form id of 100 kB": (record(b"", head=b'<data id="' + b"v" * 100_000 + b'" version="1">'), 404, "404.1"),
    "form id with SQL": (record(b"", head=b'<data id="visit\'; DROP TABLE form; --" version="1">'), 404, "404.1"),
    "form id with markup": (record(b"", head=b'<data id="&lt;/message&gt;&amp;" version="1">'), 404, "404.1"),
    "form id with places of a template": (record(b"", head=b'<data id="%(form)s %s {0}" version="1">'), 404, "404.1"),
    "unknown version": (record(b"", head=b'<data id="visit" version="2">'), 404, "404.6"),
    "no version": (record(b"", head=b'<data id="visit">'), 404, "404.6"),
    "version with SQL": (record(b"", head=b'<data id="visit" version="1\' OR 1=1 --">'), 404, "404.6"),
    "version with places of a template": (
        record(b"", head=b'<data id="visit" version="%(version)s %d">'),
        404,
        "404.6",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_and_nothing_is_written(ground: Ground, what: str) -> None:
    xml, status, code = REFUSED[what]
    before = ground.state()
    assert_refused(ground, before, ground.send(xml), status, code)


LONG = "书" * 3_000

ACCEPTED = {
    # what is sent: (XML, path of the answer looked at, answer, why it is a problem if it is one)
    "unbound prefix": (
        HEAD + b"<household>a</household><orx:meta><orx:instanceID>uuid:unbound</orx:instanceID></orx:meta></data>",
        "/household",
        "a",
        None,
    ),
    "another prefix for meta": (
        HEAD
        + b'<household>a</household><n0:meta xmlns:n0="http://openrosa.org/xforms"><n0:instanceID>uuid:n0</n0:instanceID></n0:meta></data>',
        "/household",
        "a",
        None,
    ),
    "foreign default namespace": (
        record(b"<household>a</household>", head=b'<data id="visit" version="1" xmlns="urn:x">'),
        "/household",
        "a",
        None,
    ),
    "no meta": (HEAD + b"<household>no meta</household></data>", "/household", "no meta", None),
    "another root": (
        b'<survey id="visit" version="1"><household>a</household>' + meta() + b"</survey>",
        "/household",
        "a",
        None,
    ),
    "control character as a reference": (record(b"<household>a&#26;b</household>"), "/household", "a\u241ab", None),
    "raw control character": (record(b"<household>a\x1ab</household>"), "/household", "a\u241ab", None),
    "NUL as a reference": (record(b"<household>a&#0;b</household>"), "/household", "a\u2400b", None),
    "raw NUL": (record(b"<household>a\x00b</household>"), "/household", "a\u2400b", None),
    "surrogates as references": (record(b"<household>&#xD83D;&#xDE02;</household>"), "/household", "😂", None),
    "UTF-16": (
        record("<household>石板村</household>".encode()).decode().encode("utf-16"),
        "/household",
        "石板村",
        None,
    ),
    "declared GBK": (
        b'<?xml version="1.0" encoding="GBK"?>'
        + record("<household>石板村</household>".encode()).decode().encode("gbk"),
        "/household",
        "石板村",
        None,
    ),
    "declared GB18030": (
        b'<?xml version="1.0" encoding="GB18030"?>'
        + record("<household>𠀀㐂</household>".encode()).decode().encode("gb18030"),
        "/household",
        "𠀀㐂",
        None,
    ),
    "byte order mark": (b"\xef\xbb\xbf" + record(b"<household>a</household>"), "/household", "a", None),
    "SQL in an answer": (
        record(b"<household>'); DROP TABLE submission; -- %s</household>"),
        "/household",
        "'); DROP TABLE submission; -- %s",
        None,
    ),
    "JSON escapes in an answer": (
        record(b'<household>\\u0000 \\ud800 "</household>'),
        "/household",
        '\\u0000 \\ud800 "',
        None,
    ),
    "XInclude": (
        record(
            b'<household>a</household><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>'
        ),
        "/household",
        "a",
        None,
    ),
    "text in a number": (record("<people>三口</people>".encode()), "/people", "三口", "not_an_integer"),
    "number of 100,000 digits": (
        record(b"<people>" + b"9" * 100_000 + b"</people>"),
        "/people",
        "9" * 100_000,
        "not_an_integer",
    ),
    "number past 64 bits": (
        record(b"<people>9223372036854775808</people>"),
        "/people",
        "9223372036854775808",
        "not_an_integer",
    ),
    "place that is not a number": (record(b"<door>nan inf 0 0</door>"), "/door", "nan inf 0 0", "out_of_range"),
    "place off the earth": (record(b"<door>91 181 0 0</door>"), "/door", "91 181 0 0", "out_of_range"),
    "accuracy past a float": (record(b"<door>1 1 1e308 1e308</door>"), "/door", "1 1 1e308 1e308", "not_a_point"),
    "answer nobody asked for": (record("<村庄>石板村</村庄>".encode()), "/村庄", "石板村", "not_in_form"),
    "names of JavaScript": (record(b"<__proto__>x</__proto__>"), "/__proto__", "x", "not_in_form"),
    "file name no file can have": (record(b"<photo>" + LONG.encode() + b"</photo>"), "/photo", LONG, None),
    "file name with a path": (record(b"<photo>../../etc/passwd</photo>"), "/photo", "../../etc/passwd", None),
    "text of 2 MB": (record(b"<household>" + b"x" * 2_000_000 + b"</household>"), "/household", "x" * 2_000_000, None),
    "instance name of 1 MB": (
        HEAD
        + b"<household>a</household><meta><instanceID>uuid:name</instanceID><instanceName>"
        + b"n" * 1_000_000
        + b"</instanceName></meta></data>",
        "/household",
        "a",
        None,
    ),
}


@pytest.mark.parametrize("what", ACCEPTED)
def test_it_is_taken_in_byte_for_byte(ground: Ground, what: str) -> None:
    xml, path, value, reason = ACCEPTED[what]
    answer = ground.send(xml)
    assert answer.status == 201, answer.content
    version = ground.version()
    assert bytes(version.xml) == xml  # type: ignore[attr-defined]
    assert version.answers[path] == value  # type: ignore[attr-defined]
    problems = {problem["path"]: problem["reason"] for problem in version.problems or ()}  # type: ignore[attr-defined]
    assert problems == ({path: reason} if reason else {})


def test_100_000_repeats_are_one_record(ground: Ground) -> None:
    answer = ground.send(record(b"<members><name>a</name></members>" * 100_000))
    assert answer.status == 201
    (row,) = ground.field.rows(
        """
        SELECT jsonb_array_length(answers -> '/members') AS members FROM submission_version
        WHERE project_id = :project ORDER BY id DESC LIMIT 1
        """
    )
    assert row.members == 100_000
