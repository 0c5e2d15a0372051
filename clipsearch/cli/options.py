"""Options that several commands share, as decorators."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from clipsearch import config
from clipsearch.cli.param_types import byte_size, textness_scale
from clipsearch.consistency import DEFAULT, LEVELS
from clipsearch.models.runtime import PRECISIONS, RUNTIMES, Runtime
from clipsearch.uri import with_database as join_database

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
PATH = click.Path(path_type=Path)

MODEL_HELP = "Name of the model, see `clipsearch models`."
MODEL_ENV = "[env: CLIPSEARCH_MODEL]"


def add_options(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Make a decorator that adds options to a command, in the order given."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _set_max_memory(_: click.Context, __: click.Parameter, value: str | None) -> None:
    if value is not None:
        size = byte_size(value)
        from clipsearch.images.memory import set_max_memory  # late: needs Pillow

        set_max_memory(size)


max_memory = click.option(
    "--max-memory",
    metavar="SIZE",
    callback=_set_max_memory,
    expose_value=False,
    help="Memory of this command with its Milvus Lite, such as 1G: decoding gets what model and "
    "store leave, and an image that needs more fails. CLIPSEARCH_MAX_MEMORY sets it for all "
    "commands.  [default: three quarters of the memory]",
)
query_max_pixels = click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    help="Reject query images with more pixels than this. A JPEG counts as it is decoded: at up to "
    "1/8.  [default: 250,000,000]",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
as_csv = click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header.")
limit = click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="Maximum number of hits.",
)
min_z = click.option(
    "--min-z",
    type=float,
    help="Leave out hits with a lower z-score; 4 suits most models, 3 suits pocket. With --min-p, "
    "it applies to hits without p.",
)
min_p = click.option(
    "--min-p",
    type=click.FloatRange(0, 1),
    metavar="0..1",
    help="Leave out hits that are less probably relevant; 0.2 suits most queries. Applies to "
    "texts, if the model is calibrated: see `clipsearch calibrate`.",
)
offset = click.option(
    "--offset",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Number of hits to skip, for the next page.",
)
seed = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the random numbers.",
)
model = click.option("--model", default="auto", show_default=True, help=f"{MODEL_HELP} {MODEL_ENV}")
collection_model = click.option(
    "--model", help=f"{MODEL_HELP} {MODEL_ENV}  [default: the model of the collection, or auto]"
)


consistency = click.option(
    "--consistency",
    type=click.Choice(LEVELS),
    envvar="CLIPSEARCH_CONSISTENCY",
    default=config.choose_consistency,
    show_default=DEFAULT,
    help="Writes of other processes that a search on a Milvus server includes: all (strong, 0.2 s "
    "slower), or those until a few seconds ago. [env: CLIPSEARCH_CONSISTENCY]",
)


def output_file(help_text: str, *, required: bool = False) -> Callable[[F], F]:
    """Make the option -o/--output, for a file to write."""
    return click.option(
        "-o", "--output", type=FILE, required=required, metavar="FILE", help=help_text
    )


def runtime(command: F) -> F:
    """Add --device, --runtime and --precision, passed to the command as one `Runtime`."""

    @click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda", "mps"]),
        default="auto",
        show_default=True,
        help="Device that runs the model.",
    )
    @click.option(
        "--runtime",
        type=click.Choice(RUNTIMES),
        help="Library that runs the model. [env: CLIPSEARCH_RUNTIME]",
    )
    @click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        help="Precision of the computation; auto measures which is the fastest on this machine. "
        "[env: CLIPSEARCH_PRECISION]",
    )
    @wraps(command)
    def with_runtime(
        *args: Any, device: str, runtime: str | None, precision: str | None, **options: Any
    ) -> Any:
        return command(*args, runtime=Runtime.from_options(device, runtime, precision), **options)

    return cast("F", with_runtime)


textness = add_options(
    click.option(
        "--textness",
        type=textness_scale,
        metavar="SCALE|off",
        help="Prefer images with less text (-1, -2) or more (1, 2), or ignore text (off).",
    ),
    click.option(
        "--max-textness",
        type=click.FloatRange(0, 1),
        metavar="0..1",
        help="Leave out images that show more text than this.",
    ),
)

says = click.option(
    "--says",
    metavar="WORDS",
    help="Only images that show all these words, or phrases in quotes: 'receipt \"new york\"'. "
    "`clipsearch read` reads the images.",
)

_location = click.option(
    "--uri",
    envvar="CLIPSEARCH_URI",
    default=config.default_uri,
    show_default="a file in the user's data folder",
    help="A .db file, or the address of a Milvus server. [env: CLIPSEARCH_URI]",
)
_collection = click.option(
    "-c",
    "--collection",
    envvar="CLIPSEARCH_COLLECTION",
    default=config.default_collection,
    show_default=config.COLLECTION,
    help="Name of the collection in the store. [env: CLIPSEARCH_COLLECTION]",
)


def _token(name: str) -> Callable[[F], F]:
    return click.option(
        name,
        "token",
        envvar="CLIPSEARCH_TOKEN",
        help="user:password or API key of a Milvus server. [env: CLIPSEARCH_TOKEN]",
    )


def database(command: F) -> F:
    """Add --database, which the command gets as a part of its `uri`."""

    @click.option(
        "--database",
        help="Database of a Milvus server, as http://HOST:PORT/DATABASE. "
        "[env: CLIPSEARCH_DATABASE]  [default: the server's]",
    )
    @wraps(command)
    def with_database(*args: Any, uri: str | None, database: str | None, **options: Any) -> Any:
        if database:
            uri = join_database(uri or config.default_uri(), database).text
        return command(*args, uri=uri, **options)

    return cast("F", with_database)


uri = add_options(_location, database, _token("--token"))
store = add_options(uri, _collection)
served_store = add_options(_location, database, _token("--store-token"), _collection)
