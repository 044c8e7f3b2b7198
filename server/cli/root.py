"""The group of all commands. A command's module is imported when that command runs, so that help is there at once."""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from collections.abc import Sequence

import click

from server import __version__
from server.cli.failures import Failure, explain, wants_traceback
from server.cli.language import _, language

_COMMANDS = {
    "serve": _("Start the server, with its database."),
    "doctor": _("Check what this machine has, and say how to mend what it lacks."),
    "demo": _("Load the demonstration township: three surveys and 500 records."),
    "migrate": _("Bring the database's tables up to date without starting the server."),
    "user": _("People who log in."),
    "project": _("Projects."),
    "form": _("Forms: convert, check, publish, and the Excel files of the shipped surveys."),
    "app-user": _("Enumerators' phones and their QR codes."),
    "submissions": _("Records: count and export."),
}


class _Commands(click.Group):
    """Knows names and short texts of all commands without importing them."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"server.cli.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(_("Commands")):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help=_(
        "Xiangtu, 乡图: field surveys for townships. The data is in the folder that XIANGTU_DATA names (default: var)."
    ),
)
@click.version_option(__version__, prog_name="xiangtu")
def cli() -> None:
    """All commands."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit status and never raises."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    if language() == "zh":
        from server.cli.click_words import speak_chinese

        speak_chinese()
    try:
        status = cli.main(args=words, prog_name="xiangtu", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _report(Failure("interrupted", _("Interrupted.")), as_json, 130)
    except click.FileError as error:
        return _report(Failure("file", error.format_message()), as_json, 1)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = "" if as_json or context is None else f"\n{context.get_usage()}"
        return _report(Failure("usage", error.format_message() + hint), as_json, 2)
    except BrokenPipeError:
        sys.stderr.close()  # `xiangtu … | head` closed our output; Python would complain once more when it ends
        return 1
    except Exception as error:
        if wants_traceback():
            traceback.print_exc()
        return _report(explain(error), as_json, 1)


def _report(failure: Failure, as_json: bool, status: int) -> int:
    if as_json:
        text = json.dumps({"error": failure.message, "code": failure.code}, ensure_ascii=False)
    else:
        text = f"✗ {failure.message}"
    click.echo(text, err=True)
    return status
