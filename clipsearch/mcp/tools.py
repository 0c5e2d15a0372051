"""The tools: search, similar images, show, classify, status. None of them writes."""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

from mcp.types import CallToolResult, ImageContent, TextContent
from pydantic import Field

from clipsearch.classify.class_matrix import build_class_matrix
from clipsearch.classify.predictions import Classification, classify_rows
from clipsearch.errors import ImageError, MissingFieldError, UsageError
from clipsearch.escape import escape_control
from clipsearch.files.stored_file import stored_thumbnail
from clipsearch.mcp.arguments import (
    NO_FILTERS,
    AddedImage,
    Description,
    ImageFilters,
    ImageId,
    Limit,
    MaxTextness,
    MinP,
    MinZ,
    Says,
    Textness,
    Without,
)
from clipsearch.mcp.content import jpeg_content, text_content
from clipsearch.mcp.idle_index import IdleIndex
from clipsearch.mcp.results import (
    ClassifyResult,
    FailedImage,
    SearchResult,
    ShownImage,
    ShowResult,
    StatusResult,
    classified_image,
    listed_image,
    search_result,
    shown_path,
)
from clipsearch.query import Filters, Query, Term
from clipsearch.query.condition import select_rows
from clipsearch.query.date_order import ids_by_date
from clipsearch.query.embed import stored_row
from clipsearch.query.parser import StoredImage
from clipsearch.query.search import respond
from clipsearch.store import Collection
from clipsearch.types import ImageRow

MAX_SHOWN = 8
"""Images of one call of `show_images`: a model reads each as hundreds of tokens."""

SHOWN_FAILURES = 5
SHOWN_TAGS = 100


