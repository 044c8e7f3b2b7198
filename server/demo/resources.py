"""60 assets and parcels of the villages' collectives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any

from server.demo.parcels import Corners, area_m2, length_m, parcel, path, shape_text
from server.demo.pictures import landscape, signature
from server.demo.records import Record, Visit, begin, visits
from server.demo.township import SURVEYOR, TOWNSHIP, VILLAGES, Village, number, phone, place, point

FORM = "resource_survey"
_TOTAL = 60
_SQUARE_METRES_PER_MU = 666.6667  # the figure in the form


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of asset: name, class, how often, how it is drawn, its size (亩 or metres), further answers."""

    name: str
    asset_class: str
    weight: int
    drawn: str
    size: tuple[float, float] = (1, 1)
    answers: Mapping[str, str] = field(default_factory=dict)


def _land(first: str, second: str, **more: str) -> dict[str, str]:
    return {f"/land/{name}": value for name, value in {"land_class1": first, "land_class2": second, **more}.items()}


_KINDS = (
    Kind("茶园", "resource", 10, "shape", (4, 45), _land("02", "0202")),
    Kind("坡耕地", "resource", 9, "shape", (2, 18), _land("01", "0103", basic_farmland="no")),
    Kind("水田", "resource", 6, "shape", (1.5, 10), _land("01", "0101", basic_farmland="yes")),
    Kind("杉木林", "resource", 8, "shape", (20, 120), _land("03", "0301", four_wastes="no", forest_kind="timber")),
    Kind("荒坡", "resource", 4, "shape", (6, 40), _land("04", "0404", four_wastes="hill")),
    Kind("山塘", "resource", 4, "shape", (1, 7), _land("11", "1104", four_wastes="no", water_depth="2.5")),
    Kind("机耕路", "resource", 3, "trace", (300, 900), _land("10", "1006")),
    Kind("茶叶加工房", "operating", 5, "point", answers={
        "/operating/op_kind": "building", "/operating/op_floor_area": "320", "/operating/op_floors": "1",
        "/operating/op_quantity": "1", "/operating/op_unit": "building", "/operating/op_condition": "good"}),
    Kind("冷库", "operating", 3, "point", answers={
        "/operating/op_kind": "facility", "/operating/op_facility": "cold", "/operating/op_quantity": "1",
        "/operating/op_unit": "place", "/operating/op_condition": "good"}),
    Kind("旋耕机", "operating", 2, "point", answers={
        "/operating/op_kind": "machinery", "/operating/op_model": "1WG-4型", "/operating/op_quantity": "3",
        "/operating/op_unit": "set", "/operating/op_condition": "repair"}),
    Kind("原村小学", "non_operating", 3, "point", answers={
        "/non_operating/non_kind": "school", "/non_operating/non_floor_area": "460",
        "/non_operating/non_in_service": "no", "/non_operating/non_now": "empty", "/non_operating/non_quantity": "1",
        "/non_operating/non_unit": "place", "/non_operating/non_year": "1996",
        "/non_operating/non_condition": "repair"}),
    Kind("文化广场", "non_operating", 3, "point", answers={
        "/non_operating/non_kind": "culture", "/non_operating/non_floor_area": "180",
        "/non_operating/non_in_service": "yes", "/non_operating/non_quantity": "1", "/non_operating/non_unit": "place",
        "/non_operating/non_year": "2015", "/non_operating/non_condition": "good"}),
)  # fmt: skip

_PLACES = ("湾里", "大坡", "老鹰岩", "水井边", "烂坝子", "马鞍山", "新寨", "河边", "垭口", "大石板")
_NEIGHBOURS = ("机耕路", "小河", "山脊", "三组承包地", "公路边沟", "杉木林", "老水沟", "五组承包地")
_LESSEES = {"company": "云岭茶业有限公司", "coop": "大坪村种植专业合作社"}


def records(last_day: date) -> Iterator[Record]:
    """The assets surveyed in the month before `last_day`."""
    rng = Random("resources")  # noqa: S311 - a demonstration, no secret
    for visit in visits(rng, last_day, _TOTAL, (18, 45)):
        yield _record(visit)


