"""The mediation log as a phone runs it: who is asked what, what is refused, what is counted."""

from __future__ import annotations

import pytest
from lxml import etree

from forms.library import surveys
from forms.xlsform import convert
from tests.clients.javarosa import Filled, JavaRosa
from tests.forms.mediation_log_plans import (
    BRANCH_QUESTIONS,
    BRANCHES,
    DISPUTE,
    HIGH,
    LATER,
    LATER_ANSWER,
    MEETING,
    ONGOING,
    ORAL,
    PACKAGE,
    QUESTION,
    REFERRED,
    WRITTEN,
    Answers,
    at,
)

[LOG] = [survey for survey in surveys() if survey.name == "mediation_log"]


@pytest.fixture(scope="module")
def xform() -> bytes:
    return convert(LOG.source, validate=False).xform


class Phone:
    """Fills the log; what a plan does not say is as in `MEETING`."""

    def __init__(self, engine: JavaRosa, xform: bytes) -> None:
        self._engine, self._xform = engine, xform

    def fill(
        self, answers: Answers | None = None, *, language: str = "中文 (zh)", inspect: tuple[str, ...] = ()
    ) -> Filled:
        plan = {"answers": MEETING | (answers or {}), "inspect": inspect, "language": language}
        return self._engine.fill(self._xform, plan, LOG.source.parent)


@pytest.fixture
def phone(engine: JavaRosa, xform: bytes) -> Phone:
    return Phone(engine, xform)


# the meeting


def test_meeting_without_disputes(phone: Phone) -> None:
    filled = phone.fill()
    assert filled.ok, filled
    assert not any(path.startswith(("/disputes", "/questions", "/packages")) for path in filled.asked)
    assert filled.value("/disputes") is None
    assert filled.value("/meeting/meeting_date") == "2025-03-05"
    assert filled.value("/meeting/attendance") == "26"
    assert filled.value("/meeting/village_name") == "大坪村"
    assert filled.value("/meta/audit") == "audit.csv"


def test_instance_name_holds_no_personal_data(phone: Phone) -> None:
    assert phone.fill().value("/meta/instanceName") == "2025-03-05 大坪村 警民议事会"


@pytest.mark.parametrize(
    ("township", "villages"),
    [
        ("520599101", ["石板村", "大坪村", "青杠村", "云岭社区"]),
        ("520599201", ["清溪村", "白岩村", "水井村", "茶园村"]),
    ],
)
def test_only_villages_of_the_township_are_offered(phone: Phone, township: str, villages: list[str]) -> None:
    filled = phone.fill({"/meeting/township": township}, inspect=("/meeting/village",))
    offered = filled.choices("/meeting/village")
    assert list(offered.values()) == villages
    assert all(code.startswith(township) and len(code) == 12 for code in offered)


@pytest.mark.parametrize(
    ("answers", "asked", "not_asked"),
    [
        ({"/meeting/kind": "joint", "/meeting/units_present": "police justice"}, ["/meeting/units_present"], []),
        ({}, [], ["/meeting/units_present", "/meeting/place_other", "/meeting/place_why_not"]),
        ({"/meeting/place_kind": "other", "/meeting/place_other": "晒谷场"}, ["/meeting/place_other"], []),
        ({"/meeting/place": "", "/meeting/place_why_not": "no_signal"}, ["/meeting/place_why_not"], []),
    ],
)
def test_meeting_asks_what_applies(phone: Phone, answers: Answers, asked: list[str], not_asked: list[str]) -> None:
    filled = phone.fill(answers)
    assert filled.ok, filled
    assert all(filled.was_asked(path) for path in asked)
    assert not any(filled.was_asked(path) for path in not_asked)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("/meeting/started_at", f"{LATER}T09:00:00.000+08:00", "会议开过再登记"),
        ("/meeting/minutes", "4", "5 到 720"),
        ("/meeting/minutes", "721", "5 到 720"),
        ("/meeting/police_count", "0", "1 到 50"),
        ("/meeting/cadre_count", "-1", "0 到 100"),
        ("/meeting/villager_count", "-1", "0 到 1000"),
        ("/meeting/other_count", "201", "0 到 200"),
        ("/meeting/women_count", "27", "到会总数 26 人"),
        ("/meeting/place", "27.3 105.3 1500 51", "精度小于 50 米"),
        ("/meeting/place", "27.3 105.3 0 0", "精度为 0"),
    ],
)
def test_meeting_refuses(phone: Phone, path: str, value: str, says: str) -> None:
    filled = phone.fill({path: value})
    assert f"CONSTRAINT_VIOLATED {path}" in filled.notes
    assert says in (filled.messages[path] or "")


