"""The options that choose files in folders, for `ingest` and `watch`."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click

from clipsearch.files.walk import FileSelection

F = TypeVar("F", bound=Callable[..., Any])


def selection(command: F) -> F:
    """Add options that are passed to the command as one `FileSelection`."""

    @click.option(
        "--exclude", multiple=True, metavar="GLOB", help="Skip matching names or paths. Repeatable."
    )
    @click.option(
        "--all",
        "everything",
        is_flag=True,
        help="Include hidden files and junk folders, such as thumbnails.",
    )
    @click.option("--follow-links", is_flag=True, help="Follow symbolic links to folders.")
    @click.option(
        "--skip-raw-pairs",
        is_flag=True,
        help="Skip camera raw files beside a JPEG or HEIC of the same name.",
    )
    @wraps(command)
    def with_selection(
        *args: Any,
        exclude: tuple[str, ...],
        everything: bool,
        follow_links: bool,
        skip_raw_pairs: bool,
        **options: Any,
    ) -> Any:
        chosen = FileSelection(
            exclude=exclude,
            everything=everything,
            follow_links=follow_links,
            skip_raw_pairs=skip_raw_pairs,
        )
        return command(*args, selection=chosen, **options)

    return cast("F", with_selection)
