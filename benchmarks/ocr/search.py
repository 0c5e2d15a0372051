"""How long a search for words takes among many texts, and how often it finds other words.

    python -m benchmarks.ocr.search words.db                Milvus Lite
    python -m benchmarks.ocr.search http://127.0.0.1:19530  a server

The texts are written once; later runs use them.
"""

import argparse
import random
import resource
import statistics
import string
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from clipsearch.batching import batches
from clipsearch.images.hashing import image_id
from clipsearch.models.base import Encoder, ModelIdentity
from clipsearch.ocr.image_text import ImageText, TextLine
from clipsearch.query import Filters, Query, StoredImage, Term
from clipsearch.query.search import search
from clipsearch.records import ImageRecord
from clipsearch.says.loaded import text_index
from clipsearch.says.parser import parse_says
from clipsearch.says.segment import Segment
from clipsearch.store import Collection, Store
from clipsearch.store.texts import TextRow
from clipsearch.types import ImageRow

NAME = "words_benchmark"
DIM = 8
MODEL = ModelIdentity("pocket", DIM, "none", "none", "fp32")
BOX = (0.1, 0.1, 0.9, 0.1, 0.9, 0.2, 0.1, 0.2)

KINDS = {
    "rare word": "powsog",
    "frequent word": "{0}",
    "two frequent words": "{0} {1}",
    "prefix": "{2:.4}",
    "part of a word": "{3:.3}",
    "two letters": "{4:.2}",
    "phrase": '"{0} {1}"',
    "number": "12345",
    "word of 12 letters": "powsogkebfif",
    "ideographs": "\u4e00\u4e8c",
    "no text has it": "zzyzxqq",
}


