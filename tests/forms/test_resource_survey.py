"""The resource survey, filled by the engine inside ODK Collect."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from pyproj import Geod

from tests.forms.plans import (
    AT_A_POINT,
    BRAND,
    BUILDING,
    CATTLE,
    COLD_STORE,
    MACHINE,
    RESOURCE,
    SCHOOL,
    SHARES,
    SQUARE,
    Answers,
    without,
)
from tests.forms.surveys import Survey, check_asked, check_constraint, check_form, check_villages

TODAY = date.today()
TOMORROW = (TODAY + timedelta(days=1)).isoformat()
MU = 2000 / 3

OPTIONAL = {
    "/asset_id/asset_tag", "/land/certificate_no", "/land/water_depth", "/non_operating/non_year",
    "/measure/paper_area_mu", "/use_group/idle_year", "/lease/lessee_phone", "/lease/contract_no", "/lease/signed_date",
    "/contract_photos/contract_photo2", "/photos/photo_mark", "/closing/notes",
}  # fmt: skip


# --- the form itself


def test_the_form(resource: Survey) -> None:
    check_form(resource, "resource_survey", "资源调查")
    check_villages(resource)
    assert resource.sensitive == {
        "/lease/lessee": "name",
        "/lease/lessee_phone": "phone",
        "/contract_photos/contract_photo": "photo",
        "/contract_photos/contract_photo2": "photo",
        "/photos/photo_site": "photo",
        "/photos/photo_mark": "photo",
        "/closing/witness_name": "name",
        "/closing/witness_signature": "signature",
        "/closing/surveyor_signature": "signature",
    }
    assert len(resource.images) == 6


def test_a_complete_record(resource: Survey) -> None:
    filled = resource.unchanged
    assert filled.ok, (filled.validation, filled.notes)
    expected = {
        "/village_name": "大坪村", "/asset/base_date": f"{TODAY.year - 1}-12-31", "/land_group": "agricultural",
        "/measure/length_m": "", "/value/value_change": "52000", "/lease/term_years": "16",
        "/lease/income_owed": "2000", "/income_year": "4000", "/outcome": "completed",
    }  # fmt: skip
    assert {path: filled.value(path) for path in expected} == expected


def test_instance_name_holds_no_personal_data(resource: Survey) -> None:
    assert resource.unchanged.value("/meta/instanceName") == f"大坪村 DP-2026-0031 {TODAY.isoformat()}"


def test_all_but_a_few_questions_are_required(resource: Survey) -> None:
    assert resource.optional == OPTIONAL


@pytest.mark.parametrize(
    "changes", [BUILDING, MACHINE, COLD_STORE, CATTLE, SHARES, BRAND, SCHOOL, dict.fromkeys(OPTIONAL)],
    ids=["building", "machinery", "facility", "cattle", "shares", "brand", "school", "no optional answers"],
)  # fmt: skip
def test_other_assets_are_valid_too(resource: Survey, changes: Answers) -> None:
    if "/measure/paper_area_mu" in changes:
        changes = changes | {"/measure/area_diff_reason": None}
    filled = resource(changes)
    assert filled.ok, (filled.validation, filled.notes)


@pytest.mark.parametrize(
    "path", ["/place/owner_group", "/asset_id/asset_no", "/land/land_class2", "/boundary/boundary_shape",
             "/lease/term_to", "/contract_photos/contract_photo", "/closing/surveyor_signature"],
)  # fmt: skip
def test_a_record_is_not_finished_without(resource: Survey, path: str) -> None:
    assert resource({path: None}).validation == f"required {path}"


# --- village, number, consent


@pytest.mark.parametrize(("township", "villages"), [("520599101", "石板村 大坪村 青杠村 云岭社区"),
                                                    ("520599201", "清溪村 白岩村 水井村 茶园村")])  # fmt: skip
def test_villages_of_the_township_only(resource: Survey, township: str, villages: str) -> None:
    filled = resource({"/place/township": township}, inspect=["/place/village"])
    assert list(filled.choices("/place/village").values()) == villages.split()


@pytest.mark.parametrize(("merged", "reminded"), [("yes", True), ("no", False)])
def test_ownership_stays_with_the_original_village(resource: Survey, merged: str, reminded: bool) -> None:
    assert resource({"/place/merged": merged}).was_asked("/place/owner_note") is reminded


@pytest.mark.parametrize(
    ("tag", "typed", "number"), [("DK52-77", None, "DK52-77"), (None, "A-01", "A-01"), ("地块7", "A-01", "A-01")]
)
def test_a_scanned_tag_gives_the_number(resource: Survey, tag: str | None, typed: str | None, number: str) -> None:
    filled = resource({"/asset_id/asset_tag": tag, "/asset_id/asset_no": typed})
    assert filled.value("/asset_id/asset_no") == number


def test_a_refusal_keeps_the_number_and_the_reason_only(resource: Survey) -> None:
    known: Answers = {path: text for path, text in RESOURCE.items() if path.startswith(("/place", "/asset_id"))}
    refusal: Answers = {"/consent_group/consent": "no", "/consent_group/refusal_reason": "not_authorised"}
    filled = resource(without(RESOURCE, "/") | known | refusal)
    assert filled.ok, (filled.validation, filled.notes)
    assert filled.value("/outcome") == "refused"
    assert filled.value("/asset_id/asset_no") == "DP-2026-0031"
    before = ("/place", "/asset_id", "/consent_group")
    assert [path for path in filled.asked if not path.startswith(before)] == []
    check_asked(filled, ["/consent_group/refusal_note"], ["/consent_group/consent_items"])
    check_asked(resource.unchanged, [], ["/consent_group/refusal_note"])


@pytest.mark.parametrize(
    ("item", "gone"),
    [
        ("lessee", ["/lease/lessee", "/lease/lessee_phone"]),
        ("contract_photo", ["/contract_photos/contract_photo", "/contract_photos/contract_photo2"]),
        ("witness", ["/closing/witness_name", "/closing/witness_signature"]),
    ],
)
def test_personal_data_need_their_own_consent(resource: Survey, item: str, gone: list[str]) -> None:
    others = {"lessee", "contract_photo", "witness"} - {item}
    filled = resource(dict.fromkeys(gone) | {"/consent_group/consent_items": " ".join(sorted(others))})
    assert filled.ok, (filled.validation, filled.notes)
    check_asked(filled, [], gone)
    check_asked(resource.unchanged, gone, [])


def test_the_name_of_a_company_is_no_personal_data(resource: Survey) -> None:
    changes: Answers = {"/consent_group/consent_items": "none", "/lease/lessee_kind": "company"}
    check_asked(resource(changes), ["/lease/lessee"], ["/lease/lessee_phone"])


# --- land classes


@pytest.mark.parametrize(
    ("first", "number", "waste", "farmland", "forest"),
    [
        ("01", 3, False, True, False),
        ("02", 4, False, False, False),
        ("03", 7, True, False, True),
        ("04", 4, True, False, False),
        ("05", 7, False, False, False),
        ("06", 4, False, False, False),
        ("07", 2, False, False, False),
        ("08", 10, False, False, False),
        ("09", 6, False, False, False),
        ("10", 9, False, False, False),
        ("11", 10, True, False, False),
        ("12", 7, True, False, False),
    ],
)
def test_second_level_follows_the_first(
    resource: Survey, first: str, number: int, waste: bool, farmland: bool, forest: bool
) -> None:
    filled = resource({"/land/land_class1": first, "/land/land_class2": None}, inspect=["/land/land_class2"])
    assert list(filled.choices("/land/land_class2")) == [f"{first}{i:02}" for i in range(1, number + 1)]
    assert filled.was_asked("/land/four_wastes") is waste
    assert filled.was_asked("/land/basic_farmland") is farmland
    assert filled.was_asked("/land/forest_kind") is forest


def test_a_second_level_of_another_class_is_not_offered(resource: Survey) -> None:
    filled = resource({"/land/land_class2": "0101"})
    assert "NOT OFFERED /land/land_class2 0101" in filled.notes
    assert filled.value("/land_group") == ""


@pytest.mark.parametrize(
    ("second", "group"),
    [
        ("0103", "agricultural"), ("0404", "unused"), ("0702", "construction"), ("1003", "construction"),
        ("1006", "agricultural"), ("1104", "agricultural"), ("1109", "construction"), ("1202", "agricultural"),
        ("1206", "unused"),
    ],
)  # fmt: skip
def test_three_groups_of_land(resource: Survey, second: str, group: str) -> None:
    assert resource({"/land/land_class1": second[:2], "/land/land_class2": second}).value("/land_group") == group


# --- boundary and area


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, ["shape", "trace", "point"]),
        (BUILDING, ["shape", "point"]),
        (MACHINE, ["point"]),
        (COLD_STORE, ["shape", "trace", "point"]),
        (CATTLE, ["shape", "point"]),
        (SCHOOL, ["shape", "trace", "point"]),
    ],
    ids=["land", "building", "machinery", "facility", "cattle", "school"],
)
def test_ways_of_drawing_fit_the_asset(resource: Survey, changes: Answers, kinds: list[str]) -> None:
    filled = resource(changes, inspect=["/boundary/boundary_kind"])
    assert list(filled.choices("/boundary/boundary_kind")) == kinds


@pytest.mark.parametrize("kind", ["shape", "trace", "point"])
def test_one_way_of_drawing_is_asked(resource: Survey, kind: str) -> None:
    ways = {way: f"/boundary/boundary_{way}" for way in ("shape", "trace", "point")}
    filled = resource({"/boundary/boundary_kind": kind})
    check_asked(filled, [ways.pop(kind)], list(ways.values()))
    assert filled.was_asked("/measure/trace_width") is (kind == "trace")


@pytest.mark.parametrize("changes", [SHARES, BRAND], ids=["shares", "brand"])
def test_what_has_no_place_has_no_boundary(resource: Survey, changes: Answers) -> None:
    check_asked(resource(changes), [], ["/boundary/boundary_kind", "/measure/paper_area_mu", "/photos/photo_site"])


def square(metres: float) -> str:
    """A square of so many metres a side, as a phone writes it."""
    geod, corner = Geod(ellps="WGS84"), (105.3, 27.3)
    corners = [corner]
    for azimuth in (90, 0, 270):
        lon, lat, _ = geod.fwd(*corners[-1], azimuth, metres)
        corners.append((lon, lat))
    return ";".join(f"{lat:.8f} {lon:.8f} 0 0" for lon, lat in [*corners, corner])


@pytest.mark.parametrize("side", [10, 25.82, 100, 816.5])
def test_area_in_mu(resource: Survey, side: float) -> None:
    filled = resource({"/boundary/boundary_shape": square(side)})
    # The engine reckons on a sphere: about half a percent too much at this latitude.
    assert float(filled.value("/measure/area_mu") or 0) == pytest.approx(side * side / MU, rel=0.007, abs=0.005)
    assert float(filled.value("/measure/area_m2") or 0) == pytest.approx(side * side, rel=0.007)
    assert filled.was_asked("/measure/area_note")


def test_area_has_two_decimals(resource: Survey) -> None:
    assert resource({"/boundary/boundary_shape": SQUARE}).value("/measure/area_mu") == "16.56"


def test_a_road_has_length_and_an_area_by_its_width(resource: Survey) -> None:
    road = {"/boundary/boundary_kind": "trace", "/boundary/boundary_shape": None, "/measure/trace_width": "4.5",
            "/boundary/boundary_trace": "27.0 105.0 0 5;27.002 105.0 0 5"}  # fmt: skip
    filled = resource(road)
    length = float(filled.value("/measure/length_m") or 0)
    assert length == pytest.approx(221.6, rel=0.007)
    assert float(filled.value("/measure/area_mu") or 0) == pytest.approx(length * 4.5 / MU, abs=0.006)


@pytest.mark.parametrize(
    ("paper", "difference", "warned"),
    [
        ("16.56", "0", False),
        ("15.8", "4.8", False),
        ("17.4", "-4.8", False),
        ("15.6", "6.2", True),
        ("20", "-17.2", True),
    ],
)
def test_area_beside_the_area_on_paper(resource: Survey, paper: str, difference: str, warned: bool) -> None:
    filled = resource({"/measure/paper_area_mu": paper})
    assert filled.value("/measure/area_diff_pct") == difference
    assert filled.was_asked("/measure/area_diff_note") is warned
    assert filled.was_asked("/measure/area_diff_reason") is warned


def test_without_an_area_on_paper_there_is_no_difference(resource: Survey) -> None:
    filled = resource({"/measure/paper_area_mu": None})
    assert filled.value("/measure/area_diff_pct") == ""
    check_asked(filled, ["/measure/area_note"], ["/measure/area_diff_note"])


@pytest.mark.parametrize(
    ("accuracy", "taken", "by_hand"), [("9", True, False), ("30", True, False), ("31", False, False), ("0", True, True)]
)
def test_accuracy_of_a_point(resource: Survey, accuracy: str, taken: bool, by_hand: bool) -> None:
    filled = resource(AT_A_POINT | {"/boundary/boundary_point": f"27.0 105.0 1100 {accuracy}"})
    assert ("CONSTRAINT_VIOLATED /boundary/boundary_point" not in filled.notes) is taken
    assert filled.was_asked("/boundary/point_by_hand") is by_hand
    check_asked(filled, [], ["/measure/area_note", "/measure/length_note", "/measure/area_diff_note"])


# --- kinds of asset

OP = "/operating/op_"
NON = "/non_operating/non_"


@pytest.mark.parametrize(
    ("changes", "asked", "not_asked"),
    [
        ({}, ["/land/land_class1"], [f"{OP}kind", f"{NON}kind"]),
        (BUILDING, [f"{OP}floor_area", f"{OP}floors", f"{OP}condition"], ["/land/land_class1", f"{OP}model"]),
        (MACHINE, [f"{OP}model", f"{OP}quantity"], [f"{OP}floor_area", f"{OP}facility", "/measure/neighbour_east"]),
        (COLD_STORE, [f"{OP}facility"], [f"{OP}floor_area", f"{OP}share_pct"]),
        (SHARES, [f"{OP}investee", f"{OP}share_pct"], [f"{OP}quantity", "/use_group/use", "/lease/lessee_kind"]),
        (BRAND, [f"{OP}intangible", f"{OP}quantity", "/use_group/use"], [f"{OP}condition"]),
        (SCHOOL, [f"{NON}floor_area", f"{NON}now"], [f"{OP}kind", "/land/land_class1", "/value/valued"]),
        (SCHOOL | {f"{NON}in_service": "yes"}, [], [f"{NON}now"]),
        (SCHOOL | {f"{NON}kind": "road"}, [f"{NON}quantity"], [f"{NON}floor_area"]),
        ({"/place/owner_level": "village"}, [], ["/place/owner_group"]),
        ({"/land/has_certificate": "no"}, [], ["/land/certificate_no"]),
        ({"/land/land_class1": "11", "/land/land_class2": "1104"}, ["/land/water_depth"], []),
        ({"/value/valued": "no"}, [], ["/value/book_value", "/value/verified_value", "/value/value_change_reason"]),
        ({"/value/verified_value": "0"}, [], ["/value/value_note", "/value/value_change_reason"]),
        ({"/dispute_group/dispute": "no"}, [], ["/dispute_group/dispute_kind", "/dispute_group/dispute_text"]),
        ({"/closing/witness_role": "none"}, [], ["/closing/witness_name", "/closing/witness_signature"]),
    ],
)
def test_nobody_is_asked_what_does_not_apply(
    resource: Survey, changes: Answers, asked: list[str], not_asked: list[str]
) -> None:
    check_asked(resource(changes), asked, not_asked)


@pytest.mark.parametrize(
    ("changes", "units"), [(MACHINE, "set vehicle"), (CATTLE, "head plant kilogram"), (BRAND, "item")]
)
def test_units_fit_the_asset(resource: Survey, changes: Answers, units: str) -> None:
    assert list(resource(changes, inspect=[f"{OP}unit"]).choices(f"{OP}unit")) == units.split()


# --- constraints


ROAD: Answers = {
    "/boundary/boundary_kind": "trace",
    "/boundary/boundary_shape": None,
    "/boundary/boundary_trace": "27.0 105.0 0 5;27.002 105.0 0 5",
}
POND: Answers = {"/land/land_class1": "11", "/land/land_class2": "1104"}
NEXT_YEAR = str(TODAY.year + 1)

BOUNDS: list[tuple[Answers, str, str, str]] = [
    ({}, "/asset_id/asset_no", "520599101201GB00031W", "大坪1号"),
    ({}, "/asset/base_date", TODAY.isoformat(), TOMORROW),
    ({}, "/consent_group/consent_items", "none", "none lessee"),
    ({}, "/boundary/boundary_shape", square(3), square(2)),
    (
        {"/boundary/boundary_kind": "trace"},
        "/boundary/boundary_trace",
        "27 105 0 0;27.0001 105 0 0",
        "27 105 0 0;27.00001 105 0 0",
    ),
    ({}, "/measure/paper_area_mu", "0.01", "0"),
    ({}, "/value/book_value", "0", "-1"),
    ({}, "/lease/lessee", "李四", "李"),
    ({}, "/lease/lessee_phone", "0857-8221234", "12345"),
    ({}, "/lease/signed_date", TODAY.isoformat(), TOMORROW),
    ({}, "/lease/term_from", "1978-01-01", "1977-12-31"),
    ({}, "/lease/term_to", "2020-01-02", "2020-01-01"),
    ({}, "/lease/yearly_income", "0", "-0.5"),
    ({}, "/dispute_group/dispute_text", "界线不清楚", "不清"),
    (SHARES, "/operating/op_share_pct", "100", "100.5"),
    (BUILDING, "/operating/op_year", str(TODAY.year), str(TODAY.year + 1)),
    (POND, "/land/water_depth", "2.5", "0"),
    (ROAD, "/measure/trace_width", "4.5", "501"),
    ({}, "/value/verified_value", "0", "-1"),
    ({}, "/lease/income_received", "0", "-1"),
    ({}, "/closing/witness_name", "王五", "王"),
    (BUILDING, "/operating/op_floor_area", "1", "0"),
    (BUILDING, "/operating/op_floors", "60", "0"),
    (BUILDING, "/operating/op_quantity", "1", "0"),
    (SCHOOL, "/non_operating/non_floor_area", "1", "0"),
    (SCHOOL, "/non_operating/non_quantity", "0.5", "0"),
    (SCHOOL, "/non_operating/non_year", "1900", NEXT_YEAR),
    (SCHOOL, "/use_group/idle_year", "1980", NEXT_YEAR),
    (SHARES, "/own_income/own_income_year", "-5000", "-1000000000"),
]


@pytest.mark.parametrize(("before", "path", "good", "bad"), BOUNDS)
def test_constraints_say_what_to_do(resource: Survey, before: Answers, path: str, good: str, bad: str) -> None:
    check_constraint(resource, before, path, good, bad)


def test_every_constraint_is_tried(resource: Survey) -> None:
    elsewhere = {"/asset_id/asset_tag", "/boundary/boundary_point"}
    assert resource.constrained == {path for _, path, _, _ in BOUNDS} | elsewhere
