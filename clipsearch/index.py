"""The public API: one collection of pictures, and the model that made it."""

import logging
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Self

from PIL.Image import Image

from clipsearch import config
from clipsearch.classify import LinearProbe
from clipsearch.classify.class_matrix import build_class_matrix
from clipsearch.classify.predictions import (
    Classification,
    Classifier,
    check_top_and_threshold,
    classify_rows,
)
from clipsearch.classify.tags import DEFAULT_THRESHOLD, TagReport, clear_tags, tag_images
from clipsearch.classify.templates import DEFAULT_TEMPLATES
from clipsearch.daemon.endpoint import existing
from clipsearch.daemon.remote_encoder import remote_encoder
from clipsearch.errors import ModelMismatchError, UnknownModelError, UsageError
from clipsearch.files.discover import FileSource
from clipsearch.files.paths import canonical
from clipsearch.files.progress import Progress
from clipsearch.files.walk import FileSelection
from clipsearch.images.decode import upright
from clipsearch.images.hashing import image_id
from clipsearch.models import registry
from clipsearch.models.base import Encoder, ModelIdentity
from clipsearch.models.embedding import embed_images, embed_texts
from clipsearch.models.model_name import is_custom_name
from clipsearch.models.preload import PreloadedEncoder, remember_model, start_preload
from clipsearch.models.runtime import Runtime
from clipsearch.query import Filters, Query, StoredImage, Term, search
from clipsearch.query.embed import open_image
from clipsearch.query.filters import select_rows
from clipsearch.query.near_duplicates import (
    DEFAULT_SIMILARITY,
    DuplicateGroup,
    find_near_duplicates,
)
from clipsearch.query.parser import Content
from clipsearch.query.search import rank_by_text
from clipsearch.render.notebook import Hits
from clipsearch.store import Collection, Store
from clipsearch.store import filters as where
from clipsearch.store.address import locate
from clipsearch.textness import Textness
from clipsearch.textness.steering import TextnessScale
from clipsearch.types import Vectors
from ingest.dry_run import preview
from ingest.pipeline import IngestOptions, ingest
from ingest.report import IngestReport

log = logging.getLogger("clipsearch")

Picture = str | Path | Image | StoredImage


