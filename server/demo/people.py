"""Families of the demonstration: who lives in a household, and the answers about each of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from server.demo.records import DAYS
from server.demo.township import birth_date, female_name, id_number, male_name, surname

_EDUCATION = ((6, "primary"), (12, "junior"), (15, "senior"), (18, "college"))
_AREAS = ("浙江义乌", "广东东莞", "福建晋江", "江苏昆山", "广东佛山", "浙江温州")
_TRADES = ("building", "manufacturing", "catering", "transport", "domestic", "retail")


@dataclass(frozen=True, slots=True)
class Person:
    """A member of a household."""

    name: str
    relation: str
    male: bool
    age: int
    born: date


def family(rng: Random, last_day: date) -> list[Person]:
    """A household: the head first."""
    first = last_day - timedelta(days=DAYS + 1)
    # A day later than the last: whoever opens a record on the day after loading sees the same ages.
    last = last_day + timedelta(days=2)
    house, other = surname(rng), surname(rng)
    members: list[Person] = []

    def add(relation: str, male: bool, age: int, name: str) -> None:
        name = (male_name if male else female_name)(rng, name)
        members.append(Person(name, relation, male, age, birth_date(rng, age, first, last)))

    head_age = min(86, max(24, round(rng.gauss(52, 13))))
    head_male = rng.random() < 0.84
    add("head", head_male, head_age, house)
    couple = rng.random() < (0.82 if head_age < 72 else 0.5)
    if couple:
        add("spouse", not head_male, max(22, head_age - rng.randint(-2, 5)), other)
    children = rng.choices((0, 1, 2, 3), (15, 30, 40, 15))[0] if couple and head_age < 75 else 0
    for order in range(children):
        age = head_age - rng.randint(22, 27) - 3 * order
        if 0 <= age <= 34 or (age > 34 and rng.random() < 0.3):
            male = rng.random() < 0.53
            add("son" if male else "daughter", male, age, house)
    grown = [child for child in members if child.relation == "son" and child.age >= 24]
    if grown and rng.random() < 0.55:
        add("daughter_in_law", False, max(21, grown[0].age - 1), surname(rng))
        for _ in range(rng.randint(0, 2)):
            add("grandchild", rng.random() < 0.5, rng.randint(0, max(0, grown[0].age - 23)), house)
    if head_age < 58 and rng.random() < 0.35:
        add("parent", False, min(92, head_age + rng.randint(21, 27)), surname(rng))
    return members


def member(rng: Random, person: Person, agreed: set[str]) -> dict[str, str]:
    """The answers about one person; `agreed` holds what the household consented to."""
    answers = {
        "/members/person/member_name": person.name,
        "/members/person/relation": person.relation,
        "/members/person/birth_date": person.born.isoformat(),
        "/members/person/sex": "male" if person.male else "female",
        "/members/person/age": str(person.age),
        "/members/insurance_group/insurance": _insurance(rng, person.age),
    }
    if "id_number" in agreed and rng.random() < 0.9:
        answers["/members/person/id_number"] = id_number(rng, person.born, person.male)
    if person.age >= 6:
        answers |= _study_and_work(rng, person)
    if "health" in agreed:
        answers |= _health(rng, person)
    return answers


def _study_and_work(rng: Random, person: Person) -> dict[str, str]:
    part = "/members/study_work"
    at_school = person.age < 16 or (person.age <= 22 and rng.random() < 0.55)
    answers = {f"{part}/education": _education(rng, person.age)}
    if person.age <= 30:
        answers[f"{part}/at_school"] = "yes" if at_school else "no"
    if person.age < 16:
        return answers
    answers[f"{part}/skilled"] = "yes" if person.age < 60 and rng.random() < 0.22 else "no"
    if at_school:
        return answers
    status = _work(rng, person)
    answers[f"{part}/work_status"] = status
    if status == "away":
        where = rng.choices(("county", "city", "province", "outside"), (15, 15, 20, 50))[0]
        answers[f"{part}/work_place"] = where
        answers[f"{part}/work_months"] = str(rng.randint(5, 11))
        if where == "outside":
            answers[f"{part}/work_area"] = rng.choice(_AREAS)
    if status in {"away", "local_job"}:
        answers[f"{part}/work_trade"] = rng.choice(_TRADES)
    return answers


def _education(rng: Random, age: int) -> str:
    if age < 22:
        return next((level for limit, level in _EDUCATION if age <= limit), "bachelor")
    weights = (3, 25, 50, 14, 8) if age < 50 else (22, 55, 20, 3, 0)
    return rng.choices(("none", "primary", "junior", "senior", "college"), weights)[0]


def _work(rng: Random, person: Person) -> str:
    if person.age >= 66:
        return rng.choices(("retired", "farming"), (70, 30))[0]
    if person.age >= 50:
        return rng.choices(("farming", "local_job", "away", "housework"), (60, 12, 18, 10))[0]
    kinds = ("away", "farming", "local_job", "business", "housework", "unemployed")
    return rng.choices(kinds, (48, 16, 16, 6, 10 if not person.male else 0, 4))[0]


def _insurance(rng: Random, age: int) -> str:
    if age >= 16 and rng.random() < 0.82:
        return "resident_medical resident_pension"
    return "resident_medical"


def _health(rng: Random, person: Person) -> dict[str, str]:
    part = "/members/health"
    ill = rng.random() < (0.42 if person.age >= 60 else 0.06)
    disabled = rng.random() < (0.08 if person.age >= 50 else 0.02)
    answers = {
        f"{part}/health_state": rng.choices(("chronic", "serious"), (9, 1))[0] if ill else "healthy",
        f"{part}/disability": "yes" if disabled else "no",
    }
    if disabled:
        answers[f"{part}/disability_kind"] = rng.choice(("limb", "vision", "hearing"))
        answers[f"{part}/disability_level"] = rng.choice(("2", "3", "4"))
    if disabled or person.age >= 60:
        answers[f"{part}/self_care"] = rng.choices(("full", "partly", "no"), (86, 11, 3))[0]
    return answers


def totals(members: list[dict[str, str]], unlisted_minors: int) -> dict[str, Any]:
    """The form's calculated counts over the members listed."""
    statuses = [one.get("/members/study_work/work_status") for one in members]
    ages = [int(one["/members/person/age"]) for one in members]
    counts = {
        "/member_total": len(members),
        "/worker_total": sum(status in {"away", "local_job", "farming", "business"} for status in statuses),
        "/away_total": statuses.count("away"),
        "/minor_total": sum(age < 18 for age in ages) + unlisted_minors,
        "/elder_total": sum(age >= 60 for age in ages),
        "/disabled_total": sum(one.get("/members/health/disability") == "yes" for one in members),
        "/head_total": sum(one["/members/person/relation"] == "head" for one in members),
    }
    return {path: str(count) for path, count in counts.items()}
