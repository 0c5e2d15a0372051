"""Messages on standard error, and the option -q/--quiet that suppresses them."""

import logging

import click

from clipsearch.escape import escape_control

_QUIET = "clipsearch.cli.quiet"
"""The key of the flag in the context, which belongs to one command."""


def _set_quiet(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value:
        context.find_root().meta[_QUIET] = True
        logging.getLogger("clipsearch").setLevel(logging.ERROR)


def add_quiet_option(command: click.Command) -> None:
    """Add the option -q/--quiet to a command, or to those of a group, unless they have it."""
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            add_quiet_option(subcommand)
    elif not any("--quiet" in parameter.opts for parameter in command.params):
        option = click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_set_quiet,
            help="Print results, errors and failures only.",
        )
        command.params.append(option)


def is_quiet() -> bool:
    """Whether the running command was called with --quiet."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().meta.get(_QUIET))


def note(message: str) -> None:
    """Print a line on standard error, unless --quiet was given."""
    if not is_quiet():
        click.echo(escape_control(message), err=True)
