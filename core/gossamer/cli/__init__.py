"""The command line: parse, call, print. Every command lives in a file of its own and imports what it needs late."""

from __future__ import annotations

import io
import logging
import os
import sys
from typing import Annotated

import typer

from gossamer import __version__
from gossamer.errors import GossamerError

__all__ = ["app", "main"]

logger = logging.getLogger(__name__)

app = typer.Typer(
    name="gossamer",
    help="Pulls hair, fur, motion blur and glass off a plate.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"gossamer {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done to stderr.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )


def _report(error: GossamerError) -> None:
    print(f"error: {error}", file=sys.stderr)


def _replace_closed_streams() -> None:
    """Give standard streams that were closed (``>&-``) a place to go.

    Python has None in their place, which few libraries expect, and the next file that is opened gets the free number:
    what a library then prints from C would land in a picture.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - until the process ends


def main() -> None:
    """Run the command line. Errors that the project can explain become one line on stderr and their exit code."""
    from gossamer.cli import commands

    _replace_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console that cannot show a file name still gets its line
            stream.reconfigure(errors="backslashreplace")
    commands.register(app)
    try:
        app()
    except GossamerError as error:
        _report(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("cancelled", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away (for instance `| head`); say nothing more to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.filename is None:  # no file of the user's: a mistake of ours
            raise
        logger.info("where it happened", exc_info=True)
        print(f"error: {error.filename}: {error.strerror}.", file=sys.stderr)
        sys.exit(1)
