"""House, income, lacks, land and co-operative of a household."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from server.demo.township import number

_INCOMES = ("industry", "property", "service", "resource", "tourism", "wage", "transfer", "other")


def housing(rng: Random) -> dict[str, str]:
    """The house lived in."""
    part = "/housing"
    structure = rng.choices(
        ("brick_concrete", "frame", "brick_timber", "timber", "stone", "earth"), (58, 14, 12, 9, 4, 3)
    )[0]
    old = structure in {"timber", "stone", "earth"}
    safety = rng.choices(("a", "b", "c", "unknown"), (10, 50, 25, 15) if old else (62, 30, 2, 6))[0]
    answers = {
        "house_tenure": rng.choices(("own", "resettled", "borrowed"), (92, 6, 2))[0],
        "structure": structure,
        "floors": str(1 if old else rng.choices((1, 2, 3), (25, 55, 20))[0]),
        "house_area": number(rng.randrange(60, 240)),
        "build_year": str(rng.randint(1972, 1998) if old else rng.randint(1999, 2022)),
        "house_safety": safety,
        "water": rng.choices(("tap", "spring", "well", "cistern"), (72, 14, 6, 8))[0],
        "water_enough": rng.choices(("yes", "no"), (84, 16))[0],
        "toilet": rng.choices(("flush", "sanitary", "dry"), (58, 24, 18))[0],
        "fuel": rng.choice(("electricity", "electricity gas", "electricity coal", "electricity wood")),
        "road": rng.choices(("hard", "gravel", "path"), (86, 9, 5))[0],
        "utilities": rng.choice(("power broadband mobile tv", "power mobile tv", "power mobile")),
        "other_house": rng.choices(("no", "yes"), (92, 8))[0],
    }
    if safety in {"c", "unknown"}:
        answers["house_danger"] = rng.choice(("leak", "crack", "crack leak", "beam", "landslide", "none"))
    return {f"{part}/{name}": value for name, value in answers.items()}


def income(rng: Random, members: Sequence[Mapping[str, str]], residents: int) -> dict[str, str]:
    """Last year's income, from the work the members do, and its calculated sums."""
    amounts: dict[str, int] = {}
    statuses = [one.get("/members/study_work/work_status") for one in members]
    wages = sum(
        int(one["/members/study_work/work_months"]) * rng.randrange(2800, 5200, 100)
        for one in members
        if one.get("/members/study_work/work_status") == "away"
    ) + statuses.count("local_job") * rng.randrange(14_000, 30_000, 500)
    if wages:
        amounts["wage"] = wages
    if "farming" in statuses:
        amounts["industry"] = rng.randrange(3_000, 26_000, 100)
    if "business" in statuses:
        amounts["service"] = rng.randrange(18_000, 60_000, 500)
    if rng.random() < 0.3:
        amounts["resource"] = rng.randrange(200, 3_000, 50)
    if rng.random() < 0.04:
        amounts["tourism"] = rng.randrange(8_000, 40_000, 500)
    if any(int(one["/members/person/age"]) >= 60 for one in members) or not amounts:
        amounts["transfer"] = rng.randrange(1_800, 9_000, 60)
    total = sum(amounts.values())
    answers = {f"/income/income_{kind}": str(amount) for kind, amount in amounts.items()}
    answers["/income/income_kinds"] = " ".join(kind for kind in _INCOMES if kind in amounts)
    answers["/income_total"] = str(total)
    answers["/income_per_head"] = str(int(total / residents + 0.5))
    answers["/money/burdens"] = rng.choices(
        ("none", "medical", "school", "house", "wedding", "production"), (40, 20, 16, 10, 8, 6)
    )[0]
    owes = rng.random() < 0.24
    answers["/money/debt"] = "yes" if owes else "no"
    if owes:
        answers["/money/debt_amount"] = str(rng.randrange(5_000, 120_000, 5_000))
    return answers


def five_lacks(rng: Random, answers: Mapping[str, Any], knows_income: bool) -> dict[str, str]:
    """The screen of the five lacks, and the assistance when one applies."""
    poor = answers["/place/household_kind"] in {"monitor_unstable", "monitor_edge", "allowance", "destitute"}
    share = 0.45 if poor else 0.05
    lacks = {name: rng.random() < share for name in ("no_industry", "no_skill", "no_money", "no_breadwinner")}
    lacks["no_housing"] = answers["/housing/house_tenure"] == "borrowed" or answers["/housing/house_safety"] == "c"
    if not knows_income:
        del lacks["no_money"]
    found = {f"/five_lacks/{name}": "yes" if lack else "no" for name, lack in lacks.items()}
    count = sum(lacks.values())
    found["/five_lacks_count"] = str(count)
    if count:
        found["/aid/aid_now"] = rng.choice(("none", "allowance", "medical", "job", "industry coop"))
        found["/aid/aid_wanted"] = rng.choice(("job training", "industry", "medical", "housing", "industry loan"))
    return found


def land(rng: Random) -> dict[str, str]:
    """Land in 亩."""
    part = "/land"
    contracted = round(rng.uniform(1.2, 9.5), 2) if rng.random() < 0.93 else 0.0
    forest = round(rng.uniform(2, 30), 2) if rng.random() < 0.6 else 0.0
    out = round(contracted * rng.uniform(0.3, 0.9), 2) if contracted and rng.random() < 0.35 else 0.0
    taken = round(rng.uniform(0.5, 6), 2) if rng.random() < 0.12 else 0.0
    answers = {
        f"{part}/contracted_mu": number(contracted),
        f"{part}/forest_mu": number(forest),
        f"{part}/transferred_in_mu": number(taken),
        "/operated_mu": number(round(contracted + forest - out + taken, 2)),
    }
    if contracted + forest > 0:
        answers[f"{part}/transferred_out_mu"] = number(out)
    if out > 0:
        answers[f"{part}/transferee"] = rng.choices(("coop", "large", "household", "company"), (45, 20, 25, 10))[0]
        answers[f"{part}/rent_per_mu"] = str(rng.choice((200, 260, 300, 400, 500)))
    if contracted > 0:
        idle = round(contracted * rng.uniform(0.1, 0.3), 2) if rng.random() < 0.18 else 0.0
        answers[f"{part}/idle_mu"] = number(idle)
        answers[f"{part}/land_certificate"] = rng.choices(("yes", "no"), (90, 10))[0]
        if idle > 0:
            answers[f"{part}/idle_reason"] = rng.choice(("labour", "profit", "distance", "wildlife"))
    return answers


def coop(rng: Random, knows_income: bool) -> dict[str, str]:
    """Membership and shares of the village co-operative."""
    part = "/coop"
    member = rng.choices(("shares", "works", "no"), (58, 8, 34))[0]
    answers = {f"{part}/coop_member": member}
    if member == "shares":
        kind = rng.choice(("land", "cash", "land member", "member", "fund"))
        answers[f"{part}/coop_share_kind"] = kind
        answers[f"{part}/coop_shares"] = number(rng.randint(1, 40))
        if "land" in kind:
            answers[f"{part}/coop_land_mu"] = number(round(rng.uniform(0.5, 5), 2))
        if knows_income:
            answers[f"{part}/coop_dividend"] = str(rng.randrange(0, 1_500, 20))
    if member != "no":
        answers[f"{part}/service_team"] = rng.choices(("none", "farming", "forest", "cleaning"), (70, 14, 8, 8))[0]
    else:
        answers[f"{part}/coop_why_not"] = rng.choice(("unknown", "unasked", "distrust", "no_asset", "away"))
    return answers
