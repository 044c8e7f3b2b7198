"""What a clerk does in a day, in a real browser, on a PC and on a phone."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, expect

from server.models import Form
from server.operations import app_users, projects
from tests.browser.conftest import WIDE, Desk
from tests.support.field import Field
from tests.support.server import LiveServer
from tests.web.conftest import LONG_ID, PLACES, answers, survey

JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300"
    + "01" * 64
    + "ffc0000b080001000101011100ffc4001400010000000000"
    "00000000000000000000ffc40014100100000000000000000000000000000000ffda0008010100003f0037ffd9"
)
BROKEN = """
| survey |         |      |       |
|        | type    | name | label |
|        | text    | name | 姓名  |
|        | integer | a b  | 年龄  |
"""
GOOD = """
| survey   |         |          |         |
|          | type    | name     | label   |
|          | text    | name     | 姓名    |
| settings |         |          |         |
|          | form_id | form_title | version |
|          | simple  | 简单表   | 1       |
"""


@pytest.fixture(scope="module")
def filled(app: Flask) -> tuple[int, int]:
    """A project with thirty records: project and form."""
    with app.app_context():
        project = projects.create("云岭镇入户走访", description="浏览器测试")
        field = Field(app, app.test_client(), project)
        form: Form = field.publish(survey(), {"places.csv": PLACES})
        for number in range(1, 31):
            note = "很长的备注" * 40 if number == 30 else ""
            sent = field.send(
                answers(f"uuid:{number:03}", tag=f"{number:04}", note=note), {"house.jpg": JPEG, "card.jpg": JPEG}
            )
            assert sent.status_code == 201
        for name in ("石板村 王建国", "名字特别特别长的采集员" * 6):
            app_users.create(project.id, name)
        return project.id, form.id


def test_from_an_uploaded_form_to_the_phone(desk: Desk, shape: str, tmp_path: Path) -> None:
    page = desk.page
    desk.open("/projects")
    if page.locator("details.card[open]").count() == 0:
        page.click("details.card > summary")
    page.fill("#name", f"新乡镇 {shape}")
    page.click("details.card button[type=submit]")
    page.wait_for_url("**/forms")
    desk.look(f"{shape}-forms-empty")
    broken, good = tmp_path / "broken.md", tmp_path / "good.md"
    broken.write_text(BROKEN, encoding="utf-8")
    good.write_text(GOOD, encoding="utf-8")
    page.set_input_files("#file", broken)
    page.click(".drop button[type=submit]")
    expect(page.locator("#messages tbody tr").first).to_contain_text("survey")
    expect(page.locator("#messages tbody tr").first).to_contain_text("3")
    desk.look(f"{shape}-forms-messages")
    page.set_input_files("#file", good)
    page.click(".drop button[type=submit]")
    page.wait_for_url("**/forms/*")
    expect(page.locator(".qr svg")).to_be_visible()
    desk.look(f"{shape}-form-draft")
    page.click("#draft details.ask >> nth=0")
    page.click("#draft details.ask[open] button[type=submit]")
    expect(page.locator("#draft")).to_have_count(0)
    desk.look(f"{shape}-form-published")
    desk.open(page.url.removeprefix(desk.origin).split("/forms")[0] + "/enumerators")
    desk.look(f"{shape}-enumerators-empty")
    page.fill("#name", "石板村 王")
    page.click("form:has(#name) button[type=submit]")
    expect(page.locator(".qr svg")).to_be_visible()
    desk.look(f"{shape}-enumerator")


def test_records_from_the_table_to_a_photo(desk: Desk, shape: str, filled: tuple[int, int]) -> None:
    project, form = filled
    page = desk.page
    desk.open(f"/projects/{project}/forms/{form}/records?size=25")
    expect(page.locator("#total")).to_have_text("30 条记录")
    desk.look(f"{shape}-records")
    page.click("a[rel=next]")
    expect(page.locator("#records tbody tr")).to_have_count(5)
    assert "page=2" in page.url
    page.go_back()
    expect(page.locator("#records tbody tr")).to_have_count(25)
    page.click("td.title a >> nth=0")
    expect(page.locator("h1")).to_have_text("户 0030")
    expect(page.locator("#answers")).to_contain_text("石板村")
    assert LONG_ID not in page.content()
    desk.look(f"{shape}-record")
    page.click("#answers .card-header details.ask summary")
    page.fill("#answers .card-header input[name=reason]", "核对身份")
    page.click("#answers .card-header details.ask button[type=submit]")
    expect(page.locator("#answers")).to_contain_text(LONG_ID)
    page.click("a[data-photo] >> nth=0")
    expect(page.locator("#viewer[open]")).to_be_visible()
    before = page.locator("#viewer img").get_attribute("src")
    page.keyboard.press("ArrowRight")
    assert page.locator("#viewer img").get_attribute("src") != before
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.locator("h1")).to_have_text("户 0029")
    page.keyboard.press("k")
    expect(page.locator("h1")).to_have_text("户 0030")
    page.keyboard.press("u")
    page.wait_for_url("**/records?*")


def test_csv_is_downloaded(desk: Desk, filled: tuple[int, int], tmp_path: Path) -> None:
    project, form = filled
    desk.open(f"/projects/{project}/forms/{form}/records")
    desk.page.click(".topbar details.ask summary")
    with desk.page.expect_download() as waiting:
        desk.page.click(".topbar details.ask button[type=submit]")
    target = tmp_path / "records.zip"
    waiting.value.save_as(target)
    assert waiting.value.suggested_filename == "visit.zip"
    with zipfile.ZipFile(target) as archive:
        assert "石板村" in archive.read("走访.csv").decode("utf-8-sig")


def test_cards_fit_eight_on_a_sheet(desk: Desk, shape: str, filled: tuple[int, int]) -> None:
    if shape == "phone":
        return  # paper has one width
    project, _ = filled
    desk.open(f"/projects/{project}/enumerators/print")
    desk.look("wide-cards")
    desk.page.emulate_media(media="print")
    cards = desk.page.locator(".sheet-card")
    assert cards.count() == 3
    millimetre = 96 / 25.4
    for box in (cards.nth(number).bounding_box() for number in range(3)):
        assert box is not None
        assert box["height"] * 4 <= (297 - 24 + 1) * millimetre
    expect(desk.page.locator(".rail")).to_be_hidden()
    for code in desk.page.locator(".sheet-card svg").all():
        box = code.bounding_box()
        assert box is not None
        assert box["width"] >= 40 * millimetre


def test_every_room_fits_the_window(desk: Desk, shape: str, filled: tuple[int, int]) -> None:
    project, form = filled
    rooms = {
        "projects": "/projects", "people": "/people", "settings": f"/projects/{project}/settings",
        "forms": f"/projects/{project}/forms", "form": f"/projects/{project}/forms/{form}",
        "enumerators": f"/projects/{project}/enumerators", "not-found": "/nowhere",
        "records-filtered": f"/projects/{project}/forms/{form}/records?q=none&since=2026-01-01&state=approved",
    }  # fmt: skip
    for name, path in rooms.items():
        desk.open(path)
        desk.look(f"{shape}-{name}")
        unnamed = desk.page.evaluate(
            """() => [...document.querySelectorAll(
                'a[href], button, input:not([type=hidden]), select, textarea, summary')]
                .filter(e => e.checkVisibility() && !(e.innerText || '').trim() && !e.getAttribute('aria-label')
                    && !(e.labels && e.labels.length))
                .map(e => e.outerHTML)"""
        )
        assert unnamed == [], name


def test_keyboard_reaches_the_content_first(desk: Desk, filled: tuple[int, int]) -> None:
    desk.open(f"/projects/{filled[0]}/forms")
    desk.page.keyboard.press("Tab")
    focused = desk.page.locator(":focus")
    expect(focused).to_have_class("skip")
    desk.page.keyboard.press("Enter")
    assert desk.page.evaluate("document.activeElement.id") == "main"


def test_main_acts_work_without_script(
    chromium: Browser, live: LiveServer, person: str, filled: tuple[int, int]
) -> None:
    context = chromium.new_context(viewport=WIDE, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{live.url}/projects/{filled[0]}/forms/{filled[1]}/records?size=25")
    page.fill("#email", person)
    page.fill("#password", "a-long-password")
    page.click("main button[type=submit]")
    page.click("a[rel=next]")
    expect(page.locator("#records tbody tr")).to_have_count(5)
    page.click("td.title a >> nth=0")
    page.click("#answers .card-header details.ask summary")
    page.fill("#answers .card-header input[name=reason]", "核对身份")
    page.click("#answers .card-header details.ask button[type=submit]")
    expect(page.locator("#answers")).to_contain_text(LONG_ID)
    context.close()
