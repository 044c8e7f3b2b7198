"""60 rounds of the police meetings 警务两会."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

from server.demo.cases import CASES, OBSTACLES, PACKAGES, QUESTIONS
from server.demo.pictures import landscape, signature
from server.demo.records import Record, Visit, begin, stamp, visits
from server.demo.township import (
    POLICEMAN,
    TOWNSHIP,
    VILLAGES,
    age_on,
    birth_date,
    female_name,
    id_number,
    male_name,
    phone,
    place,
    point,
    surname,
)

FORM = "mediation_log"
_TOTAL = 60
_HOSTS = ("龙启明", "石文忠", "罗国华", "陈正平")
_LAND = {"homestead", "land", "expropriation"}
_MONEY = {"damages", "contract", "expropriation", "labour", "traffic", "medical", "property"}
_HURT = {"damages", "traffic", "medical"}


def records(last_day: date) -> Iterator[Record]:
    """The meetings of the month before `last_day`."""
    rng = Random("mediations")  # noqa: S311 - a demonstration, no secret
    for visit in visits(rng, last_day, _TOTAL, (50, 130)):
        yield _record(visit, last_day)


def _record(visit: Visit, last_day: date) -> Record:
    record = begin(FORM, POLICEMAN, visit, f"{visit.number:03d}")
    rng = Random(f"{FORM}-{visit.number}")  # noqa: S311 - a demonstration, no secret
    village = VILLAGES[visit.number % len(VILLAGES)]
    kind = rng.choices(("council", "joint"), (75, 25))[0]
    answers, files = record.answers, record.files
    latitude, longitude, altitude = place(rng, village, 1, 40)
    police, cadres, villagers, others = rng.randint(1, 4), rng.randint(2, 6), rng.randint(8, 46), rng.randint(0, 5)
    attendance = police + cadres + villagers + others
    answers |= {
        "/meeting/kind": kind,
        "/meeting/started_at": stamp(visit.began),
        "/meeting/meeting_date": visit.day.isoformat(),
        "/meeting/minutes": str(max(5, visit.minutes - 15)),
        "/meeting/township": TOWNSHIP,
        "/meeting/village": village.code,
        "/meeting/village_name": village.name,
        "/meeting/place_kind": rng.choices(("village_office", "police_room", "yard"), (55, 15, 30))[0],
        "/meeting/place": point(latitude, longitude, altitude, rng.choice((3.9, 5.2, 7.7, 12.0))),
        "/meeting/host": rng.choice(_HOSTS),
        "/meeting/police": "王建军" if police == 1 else "王建军、周浩",
        "/meeting/police_count": str(police),
        "/meeting/cadre_count": str(cadres),
        "/meeting/villager_count": str(villagers),
        "/meeting/other_count": str(others),
        "/meeting/attendance": str(attendance),
        "/meeting/women_count": str(rng.randint(attendance // 5, attendance // 2)),
        "/meeting/topics": rng.choice(
            ("矛盾纠纷排查\n防电信诈骗宣传", "冬季森林防火\n矛盾纠纷排查", "酒驾醉驾警示\n村规民约")
        ),
        "/meeting/meeting_photo": "meeting.png",
        "/summary/signature": "signature.png",
        "/meta/instanceName": f"{visit.day} {village.name} {'警民议事会' if kind == 'council' else '警务联席会'}",
    }
    files |= {"meeting.png": landscape(rng.randrange(24)), "signature.png": signature(POLICEMAN)}
    if kind == "joint":
        answers["/meeting/units_present"] = rng.choice(("police justice village", "police government justice land"))
    disputes = [
        _dispute(rng, record, number, visit, last_day) for number in range(1, rng.choice((0, 1, 1, 2, 2, 3)) + 1)
    ]
    questions = [_question(rng, visit) for _number in range(rng.choice((0, 1, 1, 2)))]
    packages = [_package(rng, visit) for _number in range(rng.choice((0, 0, 1, 1, 2)))]
    for name, rows in (("disputes", disputes), ("questions", questions), ("packages", packages)):
        answers[f"/has_{name}"] = "yes" if rows else "no"
        answers[f"/{name}"] = rows
    answers |= _summary(disputes, questions, packages)
    return record


def _dispute(rng: Random, record: Record, order: int, visit: Visit, last_day: date) -> dict[str, str]:
    case = rng.choice(CASES)
    category = case.category
    consent = rng.random() < 0.8
    people = rng.choices((2, 3, 4, 7), (60, 20, 14, 6))[0]
    told = rng.random() < 0.95
    answers = {
        "dispute_no": str(order),
        "category": category,
        "source": rng.choices(("application", "initiative"), (65, 35))[0],
        "rights_notice": "yes" if told else "no",
        "consent": "yes" if consent else "no",
        "people_involved": str(people),
        "facts": case.facts,
        "measures": rng.choice(
            ("joint_talk law", "separate_talk relatives law", "site_visit joint_talk", "law departments")
        ),
        "risk": rng.choices(("low", "medium", "high"), (62, 30, 8))[0],
    }
    answers |= {**case.details, **_by_category(rng, category, visit)}
    answers |= _party(rng, "a", consent, last_day) | _party(rng, "b", consent, last_day)
    if answers["risk"] == "high":
        answers |= {"risk_reason": "双方多次争吵，扬言要动手", "risk_reported_to": "government"}
    result = rng.choices(("mediated", "ongoing", "referred"), (66, 24, 10))[0] if told else "ongoing"
    answers["result"] = result
    if result == "mediated":
        answers |= _agreement(rng, record, order, visit, last_day, case.agreement)
    elif result == "ongoing":
        answers |= {"obstacle": rng.choice(OBSTACLES), "next_date": _later(visit, rng.randint(5, 15))}
    else:
        answers |= {"referred_to": case.body, "referred_on": visit.day.isoformat(), "closed": "no"}
    return {f"/disputes/{name}": value for name, value in answers.items()}


def _by_category(rng: Random, category: str, visit: Visit) -> dict[str, str]:
    answers = {}
    if category in _LAND:
        village = VILLAGES[visit.number % len(VILLAGES)]
        latitude, longitude, altitude = place(rng, village, rng.randint(1, village.groups), 160)
        answers["land_mu"] = str(round(rng.uniform(0.1, 3), 2))
        answers["land_place"] = point(latitude, longitude, altitude, rng.choice((4.4, 6.1, 9.3)))
        answers["land_papers"] = rng.choice(("none", "contract", "registration contract", "agreement"))
    if category in _MONEY:
        answers["amount"] = str(rng.randrange(800, 60_000, 100))
    if category in _HURT:
        answers["injury"] = rng.choices(("none", "injured"), (6, 4))[0]
    if category in {"contract", "labour"}:
        answers["written_contract"] = rng.choice(("yes", "no"))
    return answers


def _party(rng: Random, side: str, consent: bool, last_day: date) -> dict[str, str]:
    part = f"party_{side}/{side}"
    if side == "b" and rng.random() < 0.1:
        return {
            f"{part}_kind": "organisation",
            f"{part}_name": rng.choice(("云岭砂石有限公司", "石板村股份经济合作社")),
        }
    male = rng.random() < 0.65
    born = birth_date(rng, rng.randint(25, 74), last_day - timedelta(days=40), last_day)
    answers = {f"{part}_kind": "person", f"{part}_name": (male_name if male else female_name)(rng, surname(rng))}
    if consent and age_on(born, last_day) >= 18:
        answers |= {f"{part}_id_number": id_number(rng, born, male), f"{part}_phone": phone(rng)}
    return answers


def _agreement(rng: Random, record: Record, order: int, visit: Visit, last_day: date, words: str) -> dict[str, str]:
    day = visit.day.isoformat()
    written = rng.random() < 0.6
    performance = rng.choices(("done", "pending"), (65, 35))[0]
    answers = {
        "agreement_form": "written" if written else "oral",
        "agreed_on": day,
        "performance": performance,
        "followup_date": max(visit.day + timedelta(days=15), last_day + timedelta(days=3)).isoformat(),
    }
    if written:
        file = f"agreement-{order}.png"
        record.files[file] = landscape(30 + rng.randrange(4))
        answers |= {"agreement_photo": file, "judicial_confirmation": rng.choices(("no", "yes"), (8, 2))[0]}
    else:
        answers["oral_entry"] = words
    if performance == "done":
        answers |= {"closed": "yes", "closed_on": day}
    else:
        answers["performance_due"] = _later(visit, rng.randint(10, 40))
    return answers


def _question(rng: Random, visit: Visit) -> dict[str, str]:
    asked = rng.choice(QUESTIONS)
    answers = {"question_topic": asked.topic, "question": asked.question}
    if rng.random() < 0.8:
        answers |= {"answer_state": "on_the_spot", "answer": asked.answer}
    else:
        answers |= {"answer_state": "later", "answer_by": asked.body, "answer_due": _later(visit, 10)}
    return {f"/questions/{name}": value for name, value in answers.items()}


def _package(rng: Random, visit: Visit) -> dict[str, str]:
    content, body = rng.choice(PACKAGES)
    state = rng.choices(("pushed", "accepted", "in_progress"), (50, 25, 25))[0]
    due = _later(visit, rng.choice((15, 30, 60)))
    answers = {"content": content, "receiving_body": body, "due_date": due, "package_state": state}
    return {f"/packages/{name}": value for name, value in answers.items()}


def _later(visit: Visit, days: int) -> str:
    return (visit.day + timedelta(days=days)).isoformat()


def _summary(disputes: list[Any], questions: list[Any], packages: list[Any]) -> dict[str, str]:
    def count(name: str, value: str) -> int:
        return sum(one.get(f"/disputes/{name}") == value for one in disputes)

    counts = {
        "dispute_count": len(disputes),
        "mediated_count": count("result", "mediated"),
        "ongoing_count": count("result", "ongoing"),
        "referred_count": count("result", "referred"),
        "high_risk_count": count("risk", "high"),
        "closed_count": count("closed", "yes"),
        "question_count": len(questions),
        "package_count": len(packages),
    }
    return {f"/summary/{name}": str(value) for name, value in counts.items()}
