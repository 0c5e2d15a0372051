"""A session that reads the text in the images of its collection."""

from collections.abc import Sequence
from pathlib import Path

from clipsearch import arguments
from clipsearch.files.progress import Progress
from clipsearch.ocr.image_text import ImageText
from clipsearch.ocr.reader import TextReader, load_reader
from clipsearch.session import Session
from clipsearch.textness import Textness
from ingest.ocr.options import ReadOptions
from ingest.ocr.report import ReadReport
from ingest.ocr.run import read_images


class TextSession(Session):
    """The methods of `Index` for text in images."""

    def read_text(
        self,
        *paths: str | Path,
        options: ReadOptions | None = None,
        reader: str | TextReader | None = None,
        dry_run: bool = False,
        strict: bool = True,
        progress: Progress | None = None,
    ) -> ReadReport:
        """Read the text in the images at or below some paths, or in all; see `ReadReport`.

        Images whose content was read before are skipped; those with the most text come first.
        `reader` is that of the extra `[ocr]`, which may be given a model by its name or folder, or
        one of your own. With `dry_run` nothing is read. An interrupted call is continued by the
        next one. Raises UsageError without the extra, and if no image is at a path, unless `strict`
        is false.
        """
        if reader is None or isinstance(reader, str):
            reader = load_reader(reader)
        chosen = arguments.instance("options", options, ReadOptions)
        flat: Sequence[Path] = arguments.flat_paths("paths", paths) if paths else ()
        self.refresh(now=True)
        return read_images(
            lambda: self.store.collection(self.name),
            reader,
            flat,
            chosen,
            Textness(self.collection, self.load).find(),
            progress,
            dry_run=dry_run,
            strict=strict,
        )

    def text_of(self, image_id: str) -> ImageText | None:
        """Return the text that was read in an image with this id; None if it was not read.

        A text of content that the image has no more is not returned.
        """
        id_ = arguments.text("image_id", image_id)
        row = self.collection.texts.get([id_]).get(id_)
        state = self.collection.file_states([id_]).get(id_)
        is_current = row and state and row.content_hash == state.content_hash
        return row.text if row and is_current else None
