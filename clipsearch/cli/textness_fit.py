"""`clipsearch textness fit`, `show` and `reset`."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from clipsearch.cli import options
from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.textness import TextnessProbe
from clipsearch.textness.fit import MIN_IMAGES
from clipsearch.textness.self_supervised import IMAGES_PER_CLASS

STORED, SHIPPED = "store", "clipsearch"
SOURCES = {
    STORED: "a fit in this store, for all collections of the model",
    SHIPPED: "part of clipsearch",
}


@click.command()
@click.option(
    "--with-text",
    multiple=True,
    type=options.FOLDER,
    metavar="DIR",
    help="Folder of images with text. Repeatable.",
)
@click.option(
    "--without-text",
    multiple=True,
    type=options.FOLDER,
    metavar="DIR",
    help="Folder of images without text. Repeatable.",
)
@click.option(
    "--per-class",
    type=click.IntRange(min=MIN_IMAGES),
    metavar="N",
    help=f"Number of images with text, and without, to sample.  [default: {IMAGES_PER_CLASS}]",
)
@click.option(
    "--force", is_flag=True, help="Replace the present probe even if it is more accurate."
)
@options.seed
@options.as_json
@options.store
@options.runtime
def fit(
    *,
    with_text: tuple[Path, ...],
    without_text: tuple[Path, ...],
    per_class: int | None,
    force: bool,
    seed: int,
    as_json: bool,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
) -> None:
    """Fit the textness probe of a model, and store it.

    By default words are drawn onto a sample of the images of the collection; a larger sample
    improves the probe slightly. With --with-text and --without-text it is fitted on your images,
    100 or more of each.

    The probe belongs to the model: all collections of the model in this store use it, and so do all
    users of the store. It replaces the present probe unless that one is more accurate on the same
    images. The one before is kept: `textness reset --previous` brings it back.

    \b
    clipsearch textness fit --per-class 500
    clipsearch textness fit --with-text ~/Screenshots --without-text ~/Vacation
    """
    examples = [_image_files(with_text), _image_files(without_text)]
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        probe = index.textness.fit(*examples, per_class=per_class, seed=seed, force=force)
    _show_probe(probe, STORED, {}, as_json=as_json)


@click.command()
@options.as_json
@options.store
@options.runtime
def show(*, as_json: bool, uri: str, token: str | None, collection: str, runtime: Runtime) -> None:
    """Show the accuracy, date, training data and source of the model's textness probe."""
    with Index.open(
        uri, collection=collection, token=token, create=False, **runtime.options()
    ) as index:
        stored = index.textness
        probe = stored.find()
        if probe is None:
            raise UsageError(
                f"no textness probe for {stored.collection.info.model.name}: run "
                "`clipsearch textness fit`, or a query with --textness"
            )
        source = STORED if stored.is_stored() else SHIPPED
        _show_probe(probe, source, stored.cosines(), as_json=as_json)


@click.command()
@click.option(
    "--previous", is_flag=True, help="Go back to the fit that the last one replaced, if any."
)
@options.store
def reset(*, previous: bool, uri: str, token: str | None, collection: str) -> None:
    """Remove the stored textness fit of the model, for all collections of the store.

    pocket then uses the probe that is part of clipsearch; for other models, the next query with
    textness fits one. The removed fit is kept: `--previous` brings it back.

    \b
    clipsearch textness reset
    clipsearch textness reset --previous
    """
    with Index.open(uri, collection=collection, token=token, create=False) as index:
        stored, model = index.textness, index.collection.info.model.name
        probe = stored.restore() if previous else stored.reset()
    if previous and probe:
        click.echo(f"{model} uses the textness fit of {probe.created_at} again", err=True)
    elif probe:
        click.echo(f"{model} uses the textness probe of clipsearch again", err=True)
    else:
        click.echo(
            f"{model} has no textness probe: the next query with textness fits one", err=True
        )


def _image_files(folders: Sequence[Path]) -> list[Path]:
    """Return the image files in some folders; raise UsageError if there are folders without any."""
    images = [file.path for file in FileSource(folders) if isinstance(file, ImageFile)]
    if folders and not images:
        raise UsageError(f"no images in {', '.join(map(str, folders))}")
    return images


def _show_probe(
    probe: TextnessProbe, source: str, cosines: dict[str, float], *, as_json: bool
) -> None:
    if as_json:
        values = probe.as_json()
        del values["bias"], values["version"]
        values["source"] = source
        click.echo(json.dumps(values | ({"cosines": cosines} if cosines else {})))
        return
    lines = [
        f"model         {probe.model.name}, {probe.model.dim} dimensions",
        f"source        {SOURCES[source]}",
        f"fitted        {probe.created_at}",
        f"on            {probe.with_text:,} images with text, {probe.without_text:,} without",
        f"accuracy      {probe.accuracy:.3f} on held-out images",
        f"AUC           {probe.auc:.3f}",
    ]
    if cosines:
        lines.append("similar texts")
        lines += [f"  {cosine:+.3f}      {text}" for text, cosine in cosines.items()]
    click.echo("\n".join(map(escape_control, lines)))
