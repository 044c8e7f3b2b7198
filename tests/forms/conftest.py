"""One engine for all tests of the surveys: starting it takes longer than filling a form."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.javarosa import JavaRosa
from tests.forms.plans import HOUSEHOLD, RESOURCE
from tests.forms.surveys import Survey


@pytest.fixture(scope="session")
def engine() -> Iterator[JavaRosa]:
    with JavaRosa() as javarosa:
        yield javarosa


@pytest.fixture(scope="session")
def visit(engine: JavaRosa) -> Survey:
    """The household visit."""
    return Survey(engine, "household_visit", HOUSEHOLD)


@pytest.fixture(scope="session")
def resource(engine: JavaRosa) -> Survey:
    """The resource survey."""
    return Survey(engine, "resource_survey", RESOURCE)
