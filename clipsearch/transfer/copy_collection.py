"""Copy collections with all that the catalog knows of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clipsearch.errors import StoreError, UsageError
from clipsearch.files.progress import OpenProgress, no_progress
from clipsearch.store import Collection, Store
from clipsearch.store.catalog import Catalog
from clipsearch.transfer.catalog_facts import copy_failures, copy_roots
from clipsearch.transfer.copy_rows import CopyReport, copy_rows
from clipsearch.transfer.copy_texts import copy_texts
from clipsearch.transfer.outdated_texts import remove_outdated
from clipsearch.transfer.target import find_target, open_target
from clipsearch.uri import StoreURI


@dataclass(frozen=True, slots=True)
class CopiedCollection:
    """What became of one collection: its name in the source and in the target, and the rows.

    `texts` are those sent that were read in the images.
    """

    name: str
    target_name: str
    rows: CopyReport
    texts: int = 0


def require_other(source: StoreURI, target: StoreURI, name: str | None, new_name: str) -> None:
    """Raise UsageError if a collection would be copied to itself.

    `name` is None for all collections.
    """
    if source.path is not None and target.path is not None:
        is_same = source.key == target.key or (
            source.path.exists() and target.path.exists() and source.path.samefile(target.path)
        )
    else:
        is_same = source.key == target.key
    if is_same and (name is None or name == new_name):
        raise UsageError(
            f"{source.display} is the source and the target: name another target, or copy one "
            "collection to another name (--collection NAME --to-collection OTHER)"
        )


def copy_collections(
    source: Store,
    target: Store,
    name: str | None = None,
    new_name: str | None = None,
    *,
    delete: bool = False,
    compare_all: bool = False,
    open_progress: OpenProgress = no_progress,
) -> Iterator[CopiedCollection]:
    """Copy one collection, as `new_name` if given, or all; yield the result of each.

    See `copy_rows` for `delete` and `compare_all`. Raises MissingCollectionError if the source has
    no such collection, and StoreError if one is of a newer version. Before anything is written,
    raises ModelMismatchError if the target has a collection of the same name whose vectors are of
    another model, and StoreError if it lacks fields.
    """
    if name is not None:
        collections = [source.collection(name)]
    else:  # also those of newer versions, which raise an error
        found = map(source.find, Catalog(source.backend).names())
        collections = [collection for collection in found if collection is not None]
    if not collections:
        raise StoreError(f"{source.uri} has no collections: nothing to copy")
    pairs = [(collection, new_name or collection.info.name) for collection in collections]
    for collection, target_name in pairs:
        find_target(target, target_name, collection.info.model, collection.info.schema_version)
    for collection, target_name in pairs:
        info = collection.info
        copied = open_target(
            target, target_name, info.model, info.schema_version, info.index.recall
        )
        rows = copy_collection(
            collection,
            copied,
            delete=delete,
            compare_all=compare_all,
            open_progress=open_progress,
        )
        texts = copy_texts(collection, copied)
        remove_outdated(copied)
        copied.finish_writes()
        yield CopiedCollection(collection.info.name, target_name, rows, texts)


def copy_collection(
    source: Collection,
    target: Collection,
    *,
    delete: bool = False,
    compare_all: bool = False,
    open_progress: OpenProgress = no_progress,
) -> CopyReport:
    """Copy rows and what the catalog knows to a collection of the same model."""
    archives = source.archives.read()
    if delete:  # before the rows in them
        target.archives.retain(archives)
    rows = copy_rows(
        source, target, delete=delete, compare_all=compare_all, open_progress=open_progress
    )
    copy_roots(source, target, delete=delete)
    copy_failures(source, target, delete=delete)
    if rows.is_complete and not (rows.damaged or rows.refused):
        present = source.archives.read()
        target.archives.write(
            {path: archives[path] for path in archives if archives[path] == present.get(path)}
        )
    probe = source.textness()
    if probe is not None and probe != target.textness():
        target.set_textness(probe)
    calibration = source.calibration.read()
    if calibration is not None and calibration != target.calibration.read():
        target.calibration.write(calibration)
    target.finish_writes()
    return rows
