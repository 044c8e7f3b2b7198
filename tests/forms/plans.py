"""Answers to the surveys of the library: one whole record each, from which a test or a demonstration departs."""

from __future__ import annotations

Answers = dict[str, str | None]

# Everything a household of one man working away can be asked.
HOUSEHOLD: Answers = {
    "/place/township": "520599101",
    "/place/village": "520599101200",
    "/place/village_group": "3组",
    "/place/household_no": "0027",
    "/place/household_kind": "monitor_edge",
    "/contact_group/contact": "interviewed",
    "/consent_group/consent": "yes",
    "/consent_group/consent_items": "id_number health income minors photo signature",
    "/door_group/door": "27.1002 105.2003 1201.5 6.5",
    "/people/registered_count": "1",
    "/people/resident_count": "2",
    "/people/list_members": "yes",
    "/people/contact_phone": "13800138000",
    "/members/person/member_name": "张三",
    "/members/person/relation": "head",
    "/members/person/birth_date": "1980-03-05",
    "/members/person/sex": "male",
    "/members/study_work/education": "junior",
    "/members/study_work/work_status": "away",
    "/members/study_work/work_place": "outside",
    "/members/study_work/work_area": "浙江义乌",
    "/members/study_work/work_months": "9",
    "/members/study_work/work_trade": "building",
    "/members/study_work/skilled": "no",
    "/members/insurance_group/insurance": "resident_medical resident_pension",
    "/members/health/health_state": "chronic",
    "/members/health/disability": "yes",
    "/members/health/disability_kind": "limb",
    "/members/health/disability_level": "3",
    "/members/health/self_care": "full",
    "/housing/house_tenure": "own",
    "/housing/structure": "brick_concrete",
    "/housing/floors": "2",
    "/housing/house_area": "120.5",
    "/housing/build_year": "2009",
    "/housing/house_safety": "c",
    "/housing/house_danger": "leak",
    "/housing/water": "spring",
    "/housing/water_enough": "no",
    "/housing/toilet": "dry",
    "/housing/fuel": "electricity wood",
    "/housing/road": "hard",
    "/housing/utilities": "power mobile",
    "/housing/other_house": "no",
    "/income/income_kinds": "industry resource wage transfer",
    "/income/income_industry": "3000",
    "/income/income_resource": "1200",
    "/income/income_wage": "36000",
    "/income/income_transfer": "2400",
    "/money/burdens": "medical",
    "/money/debt": "yes",
    "/money/debt_amount": "15000",
    "/five_lacks/no_industry": "yes",
    "/five_lacks/no_skill": "yes",
    "/five_lacks/no_money": "no",
    "/five_lacks/no_housing": "no",
    "/five_lacks/no_breadwinner": "no",
    "/aid/aid_now": "medical",
    "/aid/aid_wanted": "industry training",
    "/land/contracted_mu": "4.25",
    "/land/forest_mu": "10",
    "/land/transferred_out_mu": "3.5",
    "/land/transferee": "coop",
    "/land/rent_per_mu": "400",
    "/land/transferred_in_mu": "0.5",
    "/land/idle_mu": "0.75",
    "/land/idle_reason": "labour",
    "/land/land_certificate": "yes",
    "/coop/coop_member": "shares",
    "/coop/coop_share_kind": "land member",
    "/coop/coop_shares": "12",
    "/coop/coop_land_mu": "3.5",
    "/coop/coop_dividend": "260",
    "/coop/service_team": "forest",
    "/merger/merger_stage": "done",
    "/merger/merger_informed": "partly",
    "/merger/merger_channels": "meeting neighbour",
    "/merger/merger_attitude": "accept",
    "/merger/merger_concerns": "assets other",
    "/merger/merger_concern_other": "祠堂归谁管",
    "/merger/merger_change": "same",
    "/merger/merger_suggestion": "原来的办事点留下来",
    "/needs_group/needs": "road water",
    "/needs_group/need_detail": "入户路有两百米没有硬化",
    "/needs_group/need_urgency": "year",
    "/needs_group/satisfaction": "4",
    "/photos/photo_house": "house.jpg",
    "/photos/photo_danger": "roof.jpg",
    "/closing/sign_kind": "self",
    "/closing/signature": "sign.png",
}

# About 110 m by 99 m, closed, as a phone writes it.
SQUARE = "27.0 105.0 0 0;27.0 105.001 0 0;27.001 105.001 0 0;27.001 105.0 0 0;27.0 105.0 0 0"

