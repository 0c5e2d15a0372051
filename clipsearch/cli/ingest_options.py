"""The options of `ingest`, some of which `watch` and `read` share."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click
from click.core import ParameterSource

from clipsearch.cli.options import MODEL_ENV, MODEL_HELP
from clipsearch.errors import UsageError
from clipsearch.files.walk import FileSelection
from clipsearch.locations.source_fields import FieldSelection
from clipsearch.ocr.reader import load_reader
from clipsearch.store.index.choice import AUTO, CHOICES
from ingest.options import IngestOptions
from ingest.ray.options import RayEngine, require_ray
from ingest.sources.parquet_source import ParquetOptions
from ingest.sources.source import SourceOptions

F = TypeVar("F", bound=Callable[..., Any])

model = click.option(
    "--model", help=f"{MODEL_HELP} For a new collection. {MODEL_ENV}  [default: auto]"
)
max_pixels = click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=IngestOptions().max_pixels,
    show_default=True,
    help="Reject images with more pixels than this. A JPEG counts as it is decoded: at up to 1/8.",
)
index = click.option(
    "--index",
    "index_kind",
    type=click.Choice(CHOICES),
    default=AUTO,
    show_default=True,
    help="Kind of vector index of a new collection, see `clipsearch index`.",
)
recall = click.option(
    "--recall",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="0..1",
    help="Share of the nearest images that searches of a new collection are to find.  "
    "[default: 0.98]",
)
ocr_model = click.option(
    "--ocr-model",
    metavar="NAME|FOLDER",
    help="Model that recognizes text.  [default: the one that comes with the extra ocr]",
)
quiet = click.option("-q", "--quiet", is_flag=True, help="Print failures only.")


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


def reads(command: F) -> F:
    """Add options that are passed as `reader`: what reads text afterwards, None if nothing does.

    Without the extra or the model, the command fails before it does anything.
    """

    @click.option(
        "--read",
        "is_wanted",
        is_flag=True,
        help="Then read the text in the images, see `clipsearch read`.",
    )
    @ocr_model
    @wraps(command)
    def with_reader(*args: Any, is_wanted: bool, ocr_model: str | None, **options: Any) -> Any:
        reader = load_reader(ocr_model) if is_wanted or ocr_model is not None else None
        return command(*args, reader=reader, **options)

    return cast("F", with_reader)


def ray_engine(command: F) -> F:
    """Add options that are passed to the command as one `RayEngine`, or None without Ray."""

    @click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="What does the work: this process, or Ray on this machine or a cluster.",
    )
    @click.option(
        "--ray-address",
        metavar="ADDRESS",
        envvar="RAY_ADDRESS",
        help="The Ray cluster to join, such as auto or ray://HOST:10001. [env: RAY_ADDRESS]  "
        "[default: start Ray here]",
    )
    @click.option(
        "--ray-encoders",
        type=click.IntRange(min=1),
        metavar="N",
        help="Processes that hold the model.  [default: as many as keep up]",
    )
    @click.option(
        "--ray-gpus",
        type=click.FloatRange(min=0),
        metavar="N",
        help="GPUs for each of these processes.  [default: 1 if the cluster has any]",
    )
    @click.option(
        "--ray-batch",
        type=click.IntRange(min=1),
        metavar="N",
        default=RayEngine().batch,
        show_default=True,
        help="Images that one process encodes at once.",
    )
    @click.option(
        "--bulk",
        metavar="FOLDER|URI",
        help="With --engine ray, for a new collection on a Milvus server: write Parquet files "
        "here, in the storage of the server, which then imports them.",
    )
    @wraps(command)
    def with_engine(
        *args: Any,
        engine: str,
        ray_address: str | None,
        ray_encoders: int | None,
        ray_gpus: float | None,
        ray_batch: int,
        bulk: str | None,
        **options: Any,
    ) -> Any:
        if engine == "ray":
            require_ray()  # before a store is created
        else:
            _refuse_ray_options()
        chosen = RayEngine(ray_address, ray_encoders, ray_gpus, ray_batch, bulk)
        return command(*args, engine=chosen if engine == "ray" else None, **options)

    return cast("F", with_engine)


def _refuse_ray_options() -> None:
    """Raise UsageError if an option that only Ray uses is on the command line."""
    context = click.get_current_context()
    for name in ("ray_address", "ray_encoders", "ray_gpus", "ray_batch", "bulk"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(f"--{name.replace('_', '-')} needs --engine ray")


def sources(command: F) -> F:
    """Add options that are passed to the command as one `SourceOptions`."""

    @click.option(
        "--image-column",
        metavar="NAME",
        help="Column of Parquet files that holds the images.  [default: one with a usual name]",
    )
    @click.option(
        "--metadata-columns",
        metavar="NAMES",
        help="Store only these columns of Parquet files, or fields of the JSON in archives: a,b.",
    )
    @click.option("--no-metadata", is_flag=True, help="Store no such columns and fields.")
    @wraps(command)
    def with_sources(
        *args: Any,
        image_column: str | None,
        metadata_columns: str | None,
        no_metadata: bool,
        **options: Any,
    ) -> Any:
        if no_metadata and metadata_columns:
            raise UsageError("give --metadata-columns or --no-metadata, not both")
        names = [name.strip() for name in (metadata_columns or "").split(",") if name.strip()]
        chosen = tuple(names) if names or no_metadata else None
        source_options = SourceOptions(FieldSelection(chosen), ParquetOptions(image_column))
        return command(*args, source_options=source_options, **options)

    return cast("F", with_sources)
