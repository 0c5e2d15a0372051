"""Check the texts of a collection: rows that are damaged, or of no image any more."""

from dataclasses import dataclass

from clipsearch.store import Store
from clipsearch.store.catalog_entry import CollectionInfo
from clipsearch.store.milvus_lite.file_backend import FileBackend
from clipsearch.store.texts import TextRows
from clipsearch.transfer.outdated_texts import find_outdated


@dataclass(frozen=True, slots=True)
class TextCheck:
    """How many images were read, and how many texts are wrong.

    `damaged` ones cannot be read, `outdated` ones are of no image in the collection, or of earlier
    content. A repair removes both.
    """

    read: int = 0
    damaged: int = 0
    outdated: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether no text is wrong."""
        return not (self.damaged or self.outdated)


def check_texts(store: Store, info: CollectionInfo, *, repair: bool) -> TextCheck:
    """Check the texts of a collection, whose images were checked and repaired before."""
    texts = TextRows(store.backend, info.name)
    if not texts.exist():
        return TextCheck()
    unusable = _check_file(store, texts.milvus_name, repair=repair)
    if unusable and not repair:  # Milvus Lite may not load them
        return TextCheck(damaged=unusable)
    damaged = set(texts.find_damaged())
    read = texts.count()
    collection = store.find(info.name)
    outdated = set(find_outdated(collection)) - damaged if collection is not None else set()
    if repair and (wrong := [*damaged, *outdated]):
        with texts.turn():
            texts.delete(wrong)
    return TextCheck(read + unusable, unusable + len(damaged), len(outdated))


def _check_file(store: Store, milvus_name: str, *, repair: bool) -> int:
    """Count the rows of a local store that Milvus Lite cannot use; remove them to repair it."""
    if not isinstance(store.backend, FileBackend):
        return 0
    with store.backend.checking() as file:
        if file is None:
            return 0
        damage = file.check_rows(milvus_name, None)
        if repair and damage.row_ids:
            file.delete_rows(milvus_name, damage.row_ids)
        return len(damage.unusable)
