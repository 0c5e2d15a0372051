"""Facets: which values the images of a collection have, and how many images have each."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from clipsearch.index import Index
from clipsearch.records import ImageRecord

MAX_VALUES = 1_000
"""Values of one facet, the most frequent ones."""

MAX_FOLDERS = 5_000


def facets_json(index: Index) -> dict[str, Any]:
    """Count the values of all images, see `Facets`; of an empty collection if there is none."""
    collection = index.find_collection()
    if collection is None:
        return count_facets((), ())
    return count_facets(collection.scan(), collection.info.roots)


def count_facets(records: Iterable[ImageRecord], roots: Sequence[Path]) -> dict[str, Any]:
    """Count the values of some records; a folder's count includes the folders in it."""
    tags, cameras, formats = Counter[str](), Counter[str](), Counter[str]()
    years, folders = Counter[int](), Counter[PurePath]()
    first: datetime | None = None
    last: datetime | None = None
    images = located = 0
    for record in records:
        images += 1
        tags.update(record.tags)
        formats[record.format] += 1
        folders[record.path.parent] += 1
        located += record.latitude is not None
        if record.camera:
            cameras[record.camera] += 1
        if (taken := record.taken_at) is not None:
            years[taken.year] += 1
            first, last = min(first or taken, taken), max(last or taken, taken)
    return {
        "images": images,
        "located": located,
        "tags": _ranked(tags),
        "cameras": _ranked(cameras),
        "formats": _ranked(formats),
        "years": [{"year": year, "images": count} for year, count in sorted(years.items())],
        "taken_first": None if first is None else first.isoformat(),
        "taken_last": None if last is None else last.isoformat(),
        "folders": _folder_tree(folders, roots),
    }


def _ranked(counts: Counter[str]) -> list[dict[str, Any]]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"value": value, "images": count} for value, count in ranked[:MAX_VALUES]]


def _folder_tree(direct: Counter[PurePath], roots: Sequence[Path]) -> list[dict[str, Any]]:
    """The folders below the roots by path, each with the images in it and below.

    Of too many the deepest are left out. Images outside of the roots were ingested by themselves;
    their own folders count only them.
    """
    totals = Counter[PurePath]()
    for folder, count in direct.items():
        parents = (folder, *folder.parents)
        tops = [root for root in roots if root in parents]
        if not tops:
            totals[folder] += count
            continue
        outermost = min(tops, key=lambda root: len(root.parts))
        for parent in parents[: parents.index(outermost) + 1]:
            totals[parent] += count
    shallow = sorted(totals, key=lambda folder: (len(folder.parts), folder))[:MAX_FOLDERS]
    known = set(map(PurePath, roots))
    return [
        {"path": str(folder), "images": totals[folder], "root": folder in known}
        for folder in sorted(shallow)
    ]