def _record(visit: Visit) -> Record:
    record = begin(FORM, SURVEYOR, visit, f"{visit.number:03d}")
    rng = Random(f"{FORM}-{visit.number}")  # noqa: S311 - a demonstration, no secret
    village = VILLAGES[visit.number % len(VILLAGES)]
    kind = rng.choices(_KINDS, [one.weight for one in _KINDS])[0]
    group = rng.randint(1, village.groups)
    asset_no = f"{village.short}-{visit.day.year}-{visit.number:04d}"
    record.answers |= {
        "/place/township": TOWNSHIP,
        "/place/village": village.code,
        "/place/merged": "no",
        "/village_name": village.name,
        "/asset_id/asset_no": asset_no,
        "/asset_id/asset_name": rng.choice(_PLACES) + kind.name,
        "/consent_group/consent": "yes",
        "/consent_group/consent_items": "lessee contract_photo witness",
        "/asset/asset_class": kind.asset_class,
        "/asset/base_date": f"{visit.day.year - 1}-12-31",
        "/outcome": "completed",
        "/meta/instanceName": f"{village.name} {asset_no} {visit.day}",
    }
    owned_by_group = kind.asset_class == "resource" and rng.random() < 0.6
    record.answers["/place/owner_level"] = "group" if owned_by_group else "village"
    if owned_by_group:
        record.answers["/place/owner_group"] = f"{group}组"
    _class(rng, record.answers, kind)
    _boundary(rng, record.answers, kind, village, group)
    _value(rng, record.answers, kind)
    _use(rng, record, kind, visit)
    _dispute(rng, record.answers)
    _closing(rng, record)
    return record


def _class(rng: Random, answers: dict[str, Any], kind: Kind) -> None:
    answers |= kind.answers
    if kind.asset_class == "resource":
        second = answers["/land/land_class2"]
        answers["/land_group"] = "unused" if second == "0404" else "agricultural"
        answers["/asset/asset_source"] = "original"
        certified = rng.random() < 0.6
        answers["/land/has_certificate"] = "yes" if certified else "no"
        if certified:
            answers["/land/certificate_no"] = f"黔(2019)520599{rng.randrange(1000000):06d}"
    else:
        answers["/asset/asset_source"] = rng.choice(("project", "built", "allotted"))
    if kind.asset_class == "operating":
        answers["/operating/op_year"] = str(rng.randint(2012, 2023))


def _boundary(rng: Random, answers: dict[str, Any], kind: Kind, village: Village, group: int) -> None:
    latitude, longitude, altitude = place(rng, village, group, 420 if kind.asset_class == "resource" else 90)
    answers["/boundary/boundary_kind"] = kind.drawn
    if kind.drawn == "point":
        answers["/boundary/boundary_point"] = point(latitude, longitude, altitude, rng.choice((3.8, 4.9, 8.1)))
        return
    size = rng.uniform(*kind.size)
    corners: Corners
    if kind.drawn == "shape":
        corners = parcel(rng, latitude, longitude, size * _SQUARE_METRES_PER_MU)
        answers["/boundary/boundary_shape"] = shape_text(corners, altitude)
        area = area_m2(corners)
    else:
        corners = path(rng, latitude, longitude, size)
        answers["/boundary/boundary_trace"] = shape_text(corners, altitude)
        answers["/measure/trace_width"] = "3.5"
        answers["/measure/length_m"] = number(_half_up(length_m(corners), 1))
        area = length_m(corners) * 3.5
    mu = _half_up(area / _SQUARE_METRES_PER_MU, 2)
    answers["/measure/area_m2"] = number(_half_up(area, 1))
    answers["/measure/area_mu"] = number(mu)
    if kind.drawn == "shape" and rng.random() < 0.8:
        _paper(rng, answers, mu)
    for side in ("east", "south", "west", "north"):
        answers[f"/measure/neighbour_{side}"] = rng.choice(_NEIGHBOURS)


def _paper(rng: Random, answers: dict[str, Any], mu: float) -> None:
    """The area on paper, usually near the measured one."""
    paper = round(mu * rng.choices((1.0, rng.uniform(0.97, 1.03), rng.uniform(0.7, 0.92)), (3, 4, 3))[0], 2)
    difference = _half_up((mu - paper) / paper * 100, 1)
    answers["/measure/paper_area_mu"] = number(paper)
    answers["/measure/area_diff_pct"] = number(difference)
    if abs(difference) > 5:
        answers["/measure/area_diff_reason"] = rng.choice(("old_survey", "custom", "ridge", "changed"))


