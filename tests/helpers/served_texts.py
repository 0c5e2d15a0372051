"""Texts of images in a running server, for tests of what it serves."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from clipsearch.daemon.host import load_texts, open_index
from clipsearch.daemon.server import Server
from clipsearch.images.hashing import image_id
from clipsearch.store.texts import TextRow
from tests.helpers.texts import image_text


@contextmanager
def served_texts(
    server: Server, folder: Path, texts: Mapping[str, Sequence[str]]
) -> Iterator[None]:
    """Keep the lines of files in `folder`, by name, in the memory of the server for a block."""
    with open_index(server, "images") as index:
        ids = {image_id(folder / name): lines for name, lines in texts.items()}
        rows = index.collection.get(list(ids))
        index.collection.texts.upsert(
            [
                TextRow(id_, rows[id_].record.content_hash, image_text(*lines))
                for id_, lines in ids.items()
            ]
        )
        load_texts(index)
        yield
        index.collection.texts.drop()
