"""Hostile addresses, tokens, methods and headers, against the served application."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import pytest

from server.models import Form
from server.operations import app_users, forms, projects
from tests.openrosa.conftest import Ground, assert_refused
from tests.support.field import Field, record, visit
from tests.support.phones import MULTIPART, Answer, body, exchange, file_part, post, request, xml_part

GET, POST = "GET", "POST"
_numbers = itertools.count(1)


def ask(ground: Ground, path: str | bytes, method: str = GET) -> Answer:
    """GET a form list or POST a record at an address of our own."""
    path = path if isinstance(path, bytes) else path.encode()
    if method == GET:
        return exchange(ground.base, request(GET, path + b"/formList"))
    content = body(xml_part(record(photo="a.jpg")), file_part("a.jpg", b"photo of " + path[:99]))
    return exchange(ground.base, request(POST, path + b"/submission", content, [b"Content-Type: " + MULTIPART]))


# ------------------------------------------------------------------------------------------------ tokens and projects


@pytest.mark.parametrize("method", [GET, POST])
@pytest.mark.parametrize(
    "token",
    [
        "x", "%00", "a%00b", "%20", "..", "%2e%2e", "%E4%B8%AD", "%FF%FE", "'%20OR%201=1--", "%25s", "a" * 10_000,
        "{mine}%00", "{mine}x", "{upper}", "%20{mine}",
    ],
)  # fmt: skip
def test_a_wrong_token_is_403(ground: Ground, token: str, method: str) -> None:
    mine = app_users.token(ground.field.phone)
    token = token.format(mine=mine, upper=mine.swapcase())
    before = ground.state()
    answer = ask(ground, f"/v1/key/{token}/projects/{ground.field.project.id}", method)
    assert_refused(ground, before, answer, 403, "403.1")


@pytest.mark.parametrize("method", [GET, POST])
@pytest.mark.parametrize("project", ["0", str(2**31), str(2**63 - 1), str(2**63), str(2**64), "1" + "0" * 100])
def test_a_token_opens_no_other_project(ground: Ground, project: str, method: str) -> None:
    before = ground.state()
    answer = ask(ground, f"/v1/key/{app_users.token(ground.field.phone)}/projects/{project}", method)
    assert_refused(ground, before, answer, 403, "403.1")


@pytest.mark.parametrize("method", [GET, POST])
@pytest.mark.parametrize("project", ["-1", "abc", "1%00", "1;x", "0x1", "1.0", "", "%31%2F"])
def test_a_project_that_is_no_number_is_404(ground: Ground, project: str, method: str) -> None:
    before = ground.state()
    answer = ask(ground, f"/v1/key/{app_users.token(ground.field.phone)}/projects/{project}", method)
    assert_refused(ground, before, answer, 404, "404.1")


@pytest.mark.parametrize("method", [GET, POST])
def test_a_token_of_another_project_and_a_revoked_one_are_403(ground: Ground, method: str) -> None:
    other = Field(ground.field.app, ground.field.client, projects.create("别的乡"))
    gone = app_users.create(ground.field.project.id, "离开的人")
    app_users.revoke(ground.field.project.id, gone.actor_id)
    stranger = f"/v1/key/{app_users.token(other.phone)}/projects/{ground.field.project.id}"
    revoked = ground.field.base(phone=gone)
    before = ground.state()
    for path in (stranger, revoked):
        assert_refused(ground, before, ask(ground, path, method), 403, "403.1")


@pytest.mark.parametrize("form_id", ["visit", "nothing"])
def test_strangers_do_not_learn_which_forms_there_are(ground: Ground, form_id: str) -> None:
    before = ground.state()
    path = ground.base.replace("/v1/key/", "/v1/key/x")
    assert_refused(ground, before, post(path, body(xml_part(record(form_id=form_id)))), 403, "403.1")


def test_a_wrong_draft_token_is_404(ground: Ground) -> None:
    before = ground.state()
    path = f"/v1/test/nonsense/projects/{ground.field.project.id}/forms/visit/draft"
    for method in (GET, POST):
        assert_refused(ground, before, ask(ground, path, method), 404, "404.4")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (b"X-Nothing: 1", "401.4"),
        (b"Authorization: Basic !!!", "401.4"),
        (b"Authorization: Basic", "401.2"),
        (b"Authorization: Basic AAA6AAA=", "401.2"),  # NUL NUL : NUL NUL
        (b"Authorization: Basic gICA", "401.4"),  # not UTF-8
        (b'Authorization: Digest username="x"', "401.4"),
        (b"Authorization: Bearer \xff", "401.4"),
        (b"Cookie: session=%00", "401.2"),
        (b"Cookie: session=\xff\xfe", "401"),
        (b"Cookie: " + b"a=b;" * 2_000, "401.4"),
    ],
)
def test_credentials_that_are_none(ground: Ground, header: bytes, code: str) -> None:
    answer = exchange(ground.base, request(GET, f"/v1/projects/{ground.field.project.id}/formList", headers=[header]))
    assert answer.status == 401
    assert f"({code}" in answer.message


# ------------------------------------------------------------------------------------------------ forms' states


@pytest.fixture
def other_form(ground: Ground) -> Form:
    """Another form of the project, for this test only."""
    form_id = f"state-{next(_numbers)}"
    return ground.field.publish(visit(form_id))


@pytest.mark.parametrize(
    ("state", "status", "code"), [("open", 201, ""), ("closing", 201, ""), ("closed", 409, "409.2")]
)
def test_states_of_a_form(ground: Ground, other_form: Form, state: str, status: int, code: str) -> None:
    forms.set_state(other_form, state)
    before = ground.state()
    answer = ground.send(
        record(form_id=other_form.xml_form_id, photo="a.jpg"), file_part("a.jpg", state.encode() * 100)
    )
    if status == 201:
        assert answer.status == 201
    else:
        assert_refused(ground, before, answer, status, code)


@pytest.mark.parametrize(
    "form_id",
    ["with space", "with/slash", "a&b<c>", "é è", "入户", "q1.1", "100%", "a.xml", "x/manifest", "a+b", "draft"],
)
def test_form_ids_of_any_kind_come_back_the_same(ground: Ground, form_id: str) -> None:
    escaped = form_id.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    xform = visit("placeholder").replace(b'id="placeholder"', f'id="{escaped}"'.encode())
    field = Field(ground.field.app, ground.field.client, projects.create("怪名字的乡"))
    field.publish(xform)
    base = field.base(ground.live.url)
    listed = exchange(base, request(GET, f"{field.base()}/formList"))
    names = {"x": "http://openrosa.org/xforms/xformsList"}
    root = ElementTree.fromstring(listed.content)
    assert root.findtext("x:xform/x:formID", namespaces=names) == form_id
    address = root.findtext("x:xform/x:downloadUrl", namespaces=names) or ""
    path = "/v1/" + address.partition("/v1/")[2]
    assert exchange(base, request(GET, path)).content == xform
    assert post(base, body(xml_part(record(form_id=escaped)))).status == 201
    assert field.count() == 1


# -------------------------------------------------------------------------------- addresses, methods, headers


@pytest.mark.parametrize(
    "below",
    [
        "/nothing", "/formlist", "/formList/", "/submission/", "/forms/nothing.xml", "/forms/.xml", "/forms/%FF.xml",
        "/forms/vi%00sit.xml", "/forms/visit%00.xml", "/forms/nothing/manifest", "/forms/visit/attachments/nothing",
        "/forms/visit/attachments/x.xml", "/forms/visit/attachments/..%2f..%2f..%2fsecret",
        "/forms/visit/attachments/../../../../secret", "/forms/visit/attachments/a%00b",
        "/forms/..%2f..%2fsecret.xml", "/forms/" + "a" * 9_000 + ".xml", "/forms/%25s.xml", "/forms/visit';--.xml",
    ],
)  # fmt: skip
def test_addresses_that_lead_nowhere(ground: Ground, below: str) -> None:
    assert_refused(ground, ground.state(), ground.get(below), 404, "404.1")


@pytest.mark.parametrize("below", ["/submission", "/formList", "/forms/visit.xml", "/forms/visit/manifest"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND"])
def test_methods_that_do_not_apply(ground: Ground, below: str, method: str) -> None:
    before = ground.state()
    answer = ground.get(below, method=method)
    if method == "GET" and below != "/submission":
        assert answer.status == 200
    else:
        assert_refused(ground, before, answer, 405, "405.1")
        assert answer.headers["allow"]


@pytest.mark.parametrize(
    "query",
    [
        "deviceID=%00",
        "deviceID=%FF%FE",
        "deviceID=" + "d" * 9_000,
        "deviceID",
        "&&&=",
        "a[]=%",
        "deviceID=1&deviceID=2",
    ],
)
def test_any_query_is_borne(ground: Ground, query: str) -> None:
    assert ground.get(f"/formList?{query}").status == 200
    content = body(xml_part(record()))
    path = f"{ground.path}/submission?{query}"
    assert exchange(ground.base, request(POST, path, content, [b"Content-Type: " + MULTIPART])).status == 201


@pytest.mark.parametrize(
    "header",
    [
        b"User-Agent: \xff\xfe\x80", b"User-Agent: " + b"u" * 9_000, b"User-Agent:", b"Date: yesterday", b"Date: \xff",
        b"X-OpenRosa-Version: 99", b"Content-Type: text/plain", b"Content-Encoding: gzip", b"Accept: \xff",
        b"Accept-Language: " + b"x," * 3_000, b"X-Forwarded-Host: <evil>", b"X-Request-Id: <script>",
        b"Range: bytes=-1",
        b"Expect: 100-continue", b"Host: another.example", b"Cookie: session=x", b"X-A: " + b"a" * 300_000,
    ],
)  # fmt: skip
def test_any_header_is_borne(ground: Ground, header: bytes) -> None:
    answer = ground.post(body(xml_part(record())), MULTIPART, header)
    assert answer.status in {100, 201}
    assert "<" not in answer.headers.get("x-request-id", "")


@pytest.mark.parametrize("tag", [b'"', b"", b"*" * 9_000, b"\xff\xfe", b'W/"x", "y', b"," * 5_000])
def test_any_tag_means_send_it_again(ground: Ground, tag: bytes) -> None:
    assert ground.get("/formList", b"If-None-Match: " + tag).status == 200


@pytest.mark.parametrize("host", [b"<b>&\"'", b"a/b?c=<x>", b"\xff", b"", b"x" * 9_000, b"a@b", b"[::1", b"x:99999999"])
def test_a_host_that_is_none_breaks_no_list(ground: Ground, host: bytes) -> None:
    answer = exchange(ground.base, request(GET, f"{ground.path}/formList", host=host))
    assert answer.status in {200, 400}
    if answer.status == 200:
        assert b"<b>" not in answer.content
        ElementTree.fromstring(answer.content)


@pytest.mark.parametrize(
    "lines", [[b"X-A: " + b"a" * 1_000_000], [b"X-%d: a" % number for number in range(300)]], ids=["1 MB", "300"]
)
def test_headers_beyond_measure_never_reach_a_door(ground: Ground, lines: list[bytes]) -> None:
    assert ground.get("/formList", *lines).status == 431


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"\x00" * 100,
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_not_http_is_cut_off(ground: Ground, garbage: bytes) -> None:
    assert exchange(ground.base, garbage + b"\r\n\r\n").status in {0, 400}


def test_two_requests_in_one_are_two(ground: Ground) -> None:
    """A length beside chunks: the chunks count, and what follows them is a request of its own, not part of the body."""
    hidden = request(GET, "/v1/nothing")
    content = body(xml_part(record()))
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
    answer = ground.post(chunked + hidden, MULTIPART, b"Transfer-Encoding: chunked", b"Content-Length: 5")
    assert answer.status in {201, 400}
