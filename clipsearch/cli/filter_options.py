"""Options that choose images of a collection by their metadata."""

from pathlib import Path

import click

from clipsearch.cli.options import add_options
from clipsearch.cli.param_types import Location, byte_size, moment, near

filters = add_options(
    click.option(
        "--under", type=Location(path_type=Path), metavar="DIR", help="Only images in this folder."
    ),
    click.option(
        "--glob",
        metavar="PATTERN",
        help="Only file names that match, or paths if the pattern has a slash.",
    ),
    click.option(
        "--after",
        "taken_from",
        type=moment,
        metavar="DATE",
        help="Only images taken at this time or later: 2015, 2015-06, 2015-06-07, …",
    ),
    click.option(
        "--before",
        "taken_before",
        type=moment,
        metavar="DATE",
        help="Only images taken before this time; 2015 is the start of that year.",
    ),
    click.option(
        "--near",
        type=near,
        metavar="LAT,LON,KM",
        help="Only images taken within so many kilometers of this place.",
    ),
    click.option(
        "--camera",
        metavar="NAME",
        help="Only images of cameras whose make and model contain this, in any case.",
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
        "--filter",
        "expression",
        default="",
        metavar="EXPR",
        help="Only images for which this is true, such as 'width > height and size < 500000'.",
    ),
)
"""The options that fill a `Filters`."""
