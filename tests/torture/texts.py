"""Kill a pass that reads text, or an ingestion that moves texts, and complete it.

    python -m tests.torture.texts --kills 20 --seed 1

After each kill every text must be that of the content it names, and no text may be lost whose write
had ended. The next ingestion and the next pass must complete, and leave the text of each image and
no other. Prints the counts as JSON; exits with 1 if anything was lost or wrong.
"""

import random
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from clipsearch.errors import ClipsearchError
from clipsearch.images.hashing import content_hash
from clipsearch.session import open_store
from clipsearch.store import Collection, Store
from clipsearch.store.milvus import MilvusBackend
from clipsearch.store.texts import TextRows
from ingest import pipeline
from ingest.ocr import writer
from ingest.ocr.options import ReadOptions
from ingest.ocr.report import ReadReport
from ingest.ocr.run import read_images
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.sources.source import open_source
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.texts import ColorReader, color_words
from tests.torture.driver import Tally, run_kills
from tests.torture.process import Victim
from tests.torture.victim import NAME, announce, announce_lite

OPERATIONS = ("read", "again", "ingest")
FAULTS = ("lost", "wrong", "failed", "left")
IMAGES = 60
WRITE_ROWS = 8
"""Rows of a write, fewer than usual, so that there are more moments to kill between."""

EVENTS = 12
DELAY = 0.05


def child(operation: str, path: str, folder: str, reader: str) -> None:
    """Run an operation, and announce each of its writes, and how many texts are written."""
    announce_lite()
    for method in ("create", "upsert", "delete"):
        announce(MilvusBackend, method, lambda *arguments, **_: f"write {arguments[1]}")
    pipeline.WRITE = writer.WRITE_ROWS = WRITE_ROWS
    with open_store(path) as store:
        images = store.collection(NAME)
        if operation == "ingest":
            ingest_folder(images, Path(folder))
            return
        upsert = TextRows.upsert

        def acknowledged(texts: TextRows, *arguments: object) -> None:
            upsert(texts, *arguments)  # type: ignore[arg-type]
            print(f"done {texts.count()}", flush=True)  # in one write: a kill may cut it

        TextRows.upsert = acknowledged  # type: ignore[assignment,method-assign]
        read(images, reader, again=operation == "again")


def ingest_folder(images: Collection, folder: Path) -> None:
    """Ingest a folder, and prune what it has no more."""
    options = IngestOptions(prune=True, force=True)
    ingest(open_source([folder]), images, ColorEncoder(), options)


def read(images: Collection, reader: str, *, again: bool) -> ReadReport:
    """Read all images that were not read, or all by another reader."""
    options = ReadOptions(min_textness=0, again=again)
    return read_images(lambda: images, ColorReader(reader), [], options, None)


