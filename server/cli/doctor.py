"""``xiangtu doctor``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from server.cli.language import _, both
from server.cli.output import json_option, print_json, print_rich, say

_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


@click.command("doctor", help=_("Check what this machine has, and say how to mend what it lacks."))
@json_option
def command(as_json: bool) -> None:
    """Exit status 1 when the server could not do its work."""
    from server.cli.instance import find
    from server.doctor import checks

    found = checks(find().settings, _revisions)
    if as_json:
        print_json({"ok": all(check.ok != "fail" for check in found), "checks": [asdict(check) for check in found]})
    else:
        _show(found)
    if any(check.ok == "fail" for check in found):
        click.get_current_context().exit(1)


def _revisions(connection: Any) -> tuple[str | None, str | None]:
    """The database's migration and the newest one."""
    from server.database.migrate import head_revision

    row = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
    if not row[0]:
        return None, head_revision()
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return (row[0] if row else None), head_revision()


def _show(found: list[Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for check in found:
        mark, colour = _MARKS[check.ok]
        words = Text(both(check.detail_zh, check.detail_en))
        remedy = both(check.remedy_zh, check.remedy_en)
        if check.ok != "ok" and remedy:
            words.append(f"\n→ {remedy}", style="bold")
        grid.add_row(Text(mark, style=colour), check.name, words)
    print_rich(grid)
    worst = {check.ok for check in found}
    if "fail" in worst:
        say(_("Not fit to serve: mend what is marked ✗."))
    elif "warn" in worst:
        say(_("Fit to serve; what is marked ! would be better mended."))
    else:
        say(_("All is well."))