@pytest.mark.parametrize(
    "answers",
    [
        {"/meeting/women_count": "26"},
        {"/meeting/women_count": "0"},
        {"/meeting/minutes": "5"},
        {"/meeting/place": "27.3 105.3 1500 50"},
    ],
)
def test_meeting_accepts_limits(phone: Phone, answers: Answers) -> None:
    filled = phone.fill(answers)
    assert filled.ok, filled


# disputes


def dispute(*parts: Answers, without: tuple[str, ...] = ("neighbour_issue",)) -> Answers:
    """`DISPUTE` without its neighbours' question, for parts that change the category."""
    base = {name: value for name, value in DISPUTE.items() if name not in without}
    for part in parts:
        base |= part
    return base


def names_asked(filled: Filled, number: int = 1) -> set[str]:
    prefix = "/disputes/" if number == 1 else f"/disputes[{number}]/"
    return {path.removeprefix(prefix) for path in filled.asked if path.startswith(prefix)}


def test_every_category_is_covered(phone: Phone) -> None:
    filled = phone.fill(at("disputes", DISPUTE | ORAL), inspect=("/disputes/category",))
    assert set(filled.choices("/disputes/category")) == set(BRANCHES)


@pytest.mark.parametrize("category", BRANCHES)
def test_category_asks_its_questions_and_no_others(phone: Phone, category: str) -> None:
    filled = phone.fill(at("disputes", dispute({"category": category}, BRANCHES[category], ORAL)))
    assert filled.ok, filled
    assert names_asked(filled) & BRANCH_QUESTIONS == set(BRANCHES[category])


@pytest.mark.parametrize(
    ("parts", "asked", "not_asked"),
    [
        ([{"category": "family", "violence": "yes", "violence_actions": "warning order"}], {"violence_actions"}, set()),
        ([{"category": "family", "violence": "no"}], set(), {"violence_actions"}),
        ([DISPUTE], set(), {"transferred_from", "other_parties", "risk_reason", "risk_reported_to", "measure_other"}),
        (
            [DISPUTE, {"source": "transferred", "transferred_from": "petitions"}],
            {"transferred_from"},
            {"transferred_from_other"},
        ),
        ([DISPUTE, {"people_involved": "9", "other_parties": "丁"}], {"other_parties"}, set()),
        ([DISPUTE, {"risk": "high", "risk_reason": "扬言报复", "risk_reported_to": "police"}], {"risk_reason"}, set()),
        ([DISPUTE, {"measures": "law other", "measure_other": "请族老"}], {"measure_other"}, set()),
        ([DISPUTE], {"party_a/a_id_number", "party_b/b_phone"}, {"party_b/b_id_number"}),
    ],
)
def test_dispute_asks_what_applies(phone: Phone, parts: list[Answers], asked: set[str], not_asked: set[str]) -> None:
    filled = phone.fill(at("disputes", dispute(*parts, ORAL)))
    assert filled.ok, filled
    assert names_asked(filled) >= asked
    assert not names_asked(filled) & not_asked


def test_without_consent_no_numbers_are_asked(phone: Phone) -> None:
    numbers = ("party_a/a_id_number", "party_a/a_phone", "party_b/b_id_number", "party_b/b_phone")
    answers = {name: value for name, value in (DISPUTE | ORAL).items() if name not in numbers}
    filled = phone.fill(at("disputes", answers | {"consent": "no", "party_b/b_kind": "person"}))
    assert filled.ok, filled
    assert not names_asked(filled) & set(numbers)
    assert {"party_a/a_name", "party_b/b_name"} <= names_asked(filled)


