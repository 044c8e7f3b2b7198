"""The household visit, filled by the engine inside ODK Collect: the form, consent, and its sections."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.forms.plans import HOUSEHOLD, Answers, without
from tests.forms.surveys import Survey, check_asked, check_constraint, check_form, check_villages

TODAY = date.today()

SECTIONS = [
    "/door_group/door", "/people/registered_count", "/housing/house_tenure", "/income/income_kinds", "/money/debt",
    "/five_lacks/no_industry", "/land/contracted_mu", "/coop/coop_member", "/merger/merger_stage", "/needs_group/needs",
    "/photos/photo_house", "/closing/notes",
]  # fmt: skip

OPTIONAL = {
    "/place/household_tag", "/contact_group/contact_note", "/people/contact_phone", "/members/person/id_number",
    "/members/study_work/work_area", "/housing/build_year", "/merger/merger_suggestion", "/needs_group/satisfaction",
    "/needs_group/opinion", "/photos/photo_other", "/closing/notes",
}  # fmt: skip


# --- the form itself


def test_the_form(visit: Survey) -> None:
    check_form(visit, "household_visit", "入户走访")
    check_villages(visit)
    assert visit.sensitive == {
        "/people/contact_phone": "phone",
        "/members/person/member_name": "name",
        "/members/person/id_number": "id_number",
        "/members/health/health_state": "health",
        "/members/health/disability": "health",
        "/members/health/disability_kind": "health",
        "/members/health/disability_level": "health",
        "/members/health/self_care": "health",
        "/photos/photo_house": "photo",
        "/photos/photo_danger": "photo",
        "/photos/photo_other": "photo",
        "/closing/signature": "signature",
    }
    assert len(visit.images) == 4
    shown = {field.get("ref"): field.get("appearance") for field in visit.tree.iter("{*}input", "{*}upload")}
    assert shown["/data/members/person/id_number"] == "masked"
    assert shown["/data/closing/signature"] == "signature"


# --- a whole visit


def test_a_complete_visit_is_valid_and_counted(visit: Survey) -> None:
    filled = visit.unchanged
    assert filled.ok, (filled.validation, filled.notes)
    assert not filled.was_asked("/consent_group/refusal_note")
    expected = {
        "/village_name": "石板村", "/household_code": "5205991012000027", "/outcome": "completed",
        "/member_total": "1", "/worker_total": "1", "/away_total": "1", "/minor_total": "0", "/elder_total": "0",
        "/disabled_total": "1", "/income_total": "42600", "/income_per_head": "21300", "/five_lacks_count": "2",
        "/operated_mu": "11.25", "/meta/audit": "audit.csv",
    }  # fmt: skip
    assert {path: filled.value(path) for path in expected} == expected


def test_instance_name_holds_no_personal_data(visit: Survey) -> None:
    assert visit.unchanged.value("/meta/instanceName") == f"石板村 0027 {TODAY.isoformat()}"


def test_questions_are_shown_in_english_on_request(visit: Survey) -> None:
    filled = visit(language="English (en)", inspect=["/consent_group/consent"])
    assert filled.inspected["/consent_group/consent"]["choices"] == {"yes": "Yes", "no": "No"}
    assert visit(inspect=["/consent_group/consent"]).choices("/consent_group/consent") == {"yes": "是", "no": "否"}


def test_all_but_a_few_questions_are_required(visit: Survey) -> None:
    assert visit.optional == OPTIONAL


@pytest.mark.parametrize(
    "path", ["/place/village", "/consent_group/consent", "/door_group/door", "/members/person/sex", "/housing/road"]
)
def test_a_visit_is_not_finished_without(visit: Survey, path: str) -> None:
    assert visit({path: None}).validation == f"required {path}"


def test_optional_questions_may_stay_empty(visit: Survey) -> None:
    assert visit(dict.fromkeys(OPTIONAL)).ok


# --- village and household


@pytest.mark.parametrize(
    ("township", "villages"),
    [
        ("520599101", ["石板村", "大坪村", "青杠村", "云岭社区"]),
        ("520599201", ["清溪村", "白岩村", "水井村", "茶园村"]),
    ],
)
def test_villages_of_the_township_only(visit: Survey, township: str, villages: list[str]) -> None:
    filled = visit({"/place/township": township, "/place/village": None}, inspect=["/place/village"])
    assert list(filled.choices("/place/village").values()) == villages


def test_a_village_of_another_township_is_not_offered(visit: Survey) -> None:
    filled = visit({"/place/village": "520599201200"})
    assert "NOT OFFERED /place/village 520599201200" in filled.notes
    assert filled.validation == "required /place/village"


@pytest.mark.parametrize(
    ("tag", "number", "taken"),
    [
        ("5205991012000135", "0135", True),
        ("5205991012010135", "0027", False),  # a household of the next village
        ("0135", "0027", False),
        (None, "0027", True),
    ],
)
def test_a_scanned_tag_gives_the_household_number(visit: Survey, tag: str | None, number: str, taken: bool) -> None:
    changes: Answers = {"/place/household_tag": tag}
    if number != "0027":
        changes["/place/household_no"] = None
    filled = visit(changes)
    assert filled.value("/place/household_no") == number
    assert ("CONSTRAINT_VIOLATED /place/household_tag" not in filled.notes) is taken


def test_the_next_visit_starts_in_the_same_village(visit: Survey) -> None:
    media = {"villages.csv": (visit.folder / "villages.csv").read_bytes(), "last-saved.xml": visit.unchanged.xml}
    filled = visit.engine.fill(visit.form.xform, {}, media)
    assert filled.value("/place/township") == "520599101"
    assert filled.value("/place/village") == "520599101200"
    assert filled.value("/place/household_no") == ""


# --- contact and consent


@pytest.mark.parametrize(
    ("contact", "asked", "not_asked"),
    [
        ("nobody", "/contact_group/revisit_date", "/contact_group/away_place"),
        ("minors_only", "/contact_group/revisit_date", "/contact_group/away_place"),
        ("later", "/contact_group/revisit_date", "/contact_group/away_place"),
        ("away", "/contact_group/away_place", "/contact_group/revisit_date"),
        ("moved", "/contact_group/contact_note", "/contact_group/revisit_date"),
        ("vacant", "/contact_group/contact_note", "/contact_group/away_place"),
    ],
)
def test_nobody_is_interviewed_when_nobody_is_met(visit: Survey, contact: str, asked: str, not_asked: str) -> None:
    place = {path: text for path, text in HOUSEHOLD.items() if path.startswith("/place")}
    answers = place | {"/contact_group/contact": contact}
    if contact == "away":
        answers["/contact_group/away_place"] = "outside"
    elif "revisit" in asked:
        answers["/contact_group/revisit_date"] = (TODAY + timedelta(days=2)).isoformat()
    filled = visit(without(HOUSEHOLD, "/") | answers)
    assert filled.ok, (filled.validation, filled.notes)
    assert filled.value("/outcome") == contact
    check_asked(filled, [asked], [not_asked])
    assert not any(map(filled.was_asked, ["/consent_group/consent", *SECTIONS]))


@pytest.mark.parametrize(("reason", "other"), [("privacy", None), ("other", "要等家里人回来")])
def test_a_refusal_ends_the_visit_with_its_reason(visit: Survey, reason: str, other: str | None) -> None:
    start = {path: text for path, text in HOUSEHOLD.items() if path.startswith(("/place", "/contact_group"))}
    refusal = {"/consent_group/consent": "no", "/consent_group/refusal_reason": reason}
    filled = visit(without(HOUSEHOLD, "/") | start | refusal | {"/consent_group/refusal_other": other})
    assert filled.ok, (filled.validation, filled.notes)
    assert filled.value("/outcome") == "refused"
    assert filled.value("/five_lacks_count") == filled.value("/income_total") == ""
    assert filled.value("/members") is None
    assert filled.was_asked("/consent_group/refusal_note")
    assert not any(map(filled.was_asked, ["/consent_group/consent_items", *SECTIONS]))
    assert visit(without(HOUSEHOLD, "/") | start | {"/consent_group/consent": "no"}).validation == (
        "required /consent_group/refusal_reason"
    )


def test_consent_withdrawn_midway_takes_the_answers_along(visit: Survey) -> None:
    withdrawn = {"/consent_group/consent": "no", "/consent_group/refusal_reason": "withdrawn"}
    filled = visit.engine.fill(visit.form.xform, {"answers": withdrawn}, visit.folder, edit=visit.unchanged.xml)
    assert filled.ok, (filled.validation, filled.notes)
    assert filled.value("/outcome") == "refused"
    assert not any(secret in filled.xml.decode() for secret in ("张三", "13800138000", "house.jpg", "36000"))


@pytest.mark.parametrize(
    ("item", "gone"),
    [
        ("id_number", ["/members/person/id_number"]),
        ("health", ["/members/health/"]),
        ("income", ["/income/", "/money/", "/five_lacks/no_money", "/coop/coop_dividend"]),
        ("photo", ["/photos/"]),
        ("signature", ["/closing/sign"]),
    ],
)
def test_sensitive_questions_need_their_own_consent(visit: Survey, item: str, gone: list[str]) -> None:
    others = [other for other in str(HOUSEHOLD["/consent_group/consent_items"]).split() if other != item]
    filled = visit(without(HOUSEHOLD, *gone) | {"/consent_group/consent_items": " ".join(others)})
    assert filled.ok, (filled.validation, filled.notes)
    assert [path for path in filled.asked if path.startswith(tuple(gone))] == []
    assert [path for path in visit.unchanged.asked if path.startswith(tuple(gone))] != []
    assert (filled.value("/income_total") == "") is (item == "income")


@pytest.mark.parametrize("items", ["none health", "none minors signature"])
def test_no_consent_stands_alone(visit: Survey, items: str) -> None:
    filled = visit({"/consent_group/consent_items": items})
    assert "CONSTRAINT_VIOLATED /consent_group/consent_items" in filled.notes


# --- location


@pytest.mark.parametrize(
    ("accuracy", "taken", "reason_asked"),
    [("4.8", True, False), ("30", True, False), ("30.1", False, False), ("250", False, False), ("0", True, True)],
)
def test_accuracy_at_the_door(visit: Survey, accuracy: str, taken: bool, reason_asked: bool) -> None:
    filled = visit({"/door_group/door": f"27.1 105.2 1200 {accuracy}"})
    assert ("CONSTRAINT_VIOLATED /door_group/door" not in filled.notes) is taken
    assert filled.was_asked("/door_group/door_by_hand") is reason_asked
    if reason_asked:
        assert filled.validation == "required /door_group/door_by_hand"
    elif not taken:
        assert "30米" in (filled.messages["/door_group/door"] or "")


# --- branches of the other sections

LAND = {"/land/transferred_out_mu": "0", "/land/idle_mu": "0"}


@pytest.mark.parametrize(
    ("changes", "asked", "not_asked"),
    [
        ({"/members/health/disability": "no"}, [], ["/members/health/disability_kind", "/members/health/self_care"]),
        (
            {"/members/person/birth_date": "1960-01-01", "/members/health/disability": "no"},
            ["/members/health/self_care"],
            [],
        ),
        (
            {"/housing/house_tenure": "none"},
            ["/housing/other_house"],
            ["/housing/structure", "/housing/house_safety", "/housing/house_danger", "/photos/photo_house",
             "/photos/photo_danger"],
        ),
        ({"/housing/house_tenure": "rented"}, ["/housing/floors"], ["/housing/build_year"]),
        ({"/housing/house_safety": "a"}, ["/photos/photo_house"], ["/housing/house_danger", "/photos/photo_danger"]),
        ({"/housing/house_danger": "none"}, ["/photos/photo_house"], ["/photos/photo_danger"]),
        ({"/income/income_kinds": "tourism"}, ["/income/income_tourism"], ["/income/income_wage"]),
        ({"/income/income_kinds": "none"}, ["/money/debt"], ["/income/income_wage", "/income/income_industry"]),
        ({"/money/debt": "no"}, [], ["/money/debt_amount"]),
        ({"/five_lacks/no_industry": "no", "/five_lacks/no_skill": "no"}, [], ["/aid/aid_now", "/aid/aid_wanted"]),
        (
            {"/land/contracted_mu": "0", "/land/forest_mu": "0"},
            ["/land/transferred_in_mu"],
            ["/land/transferred_out_mu", "/land/transferee", "/land/idle_mu", "/land/land_certificate"],
        ),
        (LAND, [], ["/land/transferee", "/land/rent_per_mu", "/land/idle_reason"]),
        (
            {"/coop/coop_member": "no"},
            ["/coop/coop_why_not"],
            ["/coop/coop_shares", "/coop/coop_dividend", "/coop/service_team"],
        ),
        ({"/coop/coop_member": "works"}, ["/coop/service_team"], ["/coop/coop_shares", "/coop/coop_why_not"]),
        ({"/coop/coop_share_kind": "cash"}, ["/coop/coop_shares"], ["/coop/coop_land_mu"]),
        (
            {"/merger/merger_stage": "none"},
            [],
            ["/merger/merger_informed", "/merger/merger_attitude", "/merger/merger_concerns", "/merger/merger_change"],
        ),
        ({"/merger/merger_stage": "planned"}, ["/merger/merger_attitude"], ["/merger/merger_change"]),
        ({"/merger/merger_informed": "no"}, ["/merger/merger_brief"], ["/merger/merger_channels"]),
        ({"/merger/merger_informed": "well"}, ["/merger/merger_channels"], ["/merger/merger_brief"]),
        ({"/merger/merger_concerns": "land"}, [], ["/merger/merger_concern_other"]),
        ({"/needs_group/needs": "none"}, [], ["/needs_group/need_detail", "/needs_group/need_urgency"]),
        ({"/closing/sign_kind": "declined"}, [], ["/closing/signature", "/closing/proxy_reason"]),
        ({"/closing/sign_kind": "proxy"}, ["/closing/signature", "/closing/proxy_reason"], []),
    ],
)  # fmt: skip
def test_nobody_is_asked_what_does_not_apply(
    visit: Survey, changes: Answers, asked: list[str], not_asked: list[str]
) -> None:
    check_asked(visit(changes), asked, not_asked)


BOUNDS = [
    ("/place/household_no", "0001", "27"),
    ("/contact_group/revisit_date", TODAY.isoformat(), (TODAY - timedelta(days=1)).isoformat()),
    ("/people/registered_count", "0", "51"),
    ("/people/minors_unlisted", "0", "21"),
    ("/people/contact_phone", "0857-8221234", "1380013800"),
    ("/members/person/member_name", "欧阳某某", "张"),
    ("/members/study_work/work_months", "12", "13"),
    ("/members/insurance_group/insurance", "none", "none commercial"),
    ("/members/health/health_state", "chronic serious", "healthy serious"),
    ("/housing/house_area", "2000", "2000.5"),
    ("/housing/build_year", str(TODAY.year), str(TODAY.year + 1)),
    ("/income/income_wage", "1", "0"),
    ("/income/income_kinds", "none", "none wage"),
    ("/aid/aid_wanted", "job loan care", "job loan care coop"),
    ("/land/transferred_out_mu", "14.25", "14.26"),
    ("/land/idle_mu", "4.25", "4.5"),
    ("/coop/coop_shares", "0.5", "0"),
    ("/merger/merger_concerns", "none", "none land"),
    ("/needs_group/needs", "road water job", "road water job house"),
    ("/land/contracted_mu", "9999", "-1"),
    ("/land/forest_mu", "0", "10000"),
]

OUT_OF_RANGE: Answers = {
    "/people/resident_count": "-1",
    "/housing/floors": "0",
    "/housing/house_danger": "none leak",
    "/housing/utilities": "none tv",
    "/income/income_industry": "0",
    "/income/income_property": "0",
    "/income/income_service": "0",
    "/income/income_resource": "0",
    "/income/income_tourism": "0",
    "/income/income_transfer": "10000000",
    "/income/income_other": "-5",
    "/money/burdens": "none medical",
    "/money/debt_amount": "0",
    "/aid/aid_now": "none job",
    "/land/rent_per_mu": "100000",
    "/land/transferred_in_mu": "-0.1",
    "/coop/coop_dividend": "-1",
    "/coop/coop_land_mu": "0",
    "/coop/service_team": "none forest",
}

# Constraints with tests of their own.
TRIED_ELSEWHERE = {
    "/place/household_tag", "/consent_group/consent_items", "/door_group/door", "/members/person/id_number",
    "/members/person/birth_date", "/five_lacks/no_housing",
}  # fmt: skip


@pytest.mark.parametrize(("path", "good", "bad"), BOUNDS)
def test_constraints_say_what_to_do(visit: Survey, path: str, good: str, bad: str) -> None:
    before: Answers = {"/contact_group/contact": "later"} if "revisit" in path else {}
    if "minors" in path:
        before["/consent_group/consent_items"] = "health income"
    check_constraint(visit, before, path, good, bad)


def test_values_out_of_range_are_refused(visit: Survey) -> None:
    kinds = "industry property service resource tourism wage transfer other"
    filled = visit(OUT_OF_RANGE | {"/income/income_kinds": kinds})
    assert {note for note in filled.notes if "VIOLATED" in note} == {f"CONSTRAINT_VIOLATED {p}" for p in OUT_OF_RANGE}


def test_every_constraint_is_tried(visit: Survey) -> None:
    assert visit.constrained == {path for path, _, _ in BOUNDS} | OUT_OF_RANGE.keys() | TRIED_ELSEWHERE


def test_no_house_is_a_lack_of_housing(visit: Survey) -> None:
    homeless = {"/housing/house_tenure": "none", "/housing/other_house": "no"}
    changes = without(HOUSEHOLD, "/housing", "/photos") | homeless
    assert visit(changes).validation == "required /five_lacks/no_housing"
    filled = visit(changes | {"/five_lacks/no_housing": "yes"})
    assert filled.ok, (filled.validation, filled.notes)
    assert filled.value("/five_lacks_count") == "3"


@pytest.mark.parametrize(
    ("lacks", "count"), [([], "0"), (["no_money"], "1"), (["no_industry", "no_skill", "no_money", "no_housing",
                                                          "no_breadwinner"], "5")]
)  # fmt: skip
def test_five_lacks(visit: Survey, lacks: list[str], count: str) -> None:
    answers: Answers = {path: "no" for path in HOUSEHOLD if path.startswith("/five_lacks/")}
    assert visit(answers | {f"/five_lacks/{name}": "yes" for name in lacks}).value("/five_lacks_count") == count


@pytest.mark.parametrize(
    ("amounts", "residents", "total", "each"),
    [
        ({"industry": 100, "property": 200, "service": 300, "resource": 400, "tourism": 500}, "3", "1500", "500"),
        ({"wage": 50000, "transfer": 1, "other": 2}, "4", "50003", "12501"),
        ({"wage": 10}, "0", "10", ""),
        ({}, "2", "0", "0"),
    ],
)
def test_income_is_added_up(visit: Survey, amounts: dict[str, int], residents: str, total: str, each: str) -> None:
    changes = without(HOUSEHOLD, "/income/") | {"/income/income_kinds": " ".join(amounts) or "none"}
    changes |= {f"/income/income_{kind}": str(yuan) for kind, yuan in amounts.items()}
    filled = visit(changes | {"/people/resident_count": residents})
    assert filled.ok, (filled.validation, filled.notes)
    assert (filled.value("/income_total"), filled.value("/income_per_head")) == (total, each)
