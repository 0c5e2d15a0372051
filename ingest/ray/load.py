"""Stages before the model: list files, leave out unchanged ones, hash and decode the others."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from clipsearch.files.load import HashedFile, LoadedImage, load_image
from clipsearch.files.pool import Pool, ordered
from clipsearch.models.embedding import BATCH
from clipsearch.types import Failure
from ingest.ray.items import Embedded, Item, Listing, Loaded, Note, without_content
from ingest.ray.job import Job
from ingest.ray.worker import Worker
from ingest.report import StageTime, Tally
from ingest.sources.item import Item as Listed


def list_files(job: Job, places: Sequence[Path]) -> Iterator[Listed | Note]:
    """Yield the images in some places, then what was skipped there."""
    source = job.source.part(places)
    yield from source
    yield Note(listing=Listing.of(source))


def load_files(worker: Worker, items: Sequence[Listed | Note]) -> Iterator[Item]:
    """Yield what becomes of each file: an image to embed, a row with its content, or a failure."""
    started = time.monotonic()
    yield from (item for item in items if isinstance(item, Note))
    files = [item for item in items if not isinstance(item, Note)]
    tally = Tally()
    loader = _Loader(worker, files, tally)
    with Pool(threads=1) as pool:
        yield from loader.run(pool)
    yield from tally.failed
    seconds = time.monotonic() - started
    yield Note(tally.outcomes, {"load": StageTime(len(files), seconds)})


class _Loader:
    """One batch of files on their way to images."""

    def __init__(self, worker: Worker, files: Sequence[Listed], tally: Tally) -> None:
        self._worker = worker
        self._changes = worker.changes.of(files, tally)
        self._tally = tally

    def run(self, pool: Pool) -> Iterator[Item]:
        contents: defaultdict[str, list[HashedFile]] = defaultdict(list)
        for item in self._changes.hashed(pool):
            if isinstance(item, Failure):
                yield item
            else:
                contents[item.content_hash].append(item)
        new = []
        for files, known in self._look_up(contents):
            if known is None:
                new.append(files)
            else:
                yield known
        while new:
            orphans = []
            for files, result in ordered(pool, self._load, new, ahead=BATCH):
                if isinstance(result, LoadedImage):
                    yield Loaded(without_content(files), result)
                elif result.kind == "invalid":
                    yield from (self.reject(result, file) for file in files)
                else:
                    yield result  # of this file only; one with the same content may be readable
                    if files[1:]:
                        orphans.append(files[1:])
            new = orphans

    def reject(self, failure: Failure, file: HashedFile) -> Failure:
        """The failure of a file whose content cannot be used."""
        state = self._changes.failures.state(file.file)
        return replace(failure, path=file.file.path, state=state)

    def _look_up(
        self, contents: dict[str, list[HashedFile]]
    ) -> Iterator[tuple[list[HashedFile], Embedded | None]]:
        """Yield the files of each content, with the row that the collection has of it, if any."""
        collection = self._worker.collection
        if collection is None:
            yield from ((files, None) for files in contents.values())
            return
        files = [file for same in contents.values() for file in same]
        copies = self._changes.stored_copies(files)
        rows = collection.get([found.any_id for found in copies.values() if found])
        for content_hash, same in contents.items():
            found = copies[content_hash]
            row = rows.get(found.any_id) if found else None
            if row is None:
                yield same, None
                continue
            changed = [file for file in same if not self._changes.is_unchanged(file, found)]
            self._tally.outcomes["unchanged"] += len(same) - len(changed)
            if changed:
                yield changed, Embedded(without_content(changed), row, is_new=False)

    def _load(self, files: list[HashedFile]) -> tuple[list[HashedFile], LoadedImage | Failure]:
        return files, load_image(
            files[0],
            encoder=self._worker.preprocessor,
            max_pixels=self._worker.job.options.max_pixels,
        )