class Index:
    """A searchable collection of pictures in a Milvus store.

    Open it with `Index.open`; use it from one thread at a time, and close it, best by `with`.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        model: str | Encoder | None,
        runtime: Runtime,
        preloaded: PreloadedEncoder | None = None,
    ) -> None:
        self._store = store
        self._name = name
        self._model = model
        self._runtime = runtime
        self._preloaded = preloaded
        self._encoder: Encoder | None = None
        self._collection: Collection | None = store.find(name)
        self._check_model()

    @classmethod
    def open(
        cls,
        uri: str | Path | None = None,
        *,
        collection: str | None = None,
        model: str | Encoder | None = None,
        device: str = "auto",
        runtime: str | None = None,
        precision: str | None = None,
        token: str | None = None,
        create: bool = True,
        preload: bool = False,
    ) -> Self:
        """Open a collection of a store: a file ending in `.db`, or the address of a Milvus server.

        `uri` defaults to `CLIPSEARCH_URI`, else to a file in the user's data folder; `collection` to
        `CLIPSEARCH_COLLECTION`, else "images". A collection that does not exist is made by the first
        `ingest`, with `model` ("auto" and None choose; see `clipsearch models`). One that exists
        knows its model: naming another raises ModelMismatchError. `model` may also be an `Encoder` of
        your own, which is then needed each time the collection is opened. `device`: auto, cpu, cuda or mps;
        `runtime` and `precision` default to `CLIPSEARCH_RUNTIME` (auto, torch, openvino) and
        `CLIPSEARCH_PRECISION` (auto, fp32, bf16, int8).
        The user's config.toml sets these defaults too (`uri`, `collection`, …), after the variables.
        With create=False a store file that does not exist is a StoreError. With `preload` the model
        loads beside the store, as far as texts need it: for a caller who searches by text next.
        """
        where = config.default_uri() if uri is None else uri
        chosen = Runtime.from_options(device, runtime, precision)
        name = collection or config.default_collection()
        address = locate(where)
        if preload and not existing(address.key):  # a warm process has it already
            loading = start_preload(address.shown, name, chosen)
        else:
            loading = None
        store = Store.open(where, token=token, create=create, ahead=name)
        try:
            return cls(store, name, model, chosen, loading)
        except BaseException:
            store.close()
            raise

    def ingest(
        self,
        *paths: str | Path,
        selection: FileSelection | None = None,
        options: IngestOptions | None = None,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> IngestReport:
        """Store the images in folders and files that are new or changed; see `IngestReport`.

        `selection` says which files of a folder to include. With `dry_run` nothing is written and
        no model is loaded. Raises UsageError if a path does not exist.
        """
        if not paths:
            raise UsageError("nothing to ingest: give folders or files")
        source = FileSource(paths, selection)
        return self.ingest_source(source, options=options, dry_run=dry_run, progress=progress)

    def ingest_source(
        self,
        source: FileSource,
        *,
        options: IngestOptions | None = None,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> IngestReport:
        """Store the images of a source that are new or changed; see `ingest`."""
        options = options or IngestOptions()
        if dry_run:
            return preview(source, self._collection, options, progress)
        if self._collection is None:  # an empty folder creates no collection
            source.require_any()
        return ingest(source, self._writable(), self.encoder, options, progress)

    def remove(self, *paths: str | Path) -> int:
        """Forget the pictures, stored or failed, at some paths or under folders; how many.

        The files stay as they are, and need not be there any more.
        """
        collection = self.collection
        places = [canonical(Path(path)) for path in paths]
        conditions = [where.either(where.path_is(path), where.under(path)) for path in places]
        ids = {record.id for condition in conditions for record in collection.scan(condition)}
        collection.delete(list(ids))
        collection.remove_roots([root for root in collection.info.roots if _is_in(root, places)])
        failed = [f.path for f in collection.failures() if _is_in(f.path, places)]
        collection.clear_failures(failed)
        collection.settle()
        return len(ids | {image_id(path) for path in failed})

    def search(
        self,
        text: str | None = None,
        *,
        image: Picture | None = None,
        weights: tuple[float, float] = (1.0, 1.0),
        limit: int = 10,
        offset: int = 0,
        filters: Filters | None = None,
        min_score: float | None = None,
        min_z: float | None = None,
        exclude_images: bool = False,
        textness: TextnessScale | None = None,
        max_textness: float | None = None,
    ) -> Hits:
        """The pictures nearest to a text, to an image, or to the weighted sum of both, best first.

        `weights` are those of text and image. See `Query` for the rest and its errors, and
        `search_many` for more than two terms.
        """
        terms = []
        if text is not None:
            terms.append(Term(text, weights[0]))
        if image is not None:
            terms.append(Term(_content(image), weights[1]))
        query = Query(
            tuple(terms),
            limit=limit,
            offset=offset,
            filters=filters or Filters(),
            min_score=min_score,
            min_z=min_z,
            exclude_images=exclude_images,
            textness=textness,
            max_textness=max_textness,
        )
        return self.search_many([query])[0]

    def search_many(self, queries: Sequence[str | Query]) -> list[Hits]:
        """The hits of each query, in order; much faster than one call each."""
        whole = [Query((Term(query),)) if isinstance(query, str) else query for query in queries]
        return [Hits(hits) for hits in search(whole, lambda: self.encoder, self.collection)]

    def similar(
        self,
        image: Picture,
        *,
        limit: int = 10,
        textness: TextnessScale | None = None,
        max_textness: float | None = None,
    ) -> Hits:
        """The pictures most like an image, without itself and its identical copies; see `Query`."""
        return self.search(
            image=image,
            limit=limit,
            exclude_images=True,
            textness=textness,
            max_textness=max_textness,
        )

    def rank_by_text(
        self,
        *,
        limit: int = 10,
        offset: int = 0,
        filters: Filters | None = None,
        min_textness: float = 0,
    ) -> Hits:
        """The pictures that show most text first: screenshots, receipts, memes, signs.

        Those of a textness, 0..1, below `min_textness` are left out. Raises UsageError where that is
        no finite number.
        """
        if not math.isfinite(min_textness):
            raise UsageError(f"the least textness must be a finite number, not {min_textness}")
        hits = rank_by_text(self.textness, limit=limit, offset=offset, filters=filters or Filters())
        return Hits([hit for hit in hits if (hit.textness or 0) >= min_textness])

    def classify(
        self,
        labels: Sequence[str] | LinearProbe,
        *,
        templates: Sequence[str] = DEFAULT_TEMPLATES,
        filters: Filters | None = None,
        top: int | None = None,
        threshold: float = 0.0,
    ) -> list[Classification]:
        """Which of some labels fits each picture, by path; or what a probe says. Decodes nothing.

        See `clipsearch.classify_images`, which does the same for files, for the rest and its errors.
        """
        classifier = self._classifier(labels, templates)
        check_top_and_threshold(top=top, threshold=threshold)
        rows = select_rows(self.collection, filters or Filters())
        found = classify_rows(rows, classifier, top=top, threshold=threshold)
        return sorted(found, key=lambda one: one.record.path)

    def tag(
        self,
        labels: Sequence[str] | LinearProbe,
        *,
        templates: Sequence[str] = DEFAULT_TEMPLATES,
        filters: Filters | None = None,
        threshold: float = DEFAULT_THRESHOLD,
        add: bool = False,
    ) -> TagReport:
        """Write each picture's label into the collection, for `Filters(tags=…)`; see `TagReport`.

        One whose best label has a probability below `threshold` gets none. Earlier tags go; with
        `add` those that are no label of this run stay.
        """
        collection = self.collection
        collection.require_tags()  # before a model is loaded
        classifier = self._classifier(labels, templates)
        return tag_images(
            collection, classifier, threshold=threshold, add=add, filters=filters or Filters()
        )

    def clear_tags(self, *, filters: Filters | None = None) -> int:
        """Take all tags away; how many pictures had any."""
        return clear_tags(self.collection, filters=filters or Filters())

    def tags(self) -> dict[str, int]:
        """How many pictures have each tag, the most frequent first."""
        return dict(self.collection.tags().most_common())

    def duplicates(self, *, threshold: float = DEFAULT_SIMILARITY) -> list[DuplicateGroup]:
        """Groups of pictures that are the same to the eye; see `near_duplicates`."""
        return find_near_duplicates(self.collection, threshold)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Texts as (n, d) float32 of length 1, in order."""
        return embed_texts(self.encoder, texts)

    def embed_images(self, images: Sequence[str | Path | Image]) -> Vectors:
        """Picture files, or pictures in memory, as (n, d) float32 of length 1, in order.

        Raises ImageError naming a file that cannot be read.
        """
        return embed_images(self.encoder, [_pixels(image) for image in images])

    @property
    def collection(self) -> Collection:
        """The collection in the store; raises MissingCollectionError before the first ingest."""
        if self._collection is None:
            # Asks the store, which knows what else there is.
            self._collection = self._store.collection(self._name)
        return self._collection

    @property
    def textness(self) -> Textness:
        """How much text pictures show: the probe, its fit, and the pictures ranked by it."""
        return Textness(self.collection, lambda: self.encoder)

    @property
    def encoder(self) -> Encoder:
        """The collection's model, loaded when first needed."""
        return self.load()

    def load(self) -> Encoder:
        """Load the model, unless it is; the log tells which one a new collection gets."""
        if self._encoder is None:
            encoder = self._loaded()
            self._require_comparable(encoder)
            self._encoder = encoder
        return self._encoder

    @property
    def model(self) -> ModelIdentity | None:
        """The model of the collection; None before the first ingest."""
        return self._collection.info.model if self._collection else None

    def __repr__(self) -> str:
        """Store, collection, and how many pictures of which model."""
        made_by = f", {len(self):,} pictures by {self.model.name}" if self.model else ", empty"
        return f"<Index {self._name!r} in {self._store.uri}{made_by}>"

    def __len__(self) -> int:
        """How many pictures the collection holds."""
        return self._collection.count() if self._collection else 0

    def close(self) -> None:
        """Release the store; a local one can then be opened by another process."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _classifier(
        self, labels: Sequence[str] | LinearProbe, templates: Sequence[str]
    ) -> Classifier:
        model = self.collection.info.model
        if isinstance(labels, LinearProbe):
            labels.check_model(model)
            return labels
        return build_class_matrix(labels, templates, model=model, encoder=lambda: self.encoder)

    def _writable(self) -> Collection:
        """The collection, made now if there is none."""
        if self._collection is None:
            self._collection = self._store.create(self._name, self.encoder.identity)
            remember_model(self._store.uri, self._name, self._collection.info.model.name)
        return self._collection

    def _loaded(self) -> Encoder:
        """The model in the warm process, where one holds the store, else in this one."""
        if not (self._model is None or isinstance(self._model, str)):
            return self._model
        name = self._model_name()
        load = partial(registry.load, name, self._runtime)
        if self._collection is None:  # it may be downloaded, which people want to see
            return load()
        remember_model(self._store.uri, self._name, name)
        if self._preloaded and (encoder := self._preloaded.encoder(name, self._runtime)):
            return encoder
        expected = self._collection.info.model
        try:
            return remote_encoder(self._store.link, load, expected, self._runtime) or load()
        except UnknownModelError as error:
            if not is_custom_name(name):
                raise
            raise UnknownModelError(
                f"collection {self._name!r} was made by the custom model {name!r}: open it with "
                "Index.open(model=…) and that encoder, or install the package that registers it"
            ) from error

    def _model_name(self) -> str:
        if self._collection is not None:
            return self._collection.info.model.name
        if isinstance(self._model, str) and self._model != "auto":
            return self._model
        name, reason = registry.choose_default()
        log.info("model %s: %s", name, reason)
        return name

    def _check_model(self) -> None:
        """Raise ModelMismatchError if the collection was made by a model other than the named one."""
        if self._model in (None, "auto"):
            return
        if not isinstance(self._model, str):
            registry.check_custom_encoder(self._model)
            self._require_comparable(self._model)
            return
        if self._collection is None:
            return
        made_by = self._collection.info.model.name
        name = registry.parse_model_name(self._model).name
        if name != made_by:
            raise ModelMismatchError(
                f"collection {self._name!r} was made by {made_by}, and vectors of {name} cannot be "
                "compared with it: leave the model out, or name another collection"
            )

    def _require_comparable(self, encoder: Encoder) -> None:
        if self._collection is None:
            return
        expected, identity = self._collection.info.model, encoder.identity
        if not identity.is_comparable(expected):
            raise ModelMismatchError(
                f"collection {self._name!r} was made by {expected.name} with other weights or "
                f"preprocessing ({expected.weights[:12]}, now {identity.weights[:12]}): "
                "restore that model, or ingest into a new collection"
            )


def _content(image: Picture) -> Content:
    """A picture as a query's term; a str names a file, or `id:…` one of the collection."""
    if isinstance(image, str):
        return StoredImage(image.removeprefix("id:")) if image.startswith("id:") else Path(image)
    return image


def _is_in(path: Path, places: Sequence[Path]) -> bool:
    return any(place in (path, *path.parents) for place in places)


def _pixels(image: str | Path | Image) -> Image:
    return upright(image) if isinstance(image, Image) else open_image(Path(image))
