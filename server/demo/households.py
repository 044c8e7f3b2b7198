"""380 household visits in three villages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

from server.demo import homes
from server.demo.people import family, member, totals
from server.demo.pictures import landscape, signature
from server.demo.records import Record, Visit, begin, visits
from server.demo.township import TOWNSHIP, VILLAGES, Village, number, phone, place, point

FORM = "household_visit"
_PER_VILLAGE = (140, 125, 115)
_KINDS = ("general", "out_of_poverty", "monitor_unstable", "monitor_edge", "allowance", "destitute")
_KIND_WEIGHTS = (66, 20, 3, 4, 5, 2)
_CONTACTS = ("interviewed", "nobody", "later", "away", "moved", "vacant")
_CONTACT_WEIGHTS = (88, 4, 2, 4, 1, 1)
_REFUSALS = ("no_time", "privacy", "repeated", "no_reason")
_CONSENTS = ("id_number", "health", "income", "minors", "photo", "signature")

_NEEDS = {
    "road": ("入户路还有一百多米没有硬化，雨天车进不来", "通组路弯急坡陡，希望装护栏"),
    "water": ("枯水季节饮水不够，要去山泉挑", "蓄水池漏水，请村里修一修"),
    "industry": ("想扩种茶叶，缺技术和苗子", "想养黄牛，希望有人教防疫"),
    "job": ("家里劳力想在附近找活干", "希望村里组织技能培训"),
    "medical": ("老人慢病拿药要跑镇上，盼村卫生室有药", "大病报销的手续不清楚"),
    "house": ("老房子屋面漏雨，想申请修缮", "房子在滑坡点下面，担心雨季"),
    "school": ("孩子上初中离家远，住宿费压力大",),
    "power": ("电压不稳，打米机带不动", "屋后信号差，打电话要到坡上"),
    "elder": ("老人独自在家，希望有人照看",),
    "environment": ("垃圾池太远，河边有人乱倒",),
    "policy": ("想了解低保怎么申请",),
}
_SUGGESTIONS = (
    "原来的办事点留下来，老人跑不远",
    "集体的茶山收益要分清楚，不能混在一起",
    "合并以后路灯和垃圾清运要一样管",
    "新村的干部要多来我们组走走",
)


def records(last_day: date) -> Iterator[Record]:
    """The visits of the month before `last_day`; each village has its own enumerator."""
    for index, village in enumerate(VILLAGES):
        rng = Random(f"households-{village.code}")  # noqa: S311 - a demonstration, no secret
        for visit in visits(rng, last_day, _PER_VILLAGE[index], (14, 34)):
            yield _record(index, village, visit, last_day)


def _record(enumerator: int, village: Village, visit: Visit, last_day: date) -> Record:
    household = f"{visit.number:04d}"
    record = begin(FORM, enumerator, visit, f"{village.code}{household}")
    rng = Random(f"{FORM}-{village.code}-{household}")  # noqa: S311 - a demonstration, no secret
    group = 1 + visit.number * village.groups // (_PER_VILLAGE[enumerator] + 1)
    answers = record.answers
    answers |= {
        "/place/township": TOWNSHIP,
        "/place/village": village.code,
        "/place/village_group": f"{group}组",
        "/place/household_no": household,
        "/place/household_kind": rng.choices(_KINDS, _KIND_WEIGHTS)[0],
        "/village_name": village.name,
        "/household_code": f"{village.code}{household}",
        "/meta/instanceName": f"{village.name} {household} {visit.day}",
    }
    contact = rng.choices(_CONTACTS, _CONTACT_WEIGHTS)[0]
    answers["/contact_group/contact"] = contact
    if contact == "interviewed" and rng.random() < 0.97:
        answers["/consent_group/consent"] = "yes"
        answers["/outcome"] = "completed"
        _interview(rng, record, village, group, last_day)
    elif contact == "interviewed":
        answers |= {"/consent_group/consent": "no", "/consent_group/refusal_reason": rng.choice(_REFUSALS)}
        answers["/outcome"] = "refused"
    else:
        _nobody(rng, answers, contact, visit)
    for path, count in totals([], 0).items():
        answers.setdefault(path, count)
    return record


def _nobody(rng: Random, answers: dict[str, Any], contact: str, visit: Visit) -> None:
    answers["/outcome"] = contact
    if contact in {"nobody", "later"}:
        answers["/contact_group/revisit_date"] = (visit.day + timedelta(days=rng.randint(3, 10))).isoformat()
    if contact == "away":
        answers["/contact_group/away_place"] = rng.choices(("province", "outside"), (3, 7))[0]
    if contact == "nobody":
        answers["/contact_group/contact_note"] = "门锁着，邻居说下地去了，晚上再来"


def _interview(rng: Random, record: Record, village: Village, group: int, last_day: date) -> None:
    answers, files = record.answers, record.files
    # Agreement to each sensitive item is asked for separately; most people agree to most.
    agreed = {item for item in _CONSENTS if rng.random() < 0.93}
    answers["/consent_group/consent_items"] = " ".join(item for item in _CONSENTS if item in agreed) or "none"
    people = family(rng, last_day)
    listed = [one for one in people if one.age >= 14 or "minors" in agreed]
    unlisted = len(people) - len(listed)
    latitude, longitude, altitude = place(rng, village, group)
    answers |= {
        "/door_group/door": point(latitude, longitude, altitude, rng.choice((3.2, 4.1, 5.0, 6.4, 8.8, 9.6))),
        "/people/registered_count": str(len(people)),
        "/people/list_members": "yes",
    }
    if "minors" not in agreed:
        answers["/people/minors_unlisted"] = str(unlisted)
    if rng.random() < 0.6:
        answers["/people/contact_phone"] = phone(rng)
    members = [member(rng, one, agreed) for one in listed]
    away = sum(one.get("/members/study_work/work_status") == "away" for one in members)
    residents = max(1, len(people) - away)
    answers |= {"/members": members, "/people/resident_count": str(residents)} | totals(members, unlisted)
    housing = homes.housing(rng)
    answers |= housing
    if "income" in agreed:
        answers |= homes.income(rng, members, residents)
    answers |= homes.five_lacks(rng, answers, "income" in agreed)
    answers |= homes.land(rng) | homes.coop(rng, "income" in agreed) | _merger(rng) | _needs(rng)
    if "photo" in agreed:
        _photos(rng, answers, files)
    if "signature" in agreed:
        answers |= {"/closing/sign_kind": "self", "/closing/signature": "signature.png"}
        files["signature.png"] = signature(rng.randrange(40))


def _merger(rng: Random) -> dict[str, str]:
    part = "/merger"
    informed = rng.choices(("well", "partly", "no"), (40, 45, 15))[0]
    answers = {
        f"{part}/merger_stage": "planned",
        f"{part}/merger_informed": informed,
        f"{part}/merger_attitude": rng.choices(("support", "accept", "neutral", "against"), (38, 34, 20, 8))[0],
        f"{part}/merger_concerns": rng.choices(
            ("none", "assets", "distance", "assets debt", "land", "cadre distance", "name"), (35, 18, 16, 9, 9, 8, 5)
        )[0],
    }
    if informed != "no":
        answers[f"{part}/merger_channels"] = rng.choice(("meeting", "visit", "meeting notice", "neighbour", "phone"))
    if rng.random() < 0.2:
        answers[f"{part}/merger_suggestion"] = rng.choice(_SUGGESTIONS)
    return answers


def _needs(rng: Random) -> dict[str, str]:
    part = "/needs_group"
    answers = {f"{part}/needs": "none"}
    if rng.random() < 0.72:
        chosen = rng.sample(sorted(_NEEDS), rng.choice((1, 1, 2)))
        answers[f"{part}/needs"] = " ".join(chosen)
        answers[f"{part}/need_detail"] = "；".join(rng.choice(_NEEDS[need]) for need in chosen)
        answers[f"{part}/need_urgency"] = rng.choices(("now", "month", "year"), (10, 30, 60))[0]
    if rng.random() < 0.85:
        answers[f"{part}/satisfaction"] = number(rng.choices((2, 3, 4, 5), (4, 16, 45, 35))[0])
    return answers


def _photos(rng: Random, answers: dict[str, Any], files: dict[str, bytes]) -> None:
    answers["/photos/photo_house"] = "house.png"
    files["house.png"] = landscape(rng.randrange(24))
    if answers.get("/housing/house_danger", "none") != "none":
        answers["/photos/photo_danger"] = "danger.png"
        files["danger.png"] = landscape(24 + rng.randrange(6))
