"""`clipsearch demo`."""

import contextlib
from importlib.util import find_spec
from pathlib import Path

import click

from clipsearch.cli import options
from clipsearch.cli.progress import progress_bar
from clipsearch.errors import MissingCollectionError, UsageError
from clipsearch.index import Index
from clipsearch.query import Query, Term
from clipsearch.render import table
from clipsearch.render.contact_sheet import write_sheet
from clipsearch.render.result_section import Section
from clipsearch.session import open_store

COLLECTION = "clipsearch_demo"
# The other images of scikit-image are drawings, test patterns and image stacks.
SAMPLE_IMAGES = [
    "astronaut.png",
    "brick.png",
    "camera.png",
    "cell.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "microaneurysms.png",
    "moon.png",
    "motorcycle_left.png",
    "motorcycle_right.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
]


@click.command()
@options.uri
@click.option("--model", default="pocket", show_default=True, help=options.MODEL_HELP)
@click.option(
    "--sheet",
    type=options.FILE,
    default=Path("clipsearch-demo.png"),
    show_default=True,
    metavar="FILE",
    help="Where to write the contact sheet.",
)
def demo(*, uri: str, token: str | None, model: str, sheet: Path) -> None:
    """Ingest sample images and search them by text, by image, and by both.

    The images come with scikit-image. They are ingested into a separate collection, which is
    recreated on each run.
    """
    folder = _sample_folder()
    with open_store(uri, token=token) as store, contextlib.suppress(MissingCollectionError):
        store.drop(COLLECTION)
    with Index.open(uri, collection=COLLECTION, model=model, token=token) as index:
        with progress_bar() as bar:
            report = index.ingest(*(folder / name for name in SAMPLE_IMAGES), progress=bar)
        for line in report.lines():
            click.echo(line)
        motorcycle, moon = folder / "motorcycle_left.png", folder / "moon.png"
        searches = {
            'text: "a cup of coffee"': (Term("a cup of coffee"),),
            "image: motorcycle_left.png": (Term(motorcycle),),
            'both: "stars at night" + moon.png': (Term("stars at night"), Term(moon)),
        }
        results = index.search_many([Query(terms, limit=4) for terms in searches.values()])
    sections = []
    for (title, terms), hits in zip(searches.items(), results, strict=True):
        click.echo(f"\n{title}\n{table.hits_table(hits, relative_to=folder)}")
        images = [term.content for term in terms if isinstance(term.content, Path)]
        sections.append(Section(title, hits, images))
    write_sheet(sheet, sections)
    click.echo(f"\ncontact sheet: {sheet}")
    click.echo(f'next: clipsearch query "a cat" --collection {COLLECTION}')


def _sample_folder() -> Path:
    package = find_spec("skimage")
    if package is None or not package.submodule_search_locations:
        raise UsageError("the sample images come with scikit-image: pip install 'clipsearch[demo]'")
    return Path(package.submodule_search_locations[0]) / "data"
