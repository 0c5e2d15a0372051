"""Options that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from clipsearch import settings

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
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    help="Where the model runs.",
)


def uri(command: F) -> F:
    """--uri and --token: which store."""
    command = click.option(
        "--token", envvar="CLIPSEARCH_TOKEN", help="user:password or API key of a Milvus server."
    )(command)
    return click.option(
        "--uri",
        envvar="CLIPSEARCH_URI",
        default=settings.default_uri,
        show_default="a file in your data folder",
        help="A .db file, or the address of a Milvus server. [env: CLIPSEARCH_URI]",
    )(command)


def store(command: F) -> F:
    """--uri, --token and --collection: which collection of which store."""
    command = click.option(
        "-c",
        "--collection",
        envvar="CLIPSEARCH_COLLECTION",
        default=settings.COLLECTION,
        show_default=True,
        help="Which collection of the store. [env: CLIPSEARCH_COLLECTION]",
    )(command)
    return uri(command)
