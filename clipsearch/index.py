"""The Python API: one collection of images, and the model that made it."""

from collections.abc import Sequence
from pathlib import Path

from clipsearch import arguments
from clipsearch.calibration_session import CalibrationSession
from clipsearch.classify import LinearProbe
from clipsearch.classify.classifier import to_classifier
from clipsearch.classify.predictions import Classification, check_top_and_threshold, classify_rows
from clipsearch.classify.tags import DEFAULT_THRESHOLD, TagReport, clear_tags, tag_images
from clipsearch.classify.templates import DEFAULT_TEMPLATES
from clipsearch.errors import UsageError
from clipsearch.files.progress import OpenProgress, Progress, no_progress, show_covered_rows
from clipsearch.files.walk import FileSelection
from clipsearch.models.embedding import embed_images, embed_texts
from clipsearch.models.text_loss import log_text_losses
from clipsearch.parquet_session import ParquetSession
from clipsearch.query import Filters, Query
from clipsearch.query.condition import select_rows
from clipsearch.query.embed import open_image
from clipsearch.query.image_input import ImageInput, to_contents
from clipsearch.query.near_duplicates import DuplicateGroup, find_near_duplicates
from clipsearch.query.probability import log_ignored_cuts
from clipsearch.query.search import query_texts, rank_by_text, search
from clipsearch.reindexing import ReindexingSession
from clipsearch.render.notebook import Hits
from clipsearch.search_api import SearchAPI
from clipsearch.store import Collection
from clipsearch.store.index.wait import wait_for_index
from clipsearch.store.schema import TAGS
from clipsearch.text_session import TextSession
from clipsearch.textness import Textness
from clipsearch.types import Vectors
from ingest.dry_run import preview
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.ray.options import RayEngine
from ingest.removal import remove_images
from ingest.report import IngestReport, Tally
from ingest.sources.source import Source, open_source, plain_files