RESULT_QUESTIONS = {
    "agreement_form",
    "agreed_on",
    "agreement_photo",
    "judicial_confirmation",
    "oral_entry",
    "performance",
    "performance_due",
    "performance_proof",
    "performance_refused_why",
    "obstacle",
    "next_date",
    "referred_to",
    "referred_on",
    "referral_photo",
    "followup_date",
    "followup",
    "closed",
    "closed_on",
}


@pytest.mark.parametrize(
    ("result", "offered_too"),
    [
        (ORAL, {"performance_proof"}),
        (WRITTEN, set()),
        (WRITTEN | {"performance": "partly"}, {"performance_proof"}),
        (ONGOING, set()),
        (REFERRED, {"referral_photo"}),
        (REFERRED | {"closed": "yes", "closed_on": "2025-03-05"}, {"referral_photo"}),
    ],
    ids=["oral", "written, pending", "written, partly", "ongoing", "referred", "referred and closed"],
)
def test_result_asks_what_follows_from_it(phone: Phone, result: Answers, offered_too: set[str]) -> None:
    filled = phone.fill(at("disputes", DISPUTE | result))
    assert filled.ok, filled
    assert names_asked(filled) & RESULT_QUESTIONS == (set(result) - {"result"}) | offered_too


def test_refused_performance_is_explained_and_not_closed(phone: Phone) -> None:
    refused = {name: value for name, value in ORAL.items() if not name.startswith("closed")}
    filled = phone.fill(
        at("disputes", DISPUTE | refused | {"performance": "refused", "performance_refused_why": "嫌贵"})
    )
    assert filled.ok, filled
    assert "closed" not in names_asked(filled)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("party_a/a_id_number", "110105194912310021", "逐位核对"),
        ("party_a/a_id_number", "11010519491331002X", "逐位核对"),
        ("party_a/a_id_number", "11010519491231002", "逐位核对"),
        ("party_a/a_phone", "1380000000", "11 位手机号"),
        ("party_a/a_phone", "0857-8220000", "不加横线"),
        ("people_involved", "1", "2 到 5000"),
        ("agreed_on", LATER, "今天或以前"),
        ("followup_date", "2025-03-04", "协议日期当天或以后"),
        ("closed_on", "2025-03-04", "会议当天到今天"),
        ("closed_on", LATER, "会议当天到今天"),
    ],
)
def test_dispute_refuses(phone: Phone, name: str, value: str, says: str) -> None:
    filled = phone.fill(at("disputes", DISPUTE | ORAL | {name: value}))
    assert f"CONSTRAINT_VIOLATED /disputes/{name}" in filled.notes
    assert says in (filled.messages[f"/disputes/{name}"] or "")


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ([{"category": "land"}, BRANCHES["land"], {"land_mu": "0"}], "land_mu"),
        ([{"category": "land"}, BRANCHES["land"], {"land_place": "27.3 105.3 1500 60"}], "land_place"),
        ([{"category": "land"}, BRANCHES["land"], {"land_papers": "none contract"}], "land_papers"),
        ([{"category": "family", "violence": "yes", "violence_actions": "none order"}], "violence_actions"),
        ([{"category": "labour"}, BRANCHES["labour"], {"workers": "0"}], "workers"),
        ([{"category": "traffic"}, BRANCHES["traffic"], {"amount": "-1"}], "amount"),
        ([WRITTEN, {"performance_due": "2025-03-04"}], "performance_due"),
        ([ORAL, {"party_b/b_kind": "person", "party_b/b_id_number": "110105194912310021"}], "party_b/b_id_number"),
        ([ORAL, {"party_b/b_phone": "12345"}], "party_b/b_phone"),
        ([ONGOING, {"next_date": "2025-03-04"}], "next_date"),
        ([REFERRED, {"referred_on": LATER}], "referred_on"),
    ],
)
def test_branches_refuse(phone: Phone, parts: list[Answers], name: str) -> None:
    category = parts[0].get("category")
    base = dispute(ORAL) if category else DISPUTE
    filled = phone.fill(at("disputes", base | {key: value for part in parts for key, value in part.items()}))
    assert f"CONSTRAINT_VIOLATED /disputes/{name}" in filled.notes


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("party_a/a_id_number", "11010519491231002x"),
        ("party_a/a_id_number", ""),
        ("party_a/a_phone", "08578220000"),
        ("followup_date", "2025-03-05"),
        ("closed_on", "2025-03-05"),
        ("agreed_on", "2025-03-01"),
    ],
)
def test_dispute_accepts(phone: Phone, name: str, value: str) -> None:
    filled = phone.fill(at("disputes", DISPUTE | ORAL | {name: value}))
    assert filled.ok, filled


