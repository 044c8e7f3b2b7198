"""Prepared statements that the driver has deallocated behind the hot path's back, as it does after a rollback."""

from __future__ import annotations

import pytest
from flask import Flask

from server.database import fast
from server.database.fast import Statement


@pytest.mark.usefixtures("context")
def test_each_statement_is_prepared_again_when_it_is_gone(app: Flask) -> None:
    app.extensions["xiangtu.fast"].dispose()  # so that one connection serves what follows
    first, second = Statement("SELECT %(n)s::int + 1", (int,)), Statement("SELECT %(n)s::int + 2", (int,))
    assert fast.run(first, {"n": 1}) == (2,)
    with app.extensions["xiangtu.fast"].line() as line:
        line.connection.execute("DEALLOCATE ALL")
    assert fast.run(second, {"n": 1}) == (3,)
    assert fast.run(first, {"n": 1}) == (2,)
    assert fast.run(second, {"n": 1}) == (3,)
