"""`clipsearch doctor`."""

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial

import click

from clipsearch import config
from clipsearch.cli import options
from clipsearch.cli.config_defaults import default_map
from clipsearch.cli.exit_codes import EXIT_ERROR
from clipsearch.doctor import packages, stores, system
from clipsearch.doctor.finding import Check, Finding, run_checks
from clipsearch.errors import ClipsearchError, UsageError
from clipsearch.escape import escape_control
from clipsearch.uri import parse_uri

# Not the usual options, whose defaults are errors if config.toml cannot be read.


@click.command()
@click.option("--uri", envvar="CLIPSEARCH_URI", help="The store to check.  [default: the usual]")
@options.database
@click.option("--token", envvar="CLIPSEARCH_TOKEN", help="As for other commands.")
@options.as_json
@click.pass_context
def doctor(context: click.Context, *, uri: str | None, token: str | None, as_json: bool) -> int:
    """Check the installation, the machine and the store; say what to do.

    Changes nothing, contacts no model hub and loads no model. Prints ok, warning or error for each
    check; exits with 1 if there is an error.

    \b
    clipsearch doctor
    clipsearch doctor --json
    """
    # The findings say what matters.
    logging.getLogger("clipsearch").setLevel(logging.CRITICAL)
    has_error = False
    for finding in run_checks(_checks(context, uri, token)):
        has_error |= finding.level == "error"
        if as_json:
            click.echo(json.dumps(asdict(finding)))
        else:
            click.echo(f"{finding.level:8} {finding.check:10} {escape_control(finding.message)}")
            if finding.advice:
                click.echo(f"{'':19} → {escape_control(finding.advice)}")
    return EXIT_ERROR if has_error else 0


def _checks(context: click.Context, uri: str | None, token: str | None) -> dict[str, Check]:
    """The checks by name; those of the store need a location, which config.toml may spoil."""
    checks: dict[str, Check] = {
        "python": packages.check_python,
        "packages": packages.check_packages,
        "imports": packages.check_imports,
        "settings": partial(_check_settings, context),
        "processor": system.check_processor,
        "runtime": stores.check_runtime,
        "models": stores.check_models,
        "formats": stores.check_formats,
        "text": stores.check_reader,
        "fonts": system.check_fonts,
        "limits": system.check_limits,
        "cache": stores.check_cache,
    }
    try:
        location = uri or config.default_uri()
        path = parse_uri(location).path
    except ClipsearchError as error:
        return checks | {"store": partial(_invalid_location, str(error))}
    return checks | {
        "disk": partial(system.check_disks, path),
        "network": partial(system.check_network, location),
        "daemon": partial(stores.check_daemon, location),
        "store": partial(stores.check_store, location, token),
    }


def _check_settings(context: click.Context) -> Iterator[Finding]:
    """The settings, and the tables of config.toml with options of commands."""
    yield from system.check_settings()
    group = context.find_root().command
    assert isinstance(group, click.Group)
    tables = config.read_config().keys() & set(group.list_commands(context))
    messages = []
    for name in (None, *sorted(tables)):
        child = click.Context(group)
        child.invoked_subcommand = name
        try:
            default_map(child)
        except UsageError as error:
            messages.append(str(error))
    for message in dict.fromkeys(messages):  # an unknown key at the top is an error of each table
        yield Finding("settings", "error", message)


def _invalid_location(message: str) -> Iterator[Finding]:
    yield Finding("store", "error", message)