class Tools:
    """The methods are the tools: their docstrings and types are what an assistant is told."""

    def __init__(self, index: IdleIndex) -> None:
        """Use an index, which the caller closes."""
        self._index = index

    def search_images(
        self,
        text: Description = "",
        image_id: AddedImage = None,
        without: Without = [],  # noqa: B006 - never changed
        limit: Limit = 10,
        offset: Annotated[int, Field(ge=0, description="Number of images to skip.")] = 0,
        says: Says = None,
        min_z: MinZ = None,
        min_p: MinP = None,
        textness: Textness = None,
        max_textness: MaxTextness = None,
        filters: ImageFilters = NO_FILTERS,
    ) -> SearchResult:
        """Find the images that show what a text describes, or resemble an image, or both.

        The best come first, and there are always some: p is the probability that an image is meant.
        Where it is null, a z below 3 rarely is. `says` leaves only images that show its words, and
        score is then the quality of the match. Without all these: the newest images first.
        """
        terms = [Term(text)] if text.strip() else []
        terms += [Term(StoredImage(image_id))] if image_id else []
        terms += [Term(part, -1) for part in without if part.strip()]
        if not terms and not says:
            return self._browse(filters.to_filters(), slice(offset, offset + limit))
        query = Query(
            tuple(terms),
            limit=limit,
            offset=offset,
            filters=filters.to_filters(),
            min_z=min_z if terms else None,
            min_p=min_p if terms else None,
            says=says or None,
            textness=textness if terms else None,
            max_textness=max_textness,
        )
        return self._search(query)

    def similar_images(
        self,
        image_id: ImageId,
        limit: Limit = 10,
        min_z: MinZ = None,
        textness: Textness = None,
        max_textness: MaxTextness = None,
        filters: ImageFilters = NO_FILTERS,
    ) -> SearchResult:
        """Find the images most similar to a stored image, without it and its identical copies."""
        query = Query(
            (Term(StoredImage(image_id)),),
            limit=limit,
            min_z=min_z,
            filters=filters.to_filters(),
            exclude_images=True,
            textness=textness,
            max_textness=max_textness,
        )
        return self._search(query)

    def show_images(
        self,
        image_ids: Annotated[list[ImageId], Field(min_length=1, max_length=MAX_SHOWN)],
        size: Annotated[int, Field(ge=256, le=512, description="Pixels of the longer side.")] = 384,
    ) -> Annotated[CallToolResult, ShowResult]:
        """Look at up to 8 stored images, as small JPEGs. Each costs hundreds of tokens."""
        with self._index.use() as index:
            rows = index.read(lambda images: _stored_rows(image_ids, images))
            roots = index.store.collection(index.name).info.roots  # others may ingest meanwhile
        content: list[TextContent | ImageContent] = []
        result = ShowResult([], [])
        for record in (row.record for row in rows):
            path = shown_path(record)
            try:
                pixels = stored_thumbnail(record.path, roots, (size, size))
            except ImageError as error:
                failed = FailedImage(record.id, path, escape_control(str(error)))
                result.failed.append(failed)
                content.append(text_content(f"{failed.id} {path} cannot be shown: {failed.reason}"))
                continue
            result.images.append(ShownImage(record.id, path, record.width, record.height))
            content += [text_content(f"{record.id} {path}"), jpeg_content(pixels)]
        return CallToolResult(
            content=list(content), structured_content=asdict(result), is_error=not result.images
        )

    def classify_images(
        self,
        labels: Annotated[
            list[Annotated[str, Field(max_length=200)]],
            Field(min_length=2, max_length=100, description="Such as: dog, cat, other animal."),
        ],
        image_ids: Annotated[
            list[ImageId], Field(max_length=100, description="Without any, all images.")
        ] = [],  # noqa: B006
        top: Annotated[int, Field(ge=1, le=10, description="Labels to return per image.")] = 1,
        limit: Annotated[
            int, Field(ge=0, le=100, description="Images to return, the most certain first.")
        ] = 20,
        filters: ImageFilters = NO_FILTERS,
    ) -> ClassifyResult:
        """Choose the best of some labels for images, and count the images of each label.

        Every image gets a label, so include one for all the rest if there are others.
        """
        if image_ids and filters != NO_FILTERS:
            raise UsageError("give image_ids or filters, not both")

        def classify(images: Collection) -> ClassifyResult:
            classifier = build_class_matrix(
                labels, model=images.info.model, encoder=self._index.load
            )
            rows = (
                _stored_rows(image_ids, images)
                if image_ids
                else select_rows(images, filters.to_filters())
            )
            counts = Counter(dict.fromkeys(classifier.labels, 0))

            def counted() -> Iterator[Classification]:
                for result in classify_rows(rows, classifier, top=top):
                    counts[result.predictions[0].label] += 1
                    yield result

            best = heapq.nlargest(
                limit or 1, counted(), key=lambda result: result.predictions[0].probability
            )
            shown = [classified_image(result) for result in best[:limit]]
            warnings = list(classifier.warnings)
            return ClassifyResult(counts.total(), dict(counts.most_common()), shown, warnings)

        with self._index.use() as index:
            return index.read(classify)

    def collection_status(self) -> StatusResult:
        """Describe the collection: how many images of which folders, their tags, what failed."""

        def describe(collection: Collection) -> StatusResult:
            info, failures = collection.info, collection.failures()
            try:
                tags = collection.tags().most_common(SHOWN_TAGS)
            except MissingFieldError:  # a collection of an older version has none
                tags = []
            return StatusResult(
                collection=index.name,
                images=collection.estimate_count(),
                model=info.model.name,
                folders=[escape_control(str(root)) for root in info.roots],
                tags={escape_control(tag): count for tag, count in tags},
                failed_files=len(failures),
                failures=[
                    escape_control(f"{failure.path}: {failure.reason}")
                    for failure in failures[:SHOWN_FAILURES]
                ],
                other_collections=[
                    other.name for other in index.store.collections() if other.name != index.name
                ],
            )

        with self._index.use() as index:
            return index.store.read(index.name, describe)  # others may ingest meanwhile

    def _search(self, query: Query) -> SearchResult:
        with self._index.use() as index:
            response = index.read(lambda images: respond(query, self._index.load, images))
        return search_result(response)

    def _browse(self, filters: Filters, page: slice) -> SearchResult:
        with self._index.use() as index:
            ids = index.read(lambda images: ids_by_date(images, filters))
            rows = index.read(lambda images: images.get(ids[page]))
        images = [listed_image(rows[id_].record) for id_ in ids[page] if id_ in rows]
        reasons = [] if images else [f"images that pass the filters: {len(ids):,}"]
        return SearchResult(images, [], reasons)


def _stored_rows(image_ids: Sequence[str], images: Collection) -> list[ImageRow]:
    """Return the rows of some ids or their beginnings, in order, each once."""
    rows = {}
    for image_id in image_ids:
        row = stored_row(StoredImage(image_id), images)
        assert row is not None  # an id without a row is a UsageError
        rows[row.record.id] = row
    return list(rows.values())
