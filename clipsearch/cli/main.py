"""The group of commands: loads a command when it is used, and turns errors into one line each."""

import atexit
import gc
import io
import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Never

import click

from clipsearch.errors import ClipsearchError, UsageError
from clipsearch.escape import escape_control

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_SOME_FAILED = 3
EXIT_INTERRUPTED = 130

# The modules behind the commands import numpy and more, so the list that --help shows stands here.
COMMANDS = {
    "demo": "Ingest a few real photographs and search them by text, by picture and by both.",
    "ingest": "Store the pictures in folders and files.",
    "query": "Find pictures by text, by picture, or by both.",
    "similar": "Find the pictures most like one.",
    "classify": "Tell which of some labels fits each picture, without training.",
    "tag": "Label the pictures of a collection, so that queries can filter by it.",
    "probe": "Learn labels from folders of examples, and apply them.",
    "explain": "Show why a picture matches a text: where in it, and through which words.",
    "eval": "Measure how good a model is, on your own pictures.",
    "distill": "Train a small model of your own that finds nearly what a large one finds.",
    "duplicates": "List pictures that are the same to the eye.",
    "textness": "Keep pictures of a word apart from pictures of the thing.",
    "warm": "Keep the store open and its model loaded in the background, for quick queries.",
    "models": "List the models worth naming, and which of them are on this machine.",
    "status": "Show the collections of a store: model, pictures, folders, failures, disk.",
    "remove": "Forget pictures, or all under a folder, without touching their files.",
    "drop": "Delete a whole collection from the store; the image files stay.",
}


class Commands(click.Group):
    """A group whose commands are each imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, the way of a new user first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"clipsearch.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="clipsearch", prog_name="clipsearch")
def clipsearch() -> None:
    """Search image collections by text, by picture, or by both.

    \b
    clipsearch ingest ~/Pictures
    clipsearch query "bird on a wire"
    """
    # Pillow warns of damaged metadata in pictures that it reads all the same.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    log = logging.getLogger("clipsearch")
    log.setLevel(logging.INFO)
    if not log.handlers:
        log.addHandler(_Stderr())


class _Stderr(logging.Handler):
    """What the library has to say, as plain lines on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(escape_control(record.getMessage()), err=True)


def main(arguments: Sequence[str] | None = None) -> Never:
    """Run the command line, `sys.argv` by default, and exit: 0 done, 1 error, 2 usage, 3 some files failed, 130 interrupted."""
    if arguments is None:  # a process of its own
        _collect_less_garbage()
    for name in ("SIGTERM", "SIGHUP"):  # a closed terminal, a shutdown: what is done gets written
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    if sys.stdout is None:  # closed by the shell
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - until the end
    for stream in (sys.stdout, sys.stderr):  # a pipe on Windows takes few of a file name's letters
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        # Not standalone: click would end an interrupt with 1 and spread a usage error over lines.
        code = clipsearch.main(arguments, prog_name="clipsearch", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(EXIT_USAGE)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "clipsearch"
        _fail(f"{error.format_message()} (see {command} --help)", EXIT_USAGE)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except UsageError as error:
        _fail(str(error), EXIT_USAGE)
    except ClipsearchError as error:
        _fail(str(error), EXIT_ERROR)
    except OSError as error:  # of a disk or a pipe, in a place that has no better words for it
        _fail(
            f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}",
            EXIT_ERROR,
        )
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted", EXIT_INTERRUPTED)


def _collect_less_garbage() -> None:
    """Spare a quarter of a short command's time: what it imports is none, and at its end all is."""
    gc.set_threshold(200_000, 20, 20)
    # torch's compiler counts its objects at the end, and complains on stderr of those never freed.
    atexit.register(lambda: None if "torch" in sys.modules else gc.freeze())


def _fail(message: str, code: int) -> Never:
    click.echo(f"clipsearch: {escape_control(message)}", err=True)
    sys.exit(code)
