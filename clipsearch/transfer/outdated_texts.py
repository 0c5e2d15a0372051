"""Texts of images that are not in the collection any more, or have other content by now."""

from collections.abc import Iterable, Iterator, Mapping

from clipsearch.store import Collection, filters
from clipsearch.store.texts import TextState
from clipsearch.transfer.copy_rows import id_ranges


def outdated(contents: Mapping[str, str], states: Iterable[TextState]) -> list[str]:
    """Return the ids of texts that are not of the content hash which an image has by its id."""
    return [state.id for state in states if contents.get(state.id) != state.content_hash]


def find_outdated(collection: Collection) -> Iterator[str]:
    """Yield the ids of all outdated texts of a collection."""
    texts = collection.texts
    if not texts.exist():
        return
    for low, high in id_ranges(max(collection.count(), texts.count())):
        condition = filters.id_range(low, high)
        states = list(texts.scan_states(condition))  # before the rows: new ones come later
        contents = dict(collection.scan_values(["id", "content_hash"], condition))
        yield from outdated(contents, states)


def remove_outdated(collection: Collection) -> int:
    """Delete the outdated texts of a collection; return how many."""
    ids = list(find_outdated(collection))
    collection.texts.delete(ids)
    return len(ids)
