"""Write an HTML page that shows each image of a folder beside its nearest neighbors.

    python examples/similar_report.py ~/Pictures/2024 similar.html

All images are searched for in one call of `search_many`, which is faster than one call each.
"""

import argparse
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from clipsearch import Filters, Hit, ImageRecord, Index, Query, StoredImage, Term


def main() -> None:
    """Ingest the folder, search for each of its images, and write the page."""
    parser = argparse.ArgumentParser(description="Show images beside their nearest neighbors.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("page", type=Path)
    parser.add_argument("--neighbors", type=int, default=4, metavar="N")
    options = parser.parse_args()

    folder = options.folder.resolve()
    with Index.open() as index:
        index.ingest(folder)
        images = [i for i in index.collection.scan() if i.path.is_relative_to(folder)]
        images.sort(key=lambda image: image.path)
        queries = [
            Query(
                (Term(StoredImage(image.id)),),
                limit=options.neighbors,
                filters=Filters(under=folder),
                exclude_images=True,  # not the image itself
            )
            for image in images
        ]
        neighbors = index.search_many(queries)
    options.page.write_text("\n".join(page(images, neighbors)), encoding="utf-8")


def page(images: Sequence[ImageRecord], neighbors: Sequence[Sequence[Hit]]) -> Iterator[str]:
    """The lines of an HTML page: one row of thumbnails for each image."""
    yield "<!doctype html><meta charset='utf-8'><title>Similar images</title>"
    yield "<style>img{height:140px;margin:4px}figure{display:inline-block;margin:0}</style>"
    for image, hits in zip(images, neighbors, strict=True):
        yield "<p>" + figure(image.path, "") + "→"
        yield from (figure(hit.path, f"{hit.score:.3f}") for hit in hits)


def figure(path: Path, caption: str) -> str:
    """One thumbnail with its name."""
    name = escape(path.name)
    image = f"<img src='{escape(path.as_uri())}' alt='{name}'>"
    return f"<figure>{image}<figcaption>{name} {caption}</figcaption></figure>"


if __name__ == "__main__":
    main()