# A tea garden of a villager group, leased to a person, with a quarrel about its boundary.
RESOURCE: Answers = {
    "/place/township": "520599101",
    "/place/village": "520599101201",
    "/place/owner_level": "group",
    "/place/owner_group": "3组",
    "/place/merged": "yes",
    "/asset_id/asset_no": "DP-2026-0031",
    "/asset_id/asset_name": "湾里茶园",
    "/consent_group/consent": "yes",
    "/consent_group/consent_items": "lessee contract_photo witness",
    "/asset/asset_class": "resource",
    "/asset/asset_source": "original",
    "/land/land_class1": "02",
    "/land/land_class2": "0202",
    "/land/has_certificate": "yes",
    "/land/certificate_no": "黔(2019)520599000123",
    "/boundary/boundary_kind": "shape",
    "/boundary/boundary_shape": SQUARE,
    "/measure/paper_area_mu": "15",
    "/measure/area_diff_reason": "old_survey",
    "/measure/neighbour_east": "机耕路",
    "/measure/neighbour_south": "12号地块",
    "/measure/neighbour_west": "小河",
    "/measure/neighbour_north": "山脊",
    "/value/valued": "yes",
    "/value/book_value": "0",
    "/value/verified_value": "52000",
    "/value/value_change_reason": "surplus",
    "/use_group/use": "contracted",
    "/lease/lessee_kind": "outsider",
    "/lease/lessee": "李四",
    "/lease/lessee_phone": "13900139000",
    "/lease/contract": "yes",
    "/lease/contract_no": "2020-7",
    "/lease/signed_date": "2019-12-20",
    "/lease/term_from": "2020-01-01",
    "/lease/term_to": "2035-12-31",
    "/lease/yearly_income": "6000",
    "/lease/income_received": "4000",
    "/lease/owed_reason": "arrears",
    "/contract_photos/contract_photo": "c1.jpg",
    "/dispute_group/dispute": "yes",
    "/dispute_group/dispute_kind": "boundary",
    "/dispute_group/dispute_text": "与二组的界线在山脊东侧还是西侧说法不一",
    "/dispute_group/dispute_state": "village",
    "/photos/photo_site": "s.jpg",
    "/closing/witness_role": "group_head",
    "/closing/witness_name": "王五",
    "/closing/witness_signature": "w.png",
    "/closing/surveyor_signature": "q.png",
}


def changed(answers: Answers, changes: Answers) -> dict[str, str]:
    """The answers with some of them changed; None takes an answer out."""
    return {path: text for path, text in (answers | changes).items() if text is not None}


def without(answers: Answers, *beginnings: str) -> Answers:
    """Changes that take out every answer whose path begins so."""
    return {path: None for path in answers if path.startswith(beginnings)}


# Changes that make other assets of the tea garden.
LAND_ONLY = ("/land/", "/measure/neighbour", "/measure/paper", "/measure/area_diff", "/value/valued")
NO_LAND: Answers = without(RESOURCE, *LAND_ONLY)
AT_A_POINT: Answers = {
    "/boundary/boundary_kind": "point",
    "/boundary/boundary_shape": None,
    "/boundary/boundary_point": "27.0005 105.0005 1180 5",
}
NO_PLACE: Answers = without(RESOURCE, "/boundary/", "/measure/", "/photos/")
NO_LEASE: Answers = without(RESOURCE, "/lease/", "/contract_photos/")


def operating(kind: str, **answers: str) -> Answers:
    """An operating asset of a kind."""
    return NO_LAND | {"/asset/asset_class": "operating", "/operating/op_kind": kind, "/operating/op_year": "2018"} | {
        f"/operating/op_{name}": text for name, text in answers.items()
    }  # fmt: skip


BUILDING = AT_A_POINT | operating(
    "building", floor_area="320", floors="2", quantity="1", unit="building", condition="good"
)  # fmt: skip
MACHINE = operating("machinery", model="久保田 588", quantity="2", unit="set", condition="repair") | AT_A_POINT
COLD_STORE = operating("facility", facility="cold", quantity="1", unit="place", condition="good") | AT_A_POINT
CATTLE = operating("biological", biological="cattle", quantity="36", unit="head") | AT_A_POINT
SHARES = operating("shares", investee="云岭茶业有限公司", share_pct="20") | NO_PLACE | NO_LEASE | {
    "/use_group/use": None, "/own_income/own_income_year": "18000", "/own_income/income_mode": "industry",
}  # fmt: skip
BRAND = operating("intangible", intangible="brand", quantity="1", unit="item") | NO_PLACE
SCHOOL = NO_LAND | AT_A_POINT | NO_LEASE | {
    "/asset/asset_class": "non_operating", "/non_operating/non_kind": "school", "/non_operating/non_floor_area": "450",
    "/non_operating/non_in_service": "no", "/non_operating/non_now": "empty", "/non_operating/non_quantity": "1",
    "/non_operating/non_unit": "building", "/non_operating/non_condition": "repair", "/use_group/use": "idle",
    "/use_group/idle_reason": "moved",
}  # fmt: skip
