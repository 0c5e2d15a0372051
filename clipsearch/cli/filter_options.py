"""Options that choose images of a collection by their metadata."""

import click

from clipsearch.cli.options import PATH, add_options
from clipsearch.cli.param_types import byte_size

filters = add_options(
    click.option("--under", type=PATH, metavar="DIR", help="Only images in this folder."),
    click.option(
        "--glob",
        metavar="PATTERN",
        help="Only file names that match, or paths if the pattern has a slash.",
    ),
    click.option(
        "--after",
        "taken_from",
        type=click.DateTime(),
        metavar="DATE",
        help="Only images taken on this date or later.",
    ),
    click.option(
        "--before",
        "taken_before",
        type=click.DateTime(),
        metavar="DATE",
        help="Only images taken before this date.",
    ),
    click.option(
        "--type",
        "formats",
        multiple=True,
        metavar="FORMAT",
        help="Only images of this format: jpeg, heic, … Repeatable.",
    ),
    click.option(
        "--tag",
        "tags",
        multiple=True,
        metavar="LABEL",
        help="Only images that `clipsearch tag` gave this label. Repeatable.",
    ),
    click.option(
        "--min-width", type=click.IntRange(min=1), metavar="PIXELS", help="Minimum image width."
    ),
    click.option(
        "--min-height", type=click.IntRange(min=1), metavar="PIXELS", help="Minimum image height."
    ),
    click.option(
        "--min-bytes", type=byte_size, metavar="SIZE", help="Minimum file size, such as 500kB."
    ),
    click.option("--max-bytes", type=byte_size, metavar="SIZE", help="Maximum file size."),
    click.option(
        "--filter", "expression", default="", metavar="EXPR", help="A Milvus filter expression."
    ),
)
"""The options that fill a `Filters`."""