class Index(SearchAPI, ReindexingSession, ParquetSession, TextSession, CalibrationSession):
    """A searchable collection of images in a Milvus store.

    Use it from one thread at a time, and close it, best with `with`.
    """

    def ingest(
        self,
        *paths: str | Path,
        selection: FileSelection | None = None,
        options: IngestOptions | None = None,
        dry_run: bool = False,
        progress: Progress | None = None,
        engine: RayEngine | None = None,
    ) -> IngestReport:
        """Store the new and changed images in folders and files; see `IngestReport`.

        `selection` says which files of a folder to include. With `dry_run` nothing is written and
        no model is loaded. `engine` does the work. Raises UsageError if a path does not exist.
        """
        if not paths:
            raise UsageError("nothing to ingest: give folders or files")
        source = open_source(arguments.flat_paths("paths", paths), selection)
        return self.ingest_source(
            source, options=options, dry_run=dry_run, progress=progress, engine=engine
        )

    def ingest_source(
        self,
        source: Source,
        *,
        options: IngestOptions | None = None,
        dry_run: bool = False,
        progress: Progress | None = None,
        tally: Tally | None = None,
        engine: RayEngine | None = None,
    ) -> IngestReport:
        """Store the new and changed images of a source, counted in `tally`; see `ingest`."""
        options = arguments.instance("options", options, IngestOptions)
        self.refresh(now=True)
        collection = self.find_collection()
        if dry_run:
            return preview(source, collection, options, progress)
        if collection is None:  # an empty folder creates no collection
            source.require_any()
        encoder = self.load(plain_files(source))
        try:
            run = engine.bind(self.store, self._model, self._runtime) if engine else ingest
            return run(source, self.create_collection(), encoder, options, progress, tally)
        finally:
            if collection is None:  # empty, it would tie the next ingestion to this model
                self.drop_if_empty()

    def wait_for_index(self, progress: Progress | None = None) -> int:
        """Wait until the index of a server covers the images; return how many rows it does not.

        Until then searches may miss images. Ctrl-C stops the waiting, not the server.
        """
        name = self.collection.info.milvus_name
        return wait_for_index(self.store.backend, name, show_covered_rows(progress))

    def remove(self, *paths: str | Path) -> int:
        """Remove the images at some paths or under folders, stored or failed; return how many.

        The files stay as they are, and need not exist any more.
        """
        flat = arguments.flat_paths("paths", paths)
        return self.read(lambda collection: remove_images(collection, flat))

    def rank_by_text(
        self,
        *,
        limit: int = 10,
        offset: int = 0,
        filters: Filters | None = None,
        min_textness: float = 0,
    ) -> Hits:
        """Find the images with most text: screenshots, receipts, memes, signs.

        Those with a textness below `min_textness` are left out. Raises UsageError if that is not
        a number from 0 to 1.
        """
        least = arguments.share("minimum textness", min_textness)
        limit, offset = arguments.page(limit, offset)
        filters = arguments.instance("filters", filters, Filters)
        page = {"limit": limit, "offset": offset}
        hits = self.read(
            lambda collection: rank_by_text(
                Textness(collection, self.load), **page, filters=filters
            )
        )
        return Hits([hit for hit in hits if (hit.textness or 0) >= least])

    def classify(
        self,
        labels: Sequence[str] | LinearProbe,
        *,
        templates: Sequence[str] = DEFAULT_TEMPLATES,
        filters: Filters | None = None,
        top: int | None = None,
        threshold: float = 0.0,
    ) -> list[Classification]:
        """Choose the best of some labels for each image, or apply a probe; sorted by path.

        See `clipsearch.classify_images`, which does the same for files, for the other options and
        the errors.
        """
        check_top_and_threshold(top=top, threshold=threshold)
        filters = arguments.instance("filters", filters, Filters)

        def classify(collection: Collection) -> list[Classification]:
            model = collection.info.model
            classifier = to_classifier(labels, templates, model=model, encoder=self.load)
            rows = select_rows(collection, filters)
            found = classify_rows(rows, classifier, top=top, threshold=threshold)
            return sorted(found, key=lambda result: result.record.path)

        return self.read(classify)

    def tag(
        self,
        labels: Sequence[str] | LinearProbe,
        *,
        templates: Sequence[str] = DEFAULT_TEMPLATES,
        filters: Filters | None = None,
        threshold: float = DEFAULT_THRESHOLD,
        add: bool = False,
    ) -> TagReport:
        """Store each image's best label as a tag, for `Filters(tags=…)`; see `TagReport`.

        An image gets no tag if its best label has a probability below `threshold`. Old tags are
        removed; with `add` those that are not among `labels` stay.
        """
        filters = arguments.instance("filters", filters, Filters)

        def tag(collection: Collection) -> TagReport:
            collection.require_fields([TAGS])  # before a model is loaded
            model = collection.info.model
            classifier = to_classifier(labels, templates, model=model, encoder=self.load)
            return tag_images(collection, classifier, threshold=threshold, add=add, filters=filters)

        return self.read(tag)

    def clear_tags(self, *, filters: Filters | None = None) -> int:
        """Remove all tags; return how many images had any."""
        filters = arguments.instance("filters", filters, Filters)
        return self.read(lambda collection: clear_tags(collection, filters=filters))

    def tags(self) -> dict[str, int]:
        """Count the images with each tag, the most frequent first, equal numbers by tag."""
        return dict(self.read(Collection.tags).most_common())

    def duplicates(
        self,
        *,
        threshold: float | None = None,
        compare_pixels: bool = True,
        progress: OpenProgress = no_progress,
    ) -> list[DuplicateGroup]:
        """Group images that look the same; see `find_near_duplicates`.

        `progress` opens a bar for each stage: "read", then "compare".
        """
        return self.read(
            lambda collection: find_near_duplicates(
                collection, threshold, compare_pixels=compare_pixels, progress=progress
            )
        )

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed texts as (n, d) float32 of length 1, in order; a str is one text."""
        self.refresh()
        vectors = embed_texts(self.encoder, texts := arguments.texts("texts", texts))
        log_text_losses(self.encoder, texts)
        return vectors

    def embed_images(self, images: ImageInput | Sequence[ImageInput]) -> Vectors:
        """Embed image files, or images in memory, as (n, d) float32 of length 1, in order.

        `images` may also be a single one, see `Term`. Raises ImageError naming a file that cannot
        be read, and UsageError on a value that is not an image.
        """
        self.refresh()
        return embed_images(self.encoder, [open_image(image) for image in to_contents(images)])

    def _search(self, queries: Sequence[Query]) -> list[Hits]:
        results = self.read(lambda collection: search(queries, self.load, collection))
        if texts := query_texts(queries):
            log_text_losses(self.encoder, texts)
        if results:
            log_ignored_cuts(queries, results, self.collection.info.model.name)
        return [Hits(hits) for hits in results]

    @property
    def textness(self) -> Textness:
        """How much text the images contain: the probe, its fit, and a ranking by it."""
        self.refresh()
        return Textness(self.collection, self.load)

    def __repr__(self) -> str:
        """Return store, collection, and the number of images and their model."""
        content = f", {len(self):,} images by {self.model.name}" if self.model else ", empty"
        return f"<Index {self.name!r} in {self.store.uri}{content}>"

    def __len__(self) -> int:
        """Return the number of images in the collection."""
        return 0 if self._collection is None else self.read(Collection.count)
