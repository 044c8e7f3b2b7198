"""Entities: read from forms and submissions of every version of the specification, never an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pyxform.xls2xform import convert

from forms.entities import EntityAction
from forms.instance import parse, read_envelope
from forms.schema import FormSchema
from forms.xform import read_xform

ID = "0b4ff6fb-0ee2-4a5a-b0e8-3a4a9c1f7f11"
BRANCH = "11111111-2222-4333-8444-555555555555"

TREES = read_xform(
    convert(
        """
| survey | | | | |
| | type | name | label | save_to |
| | csv-external | trees | | |
| | text | tree | Tree | |
| | text | species | Species | species |
| | integer | girth | Girth | circumference |
| entities | | | | |
| | list_name | entity_id | update_if | label |
| | trees | ${tree} | ${girth} > 1 | ${species} |
"""
    ).xform.encode()
)
HOUSEHOLD = read_xform(
    convert(
        """
| survey | | | | |
| | type | name | label | save_to |
| | text | address | Address | households#address |
| | begin_repeat | people | People | |
| | text | name | Name | people#full_name |
| | end_repeat | | | |
| entities | | |
| | list_name | label |
| | households | ${address} |
| | people | ${name} |
"""
    ).xform.encode()
)


def actions(inside: str, schema: FormSchema = TREES) -> list[EntityAction]:
    return parse(read_envelope(f'<data id="data">{inside}</data>'.encode()), schema).entities


def entity(attributes: str, inside: str = "<label>Oak</label>") -> str:
    return f"<species>oak</species><girth/><meta><entity {attributes}>{inside}</entity></meta>"


def test_a_form_that_updates() -> None:
    (spec,) = TREES.entities
    assert (spec.dataset, spec.path, spec.repeat) == ("trees", "/meta/entity", None)
    assert (spec.create, spec.update, spec.create_if, spec.update_if) == (False, True, None, "/data/girth  > 1")
    assert (spec.label, spec.properties) == ("/data/species", {"species": "/species", "circumference": "/girth"})


def test_a_form_with_two_lists_one_in_a_repeat() -> None:
    assert HOUSEHOLD.entities_version == "2025.1.0"
    assert [(spec.dataset, spec.path, spec.repeat, dict(spec.properties)) for spec in HOUSEHOLD.entities] == [
        ("people", "/people/meta/entity", "/people", {"full_name": "/people/name"}),
        ("households", "/meta/entity", None, {"address": "/address"}),
    ]


def test_a_form_without_entities_asks_for_none() -> None:
    plain = read_xform(convert("| survey | | | |\n| | type | name | label |\n| | text | a | A |\n").xform.encode())
    assert plain.entities == ()
    assert actions(entity(f'dataset="trees" create="1" id="{ID}"'), plain) == []


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (f'create="1" id="{ID}"', (ID, True, False, None, None, None)),
        (f'create="true" id="uuid:{ID.upper()}"', (ID, True, False, None, None, None)),
        (f'create="false" update="true" id="{ID}" baseVersion="3"', (ID, False, True, 3, None, None)),
        (f'create="1" update="1" id="{ID}" baseVersion=""', (ID, True, True, None, None, None)),
        (
            f'update="1" id="{ID}" baseVersion="4" trunkVersion="2" branchId="{BRANCH}"',
            (ID, False, True, 4, 2, BRANCH),
        ),
    ],
)
def test_actions_of_every_version(attributes: str, expected: tuple[Any, ...]) -> None:
    (action,) = actions(entity(f'dataset="trees" {attributes}'))
    found = (action.id, action.create, action.update, action.base_version, action.trunk_version, action.branch_id)
    assert found == expected
    assert (action.dataset, action.label, action.node, action.problems) == ("trees", "Oak", "/meta/entity", ())


@pytest.mark.parametrize(
    ("attributes", "problems"),
    [
        ('create="1"', ("no_id",)),
        ('create="1" id="tree 7"', ("bad_id",)),
        (f'create="maybe" id="{ID}"', ("bad_flag",)),
        (f'update="1" id="{ID}" baseVersion="two"', ("bad_version",)),
        (f'update="1" id="{ID}" baseVersion="9999999999"', ("bad_version",)),
        (f'update="1" id="{ID}" branchId="b"', ("bad_branch",)),
        (f'dataset="other" create="1" id="{ID}"', ("dataset_mismatch",)),
    ],
)
def test_what_is_wrong_is_said_and_costs_nothing(attributes: str, problems: tuple[str, ...]) -> None:
    instance = parse(read_envelope(f'<data id="data">{entity(attributes)}</data>'.encode()), TREES)
    assert [action.problems for action in instance.entities] == [problems]
    assert instance.answers["/species"] == "oak"


@pytest.mark.parametrize("attributes", ['create="0"', 'create="false" update="false"', "", 'create=""'])
def test_no_flag_no_action(attributes: str) -> None:
    assert actions(entity(f'dataset="trees" id="{ID}" {attributes}')) == []


def test_an_emptied_answer_differs_from_one_that_was_not_asked() -> None:
    (action,) = actions(entity(f'update="1" id="{ID}"'))
    assert action.values == {"species": "oak", "circumference": ""}
    (action,) = actions(f'<meta><entity update="1" id="{ID}"/></meta>')
    assert (action.values, action.label) == ({}, None)


def test_entities_of_repeats_stand_in_order_and_know_their_place() -> None:
    people = "".join(
        f'<people><name>{name}</name><meta><entity dataset="people" create="1" id="{ID[:-1]}{n}"><label>{name}</label>'
        "</entity></meta></people>"
        for n, name in enumerate("甲乙")
    )
    home = f'<address>村1</address>{people}<meta><entity dataset="households" create="1" id="{ID}"/></meta>'
    found = actions(home, HOUSEHOLD)
    assert [(action.dataset, action.node, dict(action.values)) for action in found] == [
        ("people", "/people[1]/meta/entity", {"full_name": "甲"}),
        ("people", "/people[2]/meta/entity", {"full_name": "乙"}),
        ("households", "/meta/entity", {"address": "村1"}),
    ]


def test_an_action_as_json() -> None:
    (action,) = actions(entity(f'create="1" id="{ID}"'))
    data = json.loads(json.dumps(action.to_json()))
    assert (data["id"], data["values"], data["problems"]) == (ID, {"species": "oak", "circumference": ""}, [])
    assert EntityAction(**{**data, "problems": tuple(data["problems"])}) == action
