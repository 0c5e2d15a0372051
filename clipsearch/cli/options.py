"""Options that several commands share."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from clipsearch import config
from clipsearch.cli.param_types import scale

F = TypeVar("F", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
limit = click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="How many hits.",
)


def device(command: F) -> F:
    """--device, --runtime and --precision: where and how the model computes.

    The latter two reach the model as the settings that they stand for.
    """
    for name, choices, words in (
        ("precision", ["auto", "fp32", "bf16", "int8"], "How exactly the model computes."),
        ("runtime", ["auto", "torch", "openvino"], "What the model runs on."),
    ):
        command = click.option(
            f"--{name}",
            type=click.Choice(choices),
            callback=_set_for_this_process,
            expose_value=False,
            help=f"{words} [env: CLIPSEARCH_{name.upper()}]",
        )(command)
    return click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda", "mps"]),
        default="auto",
        show_default=True,
        help="Where the model runs.",
    )(command)


def _set_for_this_process(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    variable = f"CLIPSEARCH_{str(option.name).upper()}"
    before = os.environ.get(variable)
    if value is None or value == before:
        return
    os.environ[variable] = value

    def restore() -> None:
        os.environ.pop(variable)
        if before is not None:
            os.environ[variable] = before

    ctx.call_on_close(restore)


def textness(command: F) -> F:
    """--textness and --max-textness: what is asked of text in the pictures."""
    command = click.option(
        "--max-textness", type=float, metavar="0..1", help="Leave out pictures that show more text."
    )(command)
    return click.option(
        "--textness",
        type=scale,
        metavar="SCALE|off",
        help="Less text in the pictures (-1, -2), more (1, 2), or take no notice of it (off).",
    )(command)


def uri(command: F) -> F:
    """--uri and --token: which store."""
    command = click.option(
        "--token", envvar="CLIPSEARCH_TOKEN", help="user:password or API key of a Milvus server."
    )(command)
    return click.option(
        "--uri",
        envvar="CLIPSEARCH_URI",
        default=config.default_uri,
        show_default="a file in your data folder",
        help="A .db file, or the address of a Milvus server. [env: CLIPSEARCH_URI]",
    )(command)


def store(command: F) -> F:
    """--uri, --token and --collection: which collection of which store."""
    command = click.option(
        "-c",
        "--collection",
        envvar="CLIPSEARCH_COLLECTION",
        default=config.COLLECTION,
        show_default=True,
        help="Which collection of the store. [env: CLIPSEARCH_COLLECTION]",
    )(command)
    return uri(command)