class TextTorture:
    """A store of drawn images that are read, moved, copied, changed and deleted."""

    def __init__(self, folder: Path, seed: int, _operations: Sequence[str]) -> None:
        """Draw the images and ingest them."""
        self.tally = Tally(FAULTS)
        self._random = random.Random(seed)
        self._images = folder / "images"
        self._store = self._place(folder)
        self._words: dict[str, str] = {}  # of each content that ever was there
        self._drawn = self._readers = 0
        for _ in range(IMAGES):
            self._draw()
        with Store.open(self._store) as store:
            ingest_folder(store.create(NAME, ColorEncoder().identity), self._images)

    def _place(self, folder: Path) -> str:
        """Return the file of the store."""
        return str(folder / "images.db")

    def kill(self, operations: Sequence[str]) -> None:
        """Kill one operation, check the texts, complete everything, and check again."""
        operation = self._random.choice(operations)
        try:
            before = self._prepare(operation)
            acknowledged = self._strike(operation)
            with Store.open(self._store) as store:
                self._check(store, operation, at_least=max(before, acknowledged))
                images = store.collection(NAME)
                ingest_folder(images, self._images)
                report = read(images, self._reader, again=operation == "again")
                if report.failed or report.changed:
                    self.tally.note("failed", f"{operation}: {report}")
                self._check_complete(images, operation)
        except ClipsearchError as error:
            self.tally.note("failed", f"{operation}: {type(error).__name__}: {error}")

    @property
    def _reader(self) -> str:
        return f"reader {self._readers}"

    def _prepare(self, operation: str) -> int:
        """Give the operation something to do; return how many texts must survive a kill of it."""
        with Store.open(self._store) as store:
            images = store.collection(NAME)
            if operation == "again":
                self._readers += 1
                return images.texts.count()
            if operation == "ingest":
                self._change_files()
                return 0
            stored = [state.id for state in images.texts.scan_states()]
            images.texts.delete(self._random.sample(stored, len(stored) * 2 // 3))
            for _ in range(10):
                self._draw()
            ingest_folder(images, self._images)
            return images.texts.count()

    def _change_files(self) -> None:
        """Move, copy, change and delete some images."""
        paths = sorted(self._images.rglob("*.png"))
        for path in self._random.sample(paths, 24):
            action = self._random.choice(["move", "copy", "change", "delete", "swap"])
            target = self._images / f"{action}{self._drawn}.png"
            self._drawn += 1
            match action:
                case "move":
                    path.rename(target)
                case "copy":
                    shutil.copy(path, target)
                case "change":
                    self._draw(path)
                case "delete":
                    path.unlink()
                case "swap":  # content that another image has
                    other = self._random.choice(sorted(self._images.rglob("*.png")))
                    if other != path:
                        shutil.copy(other, path)
        for _ in range(6):
            self._draw()

    def _strike(self, operation: str) -> int:
        """Start an operation and kill it at some moment; return how many texts it had written."""
        arguments = [operation, self._store, str(self._images), self._reader]
        victim = Victim(["-m", "tests.torture.texts", "child", *arguments])
        events = self._random.randint(1, EVENTS)
        while events and victim.next_event() is not None:
            events -= 1
        time.sleep(self._random.uniform(0, DELAY))
        if self._random.random() < 0.5:
            victim.kill_lite()
        victim.kill()
        status, errors = victim.wait()
        self.tally.counts["kills"] += victim.was_killed
        self.tally.counts[f"{operation} killed"] += victim.was_killed
        if status and not victim.was_killed:
            self.tally.note("failed", f"{operation}: {errors[-300:]}")
        return victim.acknowledged if operation == "read" else 0

    def _check(self, store: Store, operation: str, *, at_least: int) -> None:
        """Count texts that are lost, or not those of the content that they name."""
        texts = list(store.collection(NAME).texts.scan())
        wrong = [text for text in texts if self._words[text.content_hash] != text.text.text]
        if wrong:
            self.tally.note("wrong", f"{operation}: {wrong[0]}", len(wrong))
        if len(texts) < at_least:
            self.tally.note("lost", f"{operation}: {at_least - len(texts)} of {at_least} texts")
        self.tally.counts["texts checked"] += len(texts)

    def _check_complete(self, images: Collection, operation: str) -> None:
        """Count images without their own text, and texts without an image."""
        contents = {record.id: record.content_hash for record in images.scan()}
        texts = {text.id: text for text in images.texts.scan()}
        if left := texts.keys() - contents.keys():
            self.tally.note("left", f"{operation}: {len(left)} texts of no image", len(left))
        for id_, content in contents.items():
            text = texts.get(id_)
            if text is None or text.content_hash != content:
                self.tally.note("lost", f"{operation}: an image has no text")
            elif text.text.text != self._words[content]:
                self.tally.note("wrong", f"{operation}: {text}")
        on_disk = sum(1 for _ in self._images.rglob("*.png"))
        if on_disk != len(contents):
            self.tally.note("failed", f"{operation}: {len(contents)} rows of {on_disk} files")

    def _draw(self, path: Path | None = None) -> None:
        color = (self._random.randrange(256), self._random.randrange(256), 1 + self._drawn % 254)
        path = path or self._images / f"{self._drawn}.png"
        self._drawn += 1
        draw(path, color)
        with Image.open(path) as image:
            self._words[content_hash(path.read_bytes())] = color_words(image.getpixel((0, 0)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(*sys.argv[2:])
    else:
        sys.exit(run_kills(__doc__, OPERATIONS, TextTorture))
