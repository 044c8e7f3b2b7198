"""``xiangtu migrate``."""

from __future__ import annotations

import click

from server.cli.language import _
from server.cli.output import json_option, print_json, say


@click.command("migrate", help=_("Bring the database's tables up to date without starting the server."))
@json_option
def command(as_json: bool) -> None:
    """For databases of your own, before several servers start with a new version."""
    from server.cli.instance import application

    with application(create=True):
        from server.database import db
        from server.database.migrate import current_revision, upgrade

        with db.engine.connect() as connection:
            before = current_revision(connection)
        upgrade(db.engine)
        with db.engine.connect() as connection:
            after = current_revision(connection)
    if as_json:
        print_json({"before": before, "after": after})
    elif before == after:
        say(_("The tables are up to date (%(revision)s).", revision=after))
    else:
        say(_("The tables were brought up to date (%(revision)s).", revision=after))
