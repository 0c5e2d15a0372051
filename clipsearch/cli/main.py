"""The group of commands, which imports them lazily, and the exit codes of errors."""

import logging
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Never

import click

from clipsearch import interrupt
from clipsearch.cli.config_defaults import default_map
from clipsearch.cli.exit_codes import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_USAGE
from clipsearch.cli.messages import add_quiet_option
from clipsearch.cli.streams import (
    describe_os_error,
    prepare_process_streams,
    prepare_streams,
)
from clipsearch.errors import ClipsearchError, UsageError, shorten
from clipsearch.escape import escape_control
from clipsearch.startup import reduce_garbage_collection

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# The list that --help shows stands here, because the modules of the commands import numpy and more.
COMMANDS = {
    "demo": "Ingest sample images and search them by text, by image, and by both.",
    "ingest": "Add the images in folders and files to a collection.",
    "watch": "Keep a collection current: ingest folders and files, then what changes in them.",
    "read": "Read the text in the images of a collection, so that it can be searched.",
    "query": "Find images by text, by image, or by both.",
    "similar": "Find the images most similar to an image.",
    "classify": "Assign labels to images, without training (zero-shot classification).",
    "tag": "Label the images of a collection, to filter queries by label.",
    "probe": "Train a linear probe on folders of example images, and apply it.",
    "explain": "Show which parts of an image and which words match a text.",
    "eval": "Measure the quality of a model on your own images.",
    "calibrate": "Calibrate the model of a collection: its hits then have p, for --min-p.",
    "distill": "Train a small model to reproduce the embeddings of a large one.",
    "duplicates": "List groups of identical images and of images that look the same.",
    "textness": "Measure how much text images show, and adjust queries by it.",
    "serve": "Search a collection in the browser, and from programs over HTTP.",
    "warm": "Keep the store and the model in memory in a daemon, for fast queries.",
    "mcp": "Let an assistant search the collection (Model Context Protocol).",
    "models": "List recommended models, and which need no download.",
    "status": "Show the collections of a store: models, images, folders, failures and disk use.",
    "index": "Show the vector index of a collection, or replace it.",
    "tune": "Measure how thoroughly a collection's index must search, and let searches use that.",
    "doctor": "Check the installation, the machine and the store; say what to do.",
    "check": "Check every row of the store for damage, and repair it from the image files.",
    "copy": "Copy collections to another store, such as from a file to a Milvus server.",
    "reindex": "Rebuild a collection: with another model, or with the fields of this version.",
    "export": "Write a collection to Parquet files.",
    "import": "Read a collection, or embeddings made elsewhere, from Parquet files.",
    "remove": "Remove images or folders from a collection; image files stay.",
    "drop": "Delete a collection from the store; image files stay.",
    "completion": "Print a shell completion script.",
}


# What Python, the dynamic loader and native libraries say if they get no memory.
_OUT_OF_MEMORY = ("start new thread", "failed to map segment", "Cannot allocate", "bad_alloc")


class CommandGroup(click.Group):
    """A group that imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, in the order that a new user needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name; return None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command = getattr(import_module(f"clipsearch.cli.{name}"), name)
        assert isinstance(command, click.Command)
        add_quiet_option(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete the name of a command without importing it."""
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        from click.shell_completion import CompletionItem  # late: only a shell needs it

        commands = [CompletionItem(name, help=COMMANDS[name]) for name in names]
        return commands + click.Command.shell_complete(self, ctx, incomplete)


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="clipsearch", prog_name="clipsearch")
@click.pass_context
def clipsearch(context: click.Context) -> None:
    """Search image collections by text, by image, or by both.

    \b
    clipsearch ingest ~/Pictures
    clipsearch query "bird on a wire"
    """
    # Pillow warns of damaged metadata in images that it decodes nevertheless.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    log = logging.getLogger("clipsearch")
    log.setLevel(logging.INFO)
    if not log.handlers:
        log.addHandler(_StderrHandler())
    if context.invoked_subcommand != "doctor":  # which also works if config.toml is damaged
        context.default_map = default_map(context)


class _StderrHandler(logging.Handler):
    """A log handler that prints plain lines on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(escape_control(record.getMessage()), err=True)


def main(arguments: Sequence[str] | None = None) -> Never:
    """Run the command line, `sys.argv` by default, and exit.

    The exit code is 0 for success, 1 for an error, 2 for a usage error, 3 if some files failed, and
    130 if interrupted.
    """
    if arguments is None:  # a process of its own
        reduce_garbage_collection()
        prepare_process_streams()
    interrupt.handle_signals()
    prepare_streams()
    try:
        _run(arguments)
    except Exception:
        if not interrupt.has_come():
            raise
        _fail("interrupted", EXIT_INTERRUPTED)  # whatever became of it


def _run(arguments: Sequence[str] | None) -> Never:
    try:
        # Standalone mode exits with 1 on an interrupt and prints usage errors on several lines.
        code = clipsearch.main(arguments, prog_name="clipsearch", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(EXIT_USAGE)
    except click.UsageError as error:
        from clipsearch.cli.suggestions import explain_usage_error  # late: only errors need it

        _fail(explain_usage_error(error, _given(arguments)), EXIT_USAGE)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except ClipsearchError as error:
        from clipsearch.cli.suggestions import explain_error  # late, too

        code = EXIT_USAGE if isinstance(error, UsageError) else EXIT_ERROR
        _fail(explain_error(str(error), _given(arguments)), code)
    except OSError as error:  # of a disk or a pipe, not translated elsewhere
        _fail(describe_os_error(error), EXIT_ERROR)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted", EXIT_INTERRUPTED)
    except (MemoryError, RuntimeError, ImportError) as error:
        reason = str(error).splitlines()[-1].strip() if str(error).strip() else "no memory left"
        if not isinstance(error, MemoryError) and not any(
            message in str(error) for message in _OUT_OF_MEMORY
        ):
            raise
        _fail(
            f"not enough memory ({shorten(reason)}): close other programs, or raise the limits of "
            "this process (ulimit -v, ulimit -u)",
            EXIT_ERROR,
        )


def _given(arguments: Sequence[str] | None) -> Sequence[str]:
    return sys.argv[1:] if arguments is None else arguments


def _fail(message: str, code: int) -> Never:
    if interrupt.has_come() and code != EXIT_INTERRUPTED:  # what became of it, or a second fault
        message, code = f"interrupted ({message})", EXIT_INTERRUPTED
    click.echo(f"clipsearch: {escape_control(message)}", err=True)
    sys.exit(code)
