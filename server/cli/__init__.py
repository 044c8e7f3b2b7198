"""The command ``xiangtu``. This file stays light: what a command needs is imported when it runs."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted."""
    import sys

    from server.cli.root import run

    sys.exit(run(arguments))
