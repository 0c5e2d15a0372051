"""`clipsearch demo`."""

import contextlib
import sys
from importlib.util import find_spec
from pathlib import Path

import click
from tqdm import tqdm

from clipsearch.cli import options
from clipsearch.errors import MissingCollectionError, UsageError
from clipsearch.index import Index
from clipsearch.query import Query, Term
from clipsearch.render import table
from clipsearch.render.contact_sheet import write_sheet
from clipsearch.render.section import Section
from clipsearch.store import Store

COLLECTION = "clipsearch_demo"
# The rest of the package's pictures are drawings, test patterns and stacks.
SAMPLE_IMAGES = (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png",
    "coffee.png", "coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png",
    "microaneurysms.png", "moon.png", "motorcycle_left.png", "motorcycle_right.png", "page.png",
    "retina.jpg", "rocket.jpg", "text.png",
)  # fmt: skip


@click.command()
@options.uri
@click.option("--model", default="pocket", show_default=True, help="See `clipsearch models`.")
@click.option(
    "--sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("clipsearch-demo.png"),
    show_default=True,
    help="Where to draw the results.",
)
def demo(*, uri: str, token: str | None, model: str, sheet: Path) -> None:
    """Ingest a few real photographs and search them by text, by picture and by both.

    They come with the package scikit-image and go into a collection of their own, made afresh.
    """
    records = _sample_images()
    with Store.open(uri, token=token) as store, contextlib.suppress(MissingCollectionError):
        store.drop(COLLECTION)
    with Index.open(uri, collection=COLLECTION, model=model, token=token) as index:
        with tqdm(unit=" images", disable=not sys.stderr.isatty()) as bar:
            report = index.ingest(*(records / name for name in SAMPLE_IMAGES), progress=bar)
        for line in report.lines():
            click.echo(line)
        motorcycle, moon = records / "motorcycle_left.png", records / "moon.png"
        searches = {
            'text: "a cup of coffee"': (Term("a cup of coffee"),),
            "picture: motorcycle_left.png": (Term(motorcycle),),
            'both: "stars at night" + moon.png': (Term("stars at night"), Term(moon)),
        }
        found = index.search_many([Query(terms, limit=4) for terms in searches.values()])
    sections = []
    for (title, terms), hits in zip(searches.items(), found, strict=True):
        click.echo(f"\n{title}\n{table.hits_table(hits, relative_to=records)}")
        images = [term.content for term in terms if isinstance(term.content, Path)]
        sections.append(Section(title, hits, images))
    write_sheet(sheet, sections)
    click.echo(f"\ncontact sheet: {sheet}")
    click.echo(f'next: clipsearch query "a cat" --collection {COLLECTION}')


def _sample_images() -> Path:
    package = find_spec("skimage")
    if package is None or not package.submodule_search_locations:
        raise UsageError(
            "the demo's photographs come with scikit-image: pip install 'clipsearch[demo]'"
        )
    return Path(package.submodule_search_locations[0]) / "data"
