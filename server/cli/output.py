"""How commands speak: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import click

from server.cli.language import _

if TYPE_CHECKING:
    from rich.progress import Progress

BEIJING = timezone(timedelta(hours=8))


json_option = click.option("--json", "as_json", is_flag=True, help=_("Print JSON, for scripts."))


def print_json(value: Any) -> None:
    """One JSON value on standard output, Chinese as it is."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


def say(message: str = "") -> None:
    """One line for people on standard output."""
    click.echo(message)


def note(message: str) -> None:
    """One line for people beside a result, on standard error."""
    click.echo(message, err=True)


def when(moment: datetime | None) -> str:
    """A time as people in China read it; empty for None."""
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M") if moment else ""


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], empty: str = "") -> None:
    """A table on standard output; `empty` instead when there are no rows."""
    if not rows:
        say(empty or _("Nothing yet."))
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*("" if value is None else str(value) for value in row))
    print_rich(grid)


def print_rich(renderable: Any) -> None:
    """Something of rich's on standard output, as wide as it needs when that is a file or a pipe."""
    from rich.console import Console

    wide = None if sys.stdout.isatty() else 200
    Console(width=wide, highlight=False, markup=False).print(renderable)


@contextmanager
def progress(visible: bool = True) -> Iterator[Progress]:
    """A progress bar on standard error; nothing is shown when that is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not (visible and console.is_terminal)) as bar:
        yield bar