class Words:
    """Random words with the frequencies of a language, numbers, and Chinese characters."""

    def __init__(self, seed: int, count: int = 60_000) -> None:
        self._random = random.Random(seed)
        self.words = [self._word() for _ in range(count)]
        self._weights = list(np.cumsum(1 / (3 + np.arange(count))))

    def text(self, least: int = 20, most: int = 200) -> str:
        """Return a text of so many words; one in ten is Chinese."""
        count = self._random.randint(least, most)
        if self._random.random() < 0.1:
            return " ".join(self._ideographs() for _ in range(count // 4))
        drawn = self._random.choices(self.words, cum_weights=self._weights, k=count)
        return " ".join(map(self._varied, drawn))

    def plate(self) -> str:
        """Return a number plate such as RE16 TGK."""
        letters = "".join(self._random.choices(string.ascii_uppercase, k=5))
        return f"{letters[:2]}{self._random.randint(10, 79)} {letters[2:]}"

    def unknown(self) -> str:
        """Return a word that no text has but where it is put."""
        return self._random.choice("qxyj") + self._word() + self._word()

    def _word(self) -> str:
        draw = self._random
        parts = draw.randint(1, 4)
        return "".join(
            draw.choice("bcdfghklmnprstvwz")
            + draw.choice("aeiou")
            + draw.choice(["", "", "n", "s", "r"])
            for _ in range(parts)
        )

    def _varied(self, word: str) -> str:
        chance = self._random.random()
        if chance < 0.1:
            return str(self._random.randint(0, 10 ** self._random.randint(1, 7)))
        return word + self._random.choice(",.:") if chance < 0.15 else word

    def _ideographs(self) -> str:
        count = self._random.randint(2, 12)
        return "".join(chr(self._random.randint(0x4E00, 0x4E00 + 3_000)) for _ in range(count))


def main() -> None:
    """Print the times, the memory and the precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("uri", help="a file of Milvus Lite, or a server")
    parser.add_argument(
        "--images", type=int, default=100_000, help="with a text each (default: 100,000)"
    )
    arguments = parser.parse_args()
    words = Words(seed=1)
    with Store.open(arguments.uri) as store:
        collection = store.find(NAME)
        if collection is None or collection.texts.count() != arguments.images:
            if collection is not None:
                store.drop(NAME)
            collection = store.create(NAME, MODEL)
            fill(collection, words, arguments.images)
        measure(collection, words)
    precision()


def fill(collection: Collection, words: Words, images: int) -> None:
    """Store images with random embeddings, each with a text of 20 to 200 words."""
    started = time.perf_counter()
    draw = np.random.default_rng(1)
    for numbers in batches(range(images), 1_000):
        rows = [_row(number, draw.standard_normal(DIM)) for number in numbers]
        collection.upsert(rows)
        collection.texts.upsert([_text(row.record, words.text()) for row in rows])
    collection.finish_writes()
    collection.texts.flush()
    print(f"{images:,} texts were written in {time.perf_counter() - started:.0f} s")


def measure(collection: Collection, words: Words) -> None:
    """Print the time of the first search, the memory of the texts, and the times of others."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, cpu = time.perf_counter(), time.process_time()
    text_index(collection.texts)
    print(
        f"reading all texts: {time.perf_counter() - started:.2f} s, "
        f"{time.process_time() - cpu:.2f} s of CPU"
    )
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"memory: {grown:.0f} MB more at most")
    for kind, query in _queries(words):
        _seconds(query, collection)
        times, cpus = zip(*(_seconds(query, collection) for _ in range(9)), strict=True)
        hits = len(search([query], _no_encoder, collection)[0])
        wall, cpu = 1000 * statistics.median(times), 1000 * statistics.median(cpus)
        print(
            f"{kind:22} {query.says!r:24} {wall:6.1f} ms, at most {1000 * max(times):6.1f}, "
            f"{cpu:5.1f} of CPU here, hits of the first page {hits}"
        )


def _queries(words: Words) -> Iterator[tuple[str, Query]]:
    """Yield words alone, then some with an image query, and with filters."""
    frequent = words.words[:10]
    image = Term(StoredImage(image_id(Path("/images/0/0.jpg"))))
    one_folder = Filters(under=Path("/images/7"))
    for kind, pattern in KINDS.items():
        yield kind, Query((), says=pattern.format(*frequent))
    for kind in ("number", "phrase", "frequent word"):
        yield f"{kind}, image", Query((image,), says=KINDS[kind].format(*frequent))
    says = frequent[0]
    yield "one folder of 100", Query((), says=says, filters=one_folder)
    yield "one folder, image", Query((image,), says=says, filters=one_folder)
    yield "half of the images", Query((), says=says, filters=Filters(min_bytes=50_000))
    yield "half, image", Query((image,), says=says, filters=Filters(min_bytes=50_000))
    yield "no image passes", Query((), says=says, filters=Filters(formats=("png",)))


def precision(images: int = 2_000, distractors: int = 200, seed: int = 2) -> None:
    """Print how many of the texts that are found have the word, by the kind of match."""
    words = Words(seed)
    targets = [words.unknown() for _ in range(images)]
    plates = [words.plate() for _ in range(images)]
    texts = [
        f"{words.text(distractors, distractors)} {target} {plate.lower()}"
        for target, plate in zip(targets, plates, strict=True)
    ]
    segment = Segment(texts)
    for name, wanted in (("words", targets), ("number plates", plates)):
        found = whole = right = 0
        for number, target in enumerate(wanted):
            numbers, qualities = segment.search(parse_says(target))
            found += len(numbers)
            whole += int((qualities > 0.9 * 0.95).sum())
            right += number in numbers
        print(
            f"{images:,} {name} among {distractors} others each: recall {right / images:.4f}, "
            f"precision of whole words {right / whole:.4f}, of all kinds {right / found:.4f}"
        )


def _seconds(query: Query, collection: Collection) -> tuple[float, float]:
    """Return the time of a search, and the CPU time of this process."""
    text_index(collection.texts).search(parse_says("another"))  # it remembers the last one
    started, cpu = time.perf_counter(), time.process_time()
    search([query], _no_encoder, collection)
    return time.perf_counter() - started, time.process_time() - cpu


def _no_encoder() -> Encoder:
    raise AssertionError("a search for words needs no model")


def _row(number: int, vector: np.ndarray) -> ImageRow:
    path = Path(f"/images/{number % 100}/{number}.jpg")
    record = ImageRecord(
        id=image_id(path),
        path=path,
        content_hash=f"{number:032x}",
        size=number,
        mtime_ns=number,
        width=640,
        height=480,
        format="jpeg",
        taken_at=None,
    )
    return ImageRow(record, (vector / np.linalg.norm(vector)).astype(np.float32))


def _text(record: ImageRecord, text: str) -> TextRow:
    lines = tuple(TextLine(" ".join(line), BOX, 0.9) for line in _lines(text.split()))
    return TextRow(record.id, record.content_hash, ImageText(lines, "benchmark"))


def _lines(words: Sequence[str]) -> Iterator[list[str]]:
    yield from batches(words, 8)


if __name__ == "__main__":
    main()
