"""Query terms as vectors: stored embeddings are reused, everything else is embedded."""

from collections.abc import Callable, Sequence
from glob import escape
from pathlib import Path

from PIL.Image import Image

from clipsearch.errors import ImageError, UsageError, of_process
from clipsearch.files.paths import canonical, describe_missing, expand_user, modified_ns
from clipsearch.images.decode import MAX_PIXELS, decode, upright
from clipsearch.images.hashing import file_hash, image_id
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import embed_images, embed_texts
from clipsearch.query.filters import Filters
from clipsearch.query.parser import Content, EmbeddedImage, RemoteImage, StoredImage, Term
from clipsearch.records import ImageRecord
from clipsearch.store import Collection, filters
from clipsearch.types import ImageRow, Vectors
from clipsearch.vectors import weighted_sum

MAX_NAMED = 3
"""Paths that an error message names."""


def embed_queries(
    queries: Sequence[Sequence[Term]],
    encoder: Callable[[], Encoder],
    collection: Collection,
    *,
    max_pixels: int = MAX_PIXELS,
) -> list[Vectors]:
    """One (d,) float32 vector of length 1 per query: the weighted sum of its terms.

    `encoder` is called only if a term must be embedded; images that the collection holds unchanged
    are not. `max_pixels` is the limit for image files. Raises UsageError or ImageError naming a
    term that cannot be embedded.
    """
    contents = [term.content for terms in queries for term in terms]
    vectors = iter(_embed_contents(contents, encoder, collection, max_pixels))
    return [
        weighted_sum([next(vectors) for _ in terms], [term.weight for term in terms])
        for terms in queries
    ]


def stored_row(image: Path | StoredImage, collection: Collection) -> ImageRow | None:
    """The collection's row of an image, by id or by path; None if missing or the file changed."""
    if isinstance(image, StoredImage):
        if image.path is None:
            return _row_by_id(image.id, collection)
        return _row_by_name(image.path, collection)
    path = canonical(image)
    row = collection.get([image_id(path)]).get(image_id(path))
    if row is None:
        return None
    try:
        status = path.stat()
    except OSError as error:  # deleted, or not accessible: the stored embedding is the best
        if of_process(error):
            raise
        return row
    current = (status.st_size, modified_ns(status))
    return row if current == (row.record.size, row.record.mtime_ns) else None


def exclude_query_images(terms: Sequence[Term], collection: Collection) -> str:
    """A filter that excludes the image terms' own rows and identical copies of them."""
    conditions = []
    for content in (term.content for term in terms):
        if isinstance(content, Path):
            # The stored row may hold older content than the file.
            conditions.append(filters.id_not(image_id(canonical(content))))
        if isinstance(content, EmbeddedImage):
            conditions.append(filters.content_not(content.content_hash))
        elif isinstance(content, Path | StoredImage) and (row := stored_row(content, collection)):
            conditions.append(filters.content_not(row.record.content_hash))
        elif isinstance(content, Path):
            with expand_user(content).open("rb") as file:
                conditions.append(filters.content_not(file_hash(file)))
    return filters.all_of(*conditions)


def open_image(
    image: Path | StoredImage | RemoteImage | Image, *, max_pixels: int = MAX_PIXELS
) -> Image:
    """Return an image file, one at a URL, or an image in memory as upright RGB.

    A stored image is read from the file at its path. Raises UsageError or ImageError naming it.
    """
    if isinstance(image, Image):
        return upright(image)
    if isinstance(image, StoredImage):
        if image.path is None:
            raise UsageError(f"id:{image.id} names a stored image, and this needs a file")
        image = image.path
    source = expand_user(image) if isinstance(image, Path) else image.url
    try:
        data = source if isinstance(source, Path) else _download(source)
        return decode(data, max_pixels=max_pixels).image
    except ImageError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            name = describe_missing(source) if isinstance(source, Path) else source
            raise UsageError(
                f"no such image: {name} (neither a file nor in the collection)"
            ) from error
        raise ImageError(f"{source}: {error}") from error


def _embed_contents(
    contents: Sequence[Content],
    encoder: Callable[[], Encoder],
    collection: Collection,
    max_pixels: int,
) -> list[Vectors]:
    vectors: dict[int, Vectors] = {}
    texts: dict[int, str] = {}
    images: dict[int, Image] = {}
    for position, content in enumerate(contents):
        if isinstance(content, str):
            texts[position] = content
        elif isinstance(content, Path | StoredImage):
            if row := stored_row(content, collection):
                vectors[position] = row.embedding
            elif isinstance(content, Path):
                images[position] = _open_query_image(content, collection, max_pixels)
        elif isinstance(content, EmbeddedImage):
            if content.weights != collection.info.model.weights:
                raise UsageError("a query image was embedded by another model: add it again")
            vectors[position] = content.embedding
        else:
            images[position] = open_image(content, max_pixels=max_pixels)
    # One encoder call for all texts and one for all images, however many queries there are.
    if texts:
        vectors.update(zip(texts, embed_texts(encoder(), list(texts.values())), strict=True))
    if images:
        vectors.update(zip(images, embed_images(encoder(), list(images.values())), strict=True))
    return [vectors[position] for position in range(len(contents))]


def _download(url: str) -> bytes:
    from clipsearch.files.download import download  # late: it loads ssl and http

    return download(url)


def _open_query_image(path: Path, collection: Collection, max_pixels: int) -> Image:
    """Return the image of a file; an error names the stored images of this name."""
    try:
        return open_image(path, max_pixels=max_pixels)
    except UsageError as error:
        named = [record.path for record in _records_named(path.name, collection)]
        if not named:
            raise
        raise UsageError(f"{error}; the collection has {_some_paths(named)}") from error


def _row_by_name(path: Path, collection: Collection) -> ImageRow:
    """The row of the image stored under a path, or else of the only one with its file name."""
    ids = [image_id(canonical(path))]
    if rows := collection.get(ids):
        return rows[ids[0]]
    named = _records_named(path.name, collection)
    if not named:
        raise UsageError(
            f"no such image: {path.name} is neither a file in {canonical(path).parent} nor the "
            "name of an image in the collection"
        )
    if len(named) > 1:
        paths = _some_paths([record.path for record in named])
        raise UsageError(f"{len(named):,} images are named {path.name}, give a path: {paths}")
    return collection.get([named[0].id])[named[0].id]


def _records_named(name: str, collection: Collection) -> list[ImageRecord]:
    """Scan for the images of a file name; Milvus 2.3 cannot match the end of a path."""
    pattern = Filters(glob=escape(name))
    return [record for record in collection.scan() if pattern.matches_glob(record)]


def _some_paths(paths: Sequence[Path]) -> str:
    more = f" and {len(paths) - MAX_NAMED:,} more" if len(paths) > MAX_NAMED else ""
    return ", ".join(map(str, sorted(paths)[:MAX_NAMED])) + more


def _row_by_id(prefix: str, collection: Collection) -> ImageRow:
    if len(prefix) < 6:
        raise UsageError(f"an id needs six or more of the characters 0-9a-f, not {prefix!r}")
    matches = collection.scan_rows(filters.id_starts_with(prefix))
    row = next(matches, None)
    if row is None:
        raise UsageError(f"no image has an id that begins with {prefix!r}")
    if next(matches, None) is not None:
        raise UsageError(
            f"several images have ids that begin with {prefix!r}: give more characters"
        )
    return row
