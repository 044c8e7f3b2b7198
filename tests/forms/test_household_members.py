"""The members of a household in the household visit: ID numbers, ages, children, school and work."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.forms.plans import HOUSEHOLD, Answers, without
from tests.forms.surveys import Survey, check_asked

TODAY = date.today()
PERSON = "/members/person"
GOOD_ID = "11010519491231002X"

# --- ID numbers

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def check_digit(digits: str) -> str:
    """Check character of GB 11643 for the first 17 digits."""
    return "10X98765432"[sum(int(d) * w for d, w in zip(digits, WEIGHTS, strict=True)) % 11]


def is_id_number(text: str) -> bool:
    """What the form has to accept: 18 characters, a real date of birth, the right check character."""
    if not re.fullmatch(r"[1-9][0-9]{16}[0-9Xx]", text) or text[6:8] not in ("18", "19", "20"):
        return False
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    return born <= TODAY and text[17].upper() == check_digit(text[:17])


def with_check(digits: str) -> str:
    return digits + check_digit(digits)


@pytest.mark.parametrize(
    ("number", "taken"),
    [
        (GOOD_ID, True),
        (GOOD_ID.lower(), True),
        (with_check("52059919800305123"), True),
        (with_check("52059920000229001"), True),  # leap day of a leap year
        (with_check("52059919000228001"), True),
        ("110105194912310021", False),  # wrong check digit
        ("110105194912310020", False),
        ("11010519491231003X", False),  # one digit off
        ("11010591231002", False),
        ("110105491231002", False),  # the old 15 digits
        ("1101051949123100", False),
        (GOOD_ID + "1", False),
        (with_check("01010519491231002"), False),  # no province begins with 0
        (with_check("52059919990229001"), False),  # leap day of a common year
        (with_check("52059919000229001"), False),  # 1900 was no leap year
        (with_check("52059919991301001"), False),
        (with_check("52059919990431001"), False),
        (with_check("52059920990101001"), False),  # not born yet
        ("1101051949123100ZX", False),
        ("１１０１０５１９４９１２３１００２X", False),
    ],
)
def test_id_number_of_gb_11643(visit: Survey, number: str, taken: bool) -> None:
    assert is_id_number(number) is taken
    filled = visit({f"{PERSON}/id_number": number, f"{PERSON}/birth_date": None, f"{PERSON}/sex": None})
    violated = f"CONSTRAINT_VIOLATED {PERSON}/id_number" in filled.notes
    assert violated is not taken
    assert filled.value(f"{PERSON}/id_number") == (number if taken else "")
    if violated:
        assert "18位" in (filled.messages[f"{PERSON}/id_number"] or "")


@st.composite
def nearly_id_numbers(draw: st.DrawFn) -> str:
    """ID numbers, right ones and ones with a character changed, lost, or two neighbours swapped."""
    born = draw(st.dates(date(1900, 1, 1), TODAY))
    number = with_check(f"{draw(st.integers(110000, 659999))}{born:%Y%m%d}{draw(st.integers(0, 999)):03}")
    at = draw(st.integers(0, 16))
    return draw(st.sampled_from([
        number,
        number.lower(),
        number[:at] + draw(st.sampled_from("0123456789X")) + number[at + 1 :],
        number[:at] + number[at + 1 :],
        number[:at] + number[at + 1] + number[at] + number[at + 2 :],
        number[:17] + draw(st.sampled_from("0123456789Xx")),
    ]))  # fmt: skip


@given(numbers=st.lists(nearly_id_numbers(), min_size=30, max_size=30))
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
def test_the_form_and_the_standard_agree_on_any_number(visit: Survey, numbers: list[str]) -> None:
    changes: Answers = {f"/members[{i}]/person/id_number": number for i, number in enumerate(numbers, 1)}
    filled = visit(without(HOUSEHOLD, "/members") | changes)
    kept = [filled.value(f"/members[{i}]/person/id_number") for i in range(1, 31)]
    assert kept == [number if is_id_number(number) else "" for number in numbers]


def test_birth_date_and_sex_come_from_the_id_number(visit: Survey) -> None:
    filled = visit({f"{PERSON}/id_number": GOOD_ID, f"{PERSON}/birth_date": None, f"{PERSON}/sex": None})
    assert filled.value(f"{PERSON}/birth_date") == "1949-12-31"
    assert filled.value(f"{PERSON}/sex") == "female"
    assert not filled.was_asked(f"{PERSON}/sex_check")


@pytest.mark.parametrize(
    ("number", "birth", "taken"),
    [
        (None, "1949-12-31", True),
        (GOOD_ID, "1949-12-31", True),
        (GOOD_ID, "1949-12-30", False),
        (None, TODAY.isoformat(), True),
        (None, (TODAY + timedelta(days=1)).isoformat(), False),
        (None, "1899-12-31", False),
    ],
)
def test_birth_date(visit: Survey, number: str | None, birth: str, taken: bool) -> None:
    filled = visit({f"{PERSON}/id_number": number, f"{PERSON}/birth_date": birth})
    assert (f"CONSTRAINT_VIOLATED {PERSON}/birth_date" not in filled.notes) is taken


@pytest.mark.parametrize(("sex", "warned"), [("female", False), ("male", True)])
def test_a_sex_that_disagrees_with_the_number_is_pointed_out(visit: Survey, sex: str, warned: bool) -> None:
    filled = visit({f"{PERSON}/id_number": GOOD_ID, f"{PERSON}/birth_date": None, f"{PERSON}/sex": sex})
    assert filled.was_asked(f"{PERSON}/sex_check") is warned


# --- members


def born(years: int, days: int = 0) -> str:
    """Birth date of somebody whose birthday of so many years is so many days ahead."""
    day = TODAY + timedelta(days=days)
    return day.replace(year=day.year - years, day=min(day.day, 28)).isoformat()


def member(number: int, relation: str, years: int, **answers: str) -> Answers:
    """A member of the household without separate consents."""
    path = f"/members[{number}]"
    facts = {
        "person/member_name": f"成员{number}", "person/relation": relation, "person/birth_date": born(years),
        "person/sex": "male", "insurance_group/insurance": "none",
    } | answers  # fmt: skip
    if years >= 6:
        facts = {"study_work/education": "primary"} | facts
    if years >= 16:
        facts = {"study_work/skilled": "yes"} | facts
    return {f"{path}/{name}": text for name, text in facts.items()}


NO_HEALTH = {"/consent_group/consent_items": "income minors photo signature"}


def household(*members: Answers) -> Answers:
    changes = without(HOUSEHOLD, "/members") | NO_HEALTH | {"/people/list_members": "yes" if members else "no"}
    for answers in members:
        changes |= answers
    return changes


FARMER = {"study_work/work_status": "farming"}
PUPIL = {"study_work/at_school": "yes"}
DRIVER = {
    "study_work/work_status": "away", "study_work/work_place": "county", "study_work/work_months": "6",
    "study_work/work_trade": "transport",
}  # fmt: skip


@pytest.mark.parametrize(
    ("members", "counts"),
    [
        ([], (0, 0, 0, 0, 0)),
        ([member(1, "head", 45, **FARMER)], (1, 1, 0, 0, 0)),
        (
            [
                member(1, "head", 70, **{"study_work/work_status": "retired"}),
                member(2, "son", 40, **DRIVER),
                member(3, "daughter_in_law", 38, **FARMER),
                member(4, "grandchild", 12, **PUPIL),
                member(5, "grandchild", 3),
            ],
            (5, 2, 1, 2, 1),
        ),
    ],
    ids=["nobody listed", "one", "three generations"],
)
def test_members_are_counted(visit: Survey, members: list[Answers], counts: tuple[int, ...]) -> None:
    filled = visit(household(*members))
    assert filled.ok, (filled.validation, filled.notes)
    totals = ("member_total", "worker_total", "away_total", "minor_total", "elder_total")
    assert tuple(int(filled.value(f"/{name}") or -1) for name in totals) == counts
    assert filled.value("/disabled_total") == "0"
    assert filled.was_asked("/people_check/people_summary") is bool(members)


@pytest.mark.parametrize(
    ("relations", "warned"),
    [(["head"], False), (["spouse"], True), (["head", "head"], True), (["head", "spouse"], False)],
)
def test_one_head_to_a_household(visit: Survey, relations: list[str], warned: bool) -> None:
    filled = visit(household(*(member(i, kind, 50, **FARMER) for i, kind in enumerate(relations, 1))))
    assert filled.was_asked("/people_check/head_check") is warned


@pytest.mark.parametrize(("registered", "warned"), [("1", False), ("2", True)])
def test_members_left_out_are_pointed_out(visit: Survey, registered: str, warned: bool) -> None:
    filled = visit({"/people/registered_count": registered})
    assert filled.was_asked("/people_check/fewer_check") is warned


@pytest.mark.parametrize(("birth", "age"), [(born(14, -1), "14"), (born(14, 40), "13"), (born(0), "0")])
def test_age(visit: Survey, birth: str, age: str) -> None:
    filled = visit(household(member(1, "son", 3, **{"person/birth_date": birth})))
    assert filled.value(f"{PERSON}/age") == age


@pytest.mark.parametrize(
    ("years", "consent", "blocked"), [(13, False, True), (13, True, False), (14, False, False), (40, False, False)]
)
def test_children_are_listed_only_with_their_guardians_consent(
    visit: Survey, years: int, consent: bool, blocked: bool
) -> None:
    work = PUPIL if years < 20 else FARMER
    changes = household(member(1, "head", years, **work))
    changes["/consent_group/consent_items"] = "income photo signature" + (" minors" if consent else "")
    changes["/people/minors_unlisted"] = None if consent else "2"
    filled = visit(changes)
    assert filled.was_asked(f"{PERSON}/minor_block") is blocked
    assert filled.validation == (f"required {PERSON}/minor_block" if blocked else "ok"), filled.notes
    assert filled.value("/minor_total") == str((years < 18) + (0 if consent else 2))


@pytest.mark.parametrize(
    ("years", "answers", "asked", "not_asked"),
    [
        (3, {}, [], ["education", "at_school", "work_status", "skilled"]),
        (6, PUPIL, ["education", "at_school"], ["work_status", "skilled"]),
        (17, PUPIL, ["at_school", "skilled"], ["work_status"]),
        (20, {"study_work/at_school": "no"} | FARMER, ["work_status"], ["work_place", "work_months", "work_trade"]),
        (40, {"study_work/work_status": "local_job"}, ["work_trade"], ["at_school", "work_place", "work_months"]),
        (
            40,
            {"study_work/work_status": "away", "study_work/work_place": "county"},
            ["work_place", "work_months", "work_trade"],
            ["work_area"],
        ),
        (40, {"study_work/work_status": "away", "study_work/work_place": "city"}, ["work_area"], []),
    ],
)
def test_school_and_work(
    visit: Survey, years: int, answers: dict[str, str], asked: list[str], not_asked: list[str]
) -> None:
    filled = visit(household(member(1, "head", years, **answers)))
    group = "/members/study_work/"
    check_asked(filled, [group + name for name in asked], [group + name for name in not_asked])


@pytest.mark.parametrize(("sex", "offered"), [("male", False), ("female", True)])
def test_pregnancy_is_offered_to_women_only(visit: Survey, sex: str, offered: bool) -> None:
    filled = visit({f"{PERSON}/sex": sex}, inspect=["/members/health/health_state"])
    assert ("pregnant" in filled.choices("/members/health/health_state")) is offered


def test_ages_are_those_of_the_day_of_the_visit(visit: Survey) -> None:
    last_year = visit.unchanged.xml.replace(f"<today>{TODAY.isoformat()}".encode(), b"<today>2000-03-04")
    filled = visit.engine.fill(visit.form.xform, {}, visit.folder, edit=last_year)
    assert filled.value(f"{PERSON}/age") == "19"