def _value(rng: Random, answers: dict[str, Any], kind: Kind) -> None:
    if kind.asset_class == "resource":
        answers["/value/valued"] = "no"
        return
    book = rng.randrange(20_000, 400_000, 1_000)
    verified = book - rng.choice((0, 0, rng.randrange(1_000, book // 3, 500)))
    answers |= {
        "/value/book_value": str(book),
        "/value/verified_value": str(verified),
        "/value/value_change": str(verified - book),
    }
    if verified != book:
        answers["/value/value_change_reason"] = "depreciation"


def _use(rng: Random, record: Record, kind: Kind, visit: Visit) -> None:
    answers = record.answers
    let = "contracted" if kind.asset_class == "resource" else "leased"
    if kind.asset_class == "non_operating":
        use = "idle" if answers["/non_operating/non_in_service"] == "no" else "self"
    else:
        use = rng.choices((let, "self", "idle"), (50, 35, 15))[0]
    answers["/use_group/use"] = use
    if use == "idle":
        answers["/use_group/idle_reason"] = rng.choice(("no_demand", "access", "funds", "moved"))
        answers["/use_group/idle_year"] = str(rng.randint(2014, visit.day.year - 1))
    elif use == let and kind.asset_class != "non_operating":
        _lease(rng, record, visit)
    elif kind.asset_class != "non_operating":
        income = rng.choice((0, rng.randrange(1_000, 60_000, 500)))
        answers |= {"/own_income/own_income_year": str(income), "/income_year": str(income)}
        if income > 0:
            answers["/own_income/income_mode"] = rng.choice(("industry", "resource", "service"))


def _lease(rng: Random, record: Record, visit: Visit) -> None:
    answers = record.answers
    lessee = rng.choice(("villager", "coop", "company"))
    began, years = visit.day.year - rng.randint(1, 6), rng.choice((8, 10, 15))
    first, last = date(began, 1, 1), date(began + years, 12, 31)
    yearly = rng.randrange(1_200, 36_000, 100)
    owed = rng.choices((0, yearly // 2), (75, 25))[0]
    answers |= {
        "/lease/lessee_kind": lessee,
        "/lease/lessee": _LESSEES.get(lessee, "罗世荣"),
        "/lease/lessee_phone": phone(rng),
        "/lease/contract": "yes",
        "/lease/contract_no": f"{began}-{rng.randint(1, 30)}",
        "/lease/signed_date": date(began - 1, 12, rng.randint(1, 28)).isoformat(),
        "/lease/term_from": first.isoformat(),
        "/lease/term_to": last.isoformat(),
        "/lease/term_years": number(_half_up((last - first).days / 365.25, 1)),
        "/lease/yearly_income": str(yearly),
        "/lease/income_received": str(yearly - owed),
        "/lease/income_owed": str(owed),
        "/income_year": str(yearly - owed),
        "/contract_photos/contract_photo": "contract.png",
    }
    record.files["contract.png"] = landscape(30 + rng.randrange(4))
    if owed:
        answers["/lease/owed_reason"] = rng.choice(("arrears", "disaster", "reduced"))


def _dispute(rng: Random, answers: dict[str, Any]) -> None:
    disputed = rng.random() < 0.12
    answers["/dispute_group/dispute"] = "yes" if disputed else "no"
    if disputed:
        answers |= {
            "/dispute_group/dispute_kind": rng.choice(("boundary", "boundary inheritance", "contract")),
            "/dispute_group/dispute_text": "与相邻小组对界线说法不一，双方都拿不出当年的图纸",
            "/dispute_group/dispute_state": rng.choice(("new", "village", "township")),
        }


def _closing(rng: Random, record: Record) -> None:
    record.answers |= {
        "/photos/photo_site": "site.png",
        "/closing/witness_role": rng.choice(("head", "group_head", "neighbour")),
        "/closing/witness_name": rng.choice(("罗国华", "杨光明", "陈德才", "石文忠")),
        "/closing/witness_signature": "witness.png",
        "/closing/surveyor_signature": "surveyor.png",
    }
    record.files |= {
        "site.png": landscape(rng.randrange(24)),
        "witness.png": signature(rng.randrange(40)),
        "surveyor.png": signature(SURVEYOR),
    }


def _half_up(value: float, digits: int) -> float:
    """Rounding as XPath does it: halves go up."""
    scale = 10**digits
    return math.floor(value * scale + 0.5) / scale
