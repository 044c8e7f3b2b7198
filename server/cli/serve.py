"""``xiangtu serve``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from server.cli.language import _


@click.command("serve", help=_("Start the server, with its database. Ctrl-C stops both."))
@click.option("--host", help=_("Address to listen on; 0.0.0.0 opens it to phones on the LAN."))
@click.option("--port", type=click.IntRange(1, 65535), help=_("Port to listen on."))
@click.option("--data", type=click.Path(path_type=Path), help=_("Folder of the data; made when missing."))
@click.option("--demo", is_flag=True, help=_("Load the demonstration township once."))
@click.option("--quiet", is_flag=True, help=_("Print neither login nor QR code, e.g. under systemd."))
def command(host: str | None, port: int | None, data: Path | None, demo: bool, quiet: bool) -> None:
    """Become the supervisor: this process is replaced, so that the parent of a running server stays small."""
    from server.config import load_settings

    given = {
        "XIANGTU_HOST": host,
        "XIANGTU_PORT": port,
        "XIANGTU_DATA": data.absolute() if data else None,
        "XIANGTU_DEMO": "1" if demo else None,
        "XIANGTU_QUIET": "1" if quiet else None,
    }
    os.environ.update({name: str(value) for name, value in given.items() if value is not None})
    load_settings()  # a wrong setting is told here, in plain words
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "server.cli.serving"])  # noqa: S606 - our own interpreter