def test_no_agreement_before_the_rights_notice(phone: Phone) -> None:
    filled = phone.fill(at("disputes", DISPUTE | ORAL | {"rights_notice": "no"}))
    assert "CONSTRAINT_VIOLATED /disputes/result" in filled.notes
    assert "告知权利义务" in (filled.messages["/disputes/result"] or "")
    assert phone.fill(at("disputes", DISPUTE | ONGOING | {"rights_notice": "no"})).ok


# questions and packages


@pytest.mark.parametrize(
    ("repeat", "answers", "asked", "not_asked"),
    [
        ("questions", QUESTION, {"answer"}, {"answer_by", "answer_by_other", "answer_due"}),
        (
            "questions",
            LATER_ANSWER,
            {"answer_by", "answer_due"},
            {"answer"},
        ),
        ("packages", PACKAGE, {"package_state"}, {"resolved_on", "outcome", "returned_why", "receiving_body_other"}),
        (
            "packages",
            PACKAGE | {"package_state": "resolved", "resolved_on": "2025-03-20", "outcome": "已清方"},
            {"resolved_on", "outcome"},
            {"returned_why"},
        ),
        (
            "packages",
            PACKAGE | {"package_state": "returned", "returned_why": "不属本单位"},
            {"returned_why"},
            {"outcome"},
        ),
        (
            "packages",
            PACKAGE | {"receiving_body": "other", "receiving_body_other": "电信"},
            {"receiving_body_other"},
            set(),
        ),
    ],
)
def test_questions_and_packages_ask_what_applies(
    phone: Phone, repeat: str, answers: Answers, asked: set[str], not_asked: set[str]
) -> None:
    filled = phone.fill(at(repeat, answers))
    assert filled.ok, filled
    assert all(filled.was_asked(f"/{repeat}/{name}") for name in asked)
    assert not any(filled.was_asked(f"/{repeat}/{name}") for name in not_asked)


def test_package_is_passed_on_unless_said_otherwise(phone: Phone) -> None:
    assert phone.fill(at("packages", PACKAGE)).value("/packages/package_state") == "pushed"


@pytest.mark.parametrize(
    ("repeat", "answers", "name"),
    [
        ("packages", PACKAGE | {"due_date": "2025-03-04"}, "due_date"),
        ("packages", PACKAGE | {"package_state": "resolved", "resolved_on": "2025-03-04"}, "resolved_on"),
        ("packages", PACKAGE | {"package_state": "resolved", "resolved_on": LATER}, "resolved_on"),
        ("questions", LATER_ANSWER | {"answer_due": "2025-03-04"}, "answer_due"),
    ],
)
def test_dates_are_not_before_the_meeting(phone: Phone, repeat: str, answers: Answers, name: str) -> None:
    path = f"/{repeat}/{name}"
    filled = phone.fill(at(repeat, answers))
    assert filled.notes == [f"CONSTRAINT_VIOLATED {path}"]
    assert filled.validation == f"required {path}"
    assert "会议当天" in (filled.messages[path] or "")


# summary

COUNTS = ["dispute", "mediated", "ongoing", "referred", "high_risk", "closed", "question", "package"]


