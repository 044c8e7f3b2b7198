"""``xiangtu demo``."""

from __future__ import annotations

from dataclasses import asdict

import click

from server.cli.language import _
from server.cli.output import json_option, note, print_json, progress, say


@click.command(
    "demo", help=_("Load the demonstration township: three surveys and 500 records. Once; a second time adds nothing.")
)
@json_option
def command(as_json: bool) -> None:
    """Load the demonstration into a project of its own."""
    from server.cli.instance import application

    with application():
        from server import demo

        with progress(not as_json) as bar:
            task = bar.add_task(_("Sending records"), total=None)
            done = demo.load(lambda sent, total: bar.update(task, completed=sent, total=total))
    if as_json:
        print_json(asdict(done))
    elif done.already:
        note(_("The demonstration is there already: project %(project)s.", project=done.project))
    else:
        say(_("Loaded %(records)s records into project %(project)s.", records=done.records, project=done.project))
