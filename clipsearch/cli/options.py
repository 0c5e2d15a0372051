"""Options that several commands share."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click

from clipsearch import config
from clipsearch.cli.param_types import scale
from clipsearch.models.runtime import PRECISIONS, RUNTIMES, Runtime

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


def runtime(command: F) -> F:
    """Add --device, --runtime and --precision, passed to the command as one `Runtime`."""

    @click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda", "mps"]),
        default="auto",
        show_default=True,
        help="Where the model runs.",
    )
    @click.option(
        "--runtime",
        type=click.Choice(RUNTIMES),
        help="Which library the model runs on. [env: CLIPSEARCH_RUNTIME]",
    )
    @click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        help="In which precision the model computes. [env: CLIPSEARCH_PRECISION]",
    )
    @wraps(command)
    def with_runtime(
        *args: Any, device: str, runtime: str | None, precision: str | None, **options: Any
    ) -> Any:
        return command(*args, runtime=Runtime.from_options(device, runtime, precision), **options)

    return cast("F", with_runtime)


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
