"""How an asset is used in the resource survey: leases, their terms, and the income of the year."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.forms.plans import SCHOOL, SHARES, Answers
from tests.forms.surveys import Survey, check_asked

TODAY = date.today()
YESTERDAY = (TODAY - timedelta(days=1)).isoformat()
TOMORROW = (TODAY + timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    ("use", "asked", "not_asked"),
    [
        ("self", ["/own_income/own_income_year"], ["/lease/lessee_kind", "/use_group/idle_reason"]),
        ("contracted", ["/lease/lessee", "/lease/term_from"], ["/own_income/own_income_year"]),
        ("leased", ["/lease/lessee", "/contract_photos/contract_photo"], ["/use_group/idle_reason"]),
        ("idle", ["/use_group/idle_reason", "/use_group/idle_year"], ["/lease/lessee_kind", "/own_income/income_mode"]),
    ],
)
def test_use(resource: Survey, use: str, asked: list[str], not_asked: list[str]) -> None:
    check_asked(resource({"/use_group/use": use}), asked, not_asked)


@pytest.mark.parametrize(("contract", "asked"), [("yes", True), ("no", False)])
def test_only_a_written_contract_is_photographed(resource: Survey, contract: str, asked: bool) -> None:
    filled = resource({"/lease/contract": contract})
    assert filled.was_asked("/lease/contract_no") is asked
    assert filled.was_asked("/contract_photos/contract_photo") is asked


@pytest.mark.parametrize(("term_to", "expired"), [(YESTERDAY, True), (TODAY.isoformat(), False), (TOMORROW, False)])
def test_a_term_that_has_ended_is_followed_up(resource: Survey, term_to: str, expired: bool) -> None:
    filled = resource({"/lease/term_to": term_to})
    assert filled.was_asked("/lease/term_expired") is expired
    assert filled.was_asked("/lease/expired_state") is expired


@pytest.mark.parametrize(
    ("use", "land", "term_to", "warned"),
    [
        ("leased", "0202", "2039-12-31", False),
        ("leased", "0202", "2041-01-01", True),
        ("contracted", "0101", "2049-12-31", False),
        ("contracted", "0101", "2051-01-01", True),
        ("contracted", "0202", "2089-12-31", False),
        ("contracted", "0202", "2091-01-01", True),
    ],
)
def test_a_term_longer_than_the_law_allows(resource: Survey, use: str, land: str, term_to: str, warned: bool) -> None:
    changes: Answers = {"/land/land_class1": land[:2], "/land/land_class2": land, "/use_group/use": use}
    assert resource(changes | {"/lease/term_to": term_to}).was_asked("/lease/term_long") is warned


@pytest.mark.parametrize(
    ("changes", "income", "owed"),
    [
        ({"/lease/income_received": "6000"}, "6000", "0"),
        ({"/lease/income_received": "0"}, "0", "6000"),
        (SHARES, "18000", None),
        (SCHOOL, "", None),
    ],
    ids=["paid", "nothing paid", "shares", "idle school"],
)
def test_income_of_the_year(resource: Survey, changes: Answers, income: str, owed: str | None) -> None:
    filled = resource(changes)
    assert filled.value("/income_year") == income
    assert filled.value("/lease/income_owed") == owed
    assert filled.was_asked("/lease/owed_reason") is (owed not in (None, "0"))