@pytest.mark.parametrize(
    ("answers", "counts"),
    [
        ({}, "0 0 0 0 0 0 0 0"),
        (at("disputes", DISPUTE | ORAL), "1 1 0 0 0 1 0 0"),
        (
            at("disputes", DISPUTE | ORAL, DISPUTE | ONGOING | HIGH, DISPUTE | REFERRED, DISPUTE | WRITTEN),
            "4 2 1 1 1 1 0 0",
        ),
        (at("questions", QUESTION, QUESTION, QUESTION) | at("packages", PACKAGE, PACKAGE), "0 0 0 0 0 0 3 2"),
    ],
    ids=["nothing", "one dispute", "four disputes", "questions and packages"],
)
def test_summary_counts(phone: Phone, answers: Answers, counts: str) -> None:
    filled = phone.fill(answers)
    assert filled.ok, filled
    assert " ".join(filled.value(f"/summary/{name}_count") or "" for name in COUNTS) == counts


def test_disputes_are_numbered(phone: Phone) -> None:
    filled = phone.fill(at("disputes", DISPUTE | ONGOING, DISPUTE | ONGOING))
    assert [filled.value(f"/disputes[{n}]/dispute_no") for n in (1, 2)] == ["1", "2"]


def test_saying_no_again_drops_the_disputes(phone: Phone, engine: JavaRosa, xform: bytes) -> None:
    sent = phone.fill(at("disputes", DISPUTE | ORAL))
    edited = engine.fill(xform, {"answers": {"/has_disputes": "no"}}, LOG.source.parent, edit=sent.xml)
    assert edited.ok, edited
    assert edited.value("/disputes") is None
    assert edited.value("/summary/dispute_count") == "0"
    assert edited.value("/meta/deprecatedID") == sent.value("/meta/instanceID")


def test_totals_are_read_in_both_languages(phone: Phone) -> None:
    answers = at("disputes", DISPUTE | ORAL)
    chinese = phone.fill(answers, inspect=("/summary/totals",)).inspected["/summary/totals"]
    english = phone.fill(answers, inspect=("/summary/totals",), language="English (en)").inspected["/summary/totals"]
    assert chinese["label"].startswith("纠纷 1 起：调成 1")
    assert english["label"].startswith("1 disputes: 1 mediated")


# the form as a whole


def name_of(path: str | None) -> str:
    return (path or "").rsplit("/", 1)[-1]


def test_every_text_is_in_both_languages(xform: bytes) -> None:
    translations = etree.fromstring(xform).findall(".//{*}itext/{*}translation")
    assert [translation.get("lang") for translation in translations] == ["中文 (zh)", "English (en)"]
    for translation in translations:
        texts = [str(value.xpath("string()")).strip() for value in translation.iterfind("{*}text/{*}value")]
        assert texts
        assert "" not in texts
        assert "-" not in texts, "pyxform's mark of a missing translation"


def test_sensitive_answers_are_marked(xform: bytes) -> None:
    mark = "{https://xiangtu.example/xforms}sensitive"
    binds = etree.fromstring(xform).iterfind(".//{*}model/{*}bind")
    marked = {name_of(bind.get("nodeset")): bind.get(mark) for bind in binds if bind.get(mark)}
    assert marked == {
        "host": "name",
        "police": "name",
        "a_name": "name",
        "b_name": "name",
        "other_parties": "name",
        "a_id_number": "id_number",
        "b_id_number": "id_number",
        "a_phone": "phone",
        "b_phone": "phone",
        "meeting_photo": "photo",
        "attendance_photo": "photo",
        "agreement_photo": "photo",
        "performance_proof": "photo",
        "referral_photo": "photo",
        "signature": "signature",
    }
    inputs = etree.fromstring(xform).iterfind(".//{*}input")
    masked = {name_of(field.get("ref")) for field in inputs if "masked" in field.get("appearance", "")}
    assert masked == {"a_name", "b_name", "other_parties", "a_id_number", "b_id_number", "a_phone", "b_phone"}


def test_photos_are_kept_small(xform: bytes) -> None:
    binds = etree.fromstring(xform).iterfind(".//{*}model/{*}bind[@type='binary']")
    photos = [bind for bind in binds if name_of(bind.get("nodeset")) != "audit"]
    assert len(photos) == 6
    assert {bind.get("{http://openrosa.org/xforms}max-pixels") for bind in photos} == {"1280"}
