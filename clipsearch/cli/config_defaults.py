"""Defaults of options from the user's config.toml, as the `default_map` of click."""

import os
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import click
from click.types import FloatParamType, FuncParamType, IntParamType

from clipsearch import config
from clipsearch.errors import UsageError
from clipsearch.files.paths import expand_user

OPTIONS = ("token", "device")
"""Keys at the top level of config.toml for options that only the command line has."""


def default_map(context: click.Context) -> dict[str, Any]:
    """Return the defaults of the invoked command, by its name.

    Top-level keys apply to every command that has the option, the table of a command to this
    command. Top-level settings that the library reads itself (`config.SETTINGS`) are checked, and
    not in the result. Raises UsageError on an unknown key or an invalid value.
    """
    tables = config.read_config()
    group, name = context.command, context.invoked_subcommand
    assert isinstance(group, click.Group)
    names = group.list_commands(context)
    for key, value in tables.items():
        if key in names:
            if not isinstance(value, dict):
                raise _error("", key, f"must be a table: write [{key}]")
        elif key not in (*config.SETTINGS, *OPTIONS):
            known = ", ".join((*config.SETTINGS, *OPTIONS))
            raise _error("", key, f"unknown key, neither an option ({known}) nor a command")
        elif not isinstance(value, str):
            raise _error("", key, f"must be a string, not {value!r}")
    command = group.get_command(context, name) if name else None
    if not tables or name is None or command is None:
        return {}
    shared = {key: value for key, value in tables.items() if value and key not in names}
    return {name: _command_defaults(command, name, tables.get(name, {}), shared)}


def _command_defaults(
    command: click.Command, section: str, table: Mapping[str, Any], shared: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the defaults of a command by parameter, and of the commands of a group by name."""
    options = dict(_named_options(command))
    commands = command.commands if isinstance(command, click.Group) else {}
    tables: dict[str, Mapping[str, Any]] = {}
    defaults: dict[str, Any] = {}
    parameters = {str(option.name): option for option in options.values()}
    for name in shared.keys() & parameters.keys():  # --token of `serve` is another secret
        default = _default("", parameters[name], name, shared[name])
        if name not in config.SETTINGS:  # the library reads the others, which are only checked here
            defaults |= default
    for key, value in table.items():
        name = key.replace("_", "-")
        if name in options:
            defaults |= _default(section, options[name], name, value)
        elif name in commands and isinstance(value, dict):
            tables[name] = value
        else:
            kind, known = ("command", commands) if commands else ("option", options)
            path = section.replace(".", " ")
            raise _error(section, key, f"no {kind} of `clipsearch {path}`: {', '.join(known)}")
    for name, subcommand in commands.items():
        defaults[name] = _command_defaults(
            subcommand, f"{section}.{name}", tables.get(name, {}), shared
        )
    return defaults


def _named_options(command: click.Command) -> Iterator[tuple[str, click.Option]]:
    """Yield the options of a command by their long names, without the dashes at the start."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            for flag in parameter.opts:
                if flag.startswith("--"):
                    yield flag.removeprefix("--"), parameter


def _default(section: str, option: click.Option, name: str, value: Any) -> dict[str, Any]:
    """Return {parameter: value}, or {} if an environment variable sets the option."""
    if option.multiple and not isinstance(value, list):
        raise _error(section, name, f"must be a list, not {value!r}")
    try:
        items = [_convert(option, item) for item in (value if option.multiple else [value])]
    except click.BadParameter as error:
        raise _error(section, name, error.message) from error
    # click prefers the environment variables that it knows; the library reads the others.
    if name in config.SETTINGS and os.environ.get(f"CLIPSEARCH_{name.upper()}", "").strip():
        return {}
    return {str(option.name): items if option.multiple else items[0]}


def _convert(option: click.Option, value: Any) -> Any:
    """Return a TOML value as the option takes it; raise BadParameter if it does not."""
    types, description = _toml_types(option)
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise click.BadParameter(f"must be {description}, not {value!r}")
    if str in types:
        value = str(value)
    if isinstance(option.type, click.Path):
        value = str(expand_user(Path(value)))
    option.type(value, option)
    return value


def _toml_types(option: click.Option) -> tuple[tuple[type, ...], str]:
    """Return the types of TOML values that an option takes, and their description."""
    if option.is_flag:
        return (bool,), "true or false"
    if isinstance(option.type, IntParamType):
        return (int,), "a whole number"
    if isinstance(option.type, FloatParamType):
        return (int, float), "a number"
    if isinstance(option.type, FuncParamType):
        return (str, int, float, date), "a string, a number or a date"
    return (str,), "a string"


def _error(section: str, key: str, message: str) -> UsageError:
    place = f"[{section}] " if section else ""
    return UsageError(f"{config.config_path()}: {place}{key}: {message}")
