"""Filter expressions and typed filters, compared with Python; what is malformed must be refused.

    python -m tests.torture.filters --expressions 10000 --seed 1

Prints the counts as JSON; exits with 1 on a difference, another error than UsageError, or if
Milvus Lite ended. With --uri the collection is made on a server, under a name of its own.
"""

import argparse
import json
import math
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import numpy as np

from clipsearch.cli import filter_options
from clipsearch.errors import UsageError
from clipsearch.query import Filters
from clipsearch.query.condition import select
from clipsearch.records import ImageRecord
from clipsearch.session import open_store
from clipsearch.store import Collection, Store
from clipsearch.store.milvus_lite import local_store
from clipsearch.store.milvus_lite.native_server import NativeServer
from clipsearch.types import ImageRow
from tests.helpers.records import MODEL, row
from tests.torture.expressions import Generator, evaluate

FAULTS = ("differences", "other_errors", "refused_wrongly", "deaths")
REFUSAL = re.compile(r"character \d+|control characters|at most [\d,]+ characters")
INFIX = re.compile(r"like\s*['\"]%", re.IGNORECASE)
"""A pattern for the end or the middle of a text."""

FOLDERS = ("/a", "/a_b", "/a%", "/é/日 x", "/q'\"", "/b\\c")
CAMERAS = ("", "Canon EOS 5D", "Google Pixel 7", "NIKON D5 'x'")
EDGE = 1e-6
"""Share of a distance within which a place counts as neither inside nor outside."""


def images(count: int, seed: int) -> list[ImageRow]:
    """Rows whose fields have odd, extreme and missing values."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        name = draw.choice(["cat", "Cat", "x_y", "100%", "o'k", "ü", "-", "[a]"])
        path = f"{draw.choice(FOLDERS)}/{name}{number}.{draw.choice(['jpg', 'PNG', 'gif'])}"
        place = (round(draw.uniform(-90, 90), 4), round(draw.uniform(-180, 180), 4))
        near = (round(48 + draw.random(), 4), round(11 + draw.random(), 4))
        latitude, longitude = draw.choice([(None, None), place, near, (0.0, 180.0), (90.0, 0.0)])
        plain = row(path, [draw.gauss(0, 1) for _ in range(4)], content=f"hash {number // 2}")
        record = replace(
            plain.record,
            size=draw.choice([0, 1, 999, 2**40, 2**62, draw.randrange(10**6)]),
            mtime_ns=draw.choice([-5, 0, 1_700_000_000_000_000_000 + number]),
            width=draw.choice([1, 10, 640, 4000]),
            height=draw.choice([1, 10, 480, 4000]),
            format=draw.choice(["jpeg", "png", "gif"]),
            taken_at=draw.choice(
                [None, datetime(1900, 1, 1), datetime(2015, 6, 7) + timedelta(hours=number)]
            ),
            camera=draw.choice(CAMERAS),
            latitude=latitude,
            longitude=longitude,
            taken_from=draw.choice(["", "exif", "name"]),
            tags=draw.choice([(), ("cat",), ("cat", "a b"), ("dog", 'q"')]),
        )
        rows.append(ImageRow(record, plain.embedding))
    return rows


class Comparison:
    """Expressions and options on one collection, and counts of what was found."""

    def __init__(self, collection: Collection, rows: Sequence[ImageRow], seed: int) -> None:
        """Compare with rows that the collection holds."""
        self._collection = collection
        self._records = [row.record for row in rows]
        self._random = random.Random(seed)
        self._generator = Generator(self._records, seed)
        self.counts: Counter[str] = Counter()
        self.messages: list[str] = []

    @property
    def has_failed(self) -> bool:
        """Whether any count of FAULTS is not zero."""
        return any(self.counts[fault] for fault in FAULTS)

    def check(self) -> None:
        """Compare one expression, mutant, or combination of options."""
        match self._random.randrange(10):
            case 0 | 1 | 2 | 3:
                self._compare(["--filter", self._generator.expression()], must_parse=True)
            case 4 | 5 | 6:
                self._compare(["--filter", self._generator.mutant()])
            case 7 | 8:
                self._compare(self._options(), must_parse=True)
            case _:
                expression = self._generator.expression(3)
                options = [*self._options(), "--filter", expression]
                self._compare(options, must_parse=True)

    def _options(self) -> list[str]:
        """Return one to three options of the command line."""
        draw, record = self._random, self._random.choice(self._records)
        place = (record.latitude or 48.2, record.longitude or 11.5)
        kilometers = draw.choice([0.01, 5, 60, 2_000, 20_100])
        taken = record.taken_at or datetime(2015, 6, 8)
        choices = [
            ["--under", draw.choice(FOLDERS)],
            ["--glob", draw.choice(["*.jpg", "cat*", "*%*", "x_y*", "?at1*", "*[[]a]*", "Ü*"])],
            ["--after", draw.choice([taken.strftime("%Y-%m-%d"), "2015", "1800-01-01"])],
            ["--before", draw.choice([taken.isoformat(), "2015-06", "9999"])],
            ["--near", f"{place[0]},{place[1]},{kilometers}"],
            ["--camera", draw.choice(["canon", "PIXEL 7", "'x'", "o", "none"])],
            ["--type", draw.choice(["jpg", "png", "GIF"])],
            ["--tag", draw.choice(["cat", "a b", 'q"', "bird"])],
            ["--min-width", draw.choice(["10", "641"])],
            ["--min-height", draw.choice(["10", "481"])],
            ["--min-bytes", draw.choice(["1", "1kB", "5GB"])],
            ["--max-bytes", draw.choice(["999", "1MB"])],
        ]
        return [word for option in draw.sample(choices, draw.randint(1, 3)) for word in option]

    def _compare(self, arguments: list[str], *, must_parse: bool = False) -> None:
        self.counts["expressions"] += 1
        shown = repr(arguments)
        try:
            options = parse(arguments)
            filters = Filters(**options)
        except UsageError as refusal:
            self.counts["refused"] += 1
            if must_parse or not REFUSAL.search(str(refusal)):
                self._note("refused_wrongly", f"{shown}: {refusal}")
            return
        except Exception as error:  # noqa: BLE001 - any other one is a fault
            self._note("other_errors", f"{shown}: {error!r}")
            return
        try:
            found = self._find(filters)
        except UsageError as refusal:
            if "Milvus cannot read" in str(refusal) and INFIX.search(filters.expression):
                self.counts["unsupported_like"] += 1  # before Milvus 2.4
            elif must_parse or not REFUSAL.search(str(refusal)):
                self._note("refused_wrongly", f"{shown}: {refusal}")
            else:  # a control character, which no version can compare
                self.counts["refused"] += 1
            return
        except Exception as error:  # noqa: BLE001
            self._note("other_errors", f"{shown}: {error!r}")
            return
        verdicts = {record.path: matches(options, record) for record in self._records}
        self.counts["matches"] += len(found)
        wrong = [
            path
            for path, verdict in verdicts.items()
            if verdict is not None and verdict != (path in found)
        ]
        if wrong:
            self._note("differences", f"{shown}: {wrong[:3]} of {len(wrong)}")

    def _find(self, filters: Filters) -> set[Path]:
        """Return what a scan finds, and what a search finds in one of five cases."""
        selection = select(filters, self._collection)
        if self._random.random() < 0.2 and selection.is_exact:
            query = np.array([1, 0, 0, 0], dtype=np.float32)
            [hits] = self._collection.search(
                query, limit=len(self._records), condition=selection.condition
            )
            self.counts["searched"] += 1
            return {hit.record.path for hit in hits}
        records = self._collection.scan(selection.condition)
        return {record.path for record in records if selection.matches(record)}

    def _note(self, fault: str, message: str) -> None:
        self.counts[fault] += 1
        self.messages.append(f"{fault}: {message}")


def parse(arguments: list[str]) -> dict[str, Any]:
    """Return the keyword arguments of `Filters` that a command makes of its options."""

    @click.command
    @filter_options.filters
    def command(**options: Any) -> dict[str, Any]:
        return options

    try:
        return dict(command.main(arguments, standalone_mode=False))
    except click.UsageError as error:
        raise UsageError(error.message) from error


def matches(options: dict[str, Any], record: ImageRecord) -> bool | None:
    """Whether a record meets all options, in plain Python; None at the edge of a circle."""
    name, taken = record.path.name, record.taken_at
    if options["under"] and options["under"] not in record.path.parents:
        return False
    if options["glob"] and not fnmatchcase(name.lower(), options["glob"].lower()):
        return False
    if options["taken_from"] and not (taken and taken >= options["taken_from"]):
        return False
    if options["taken_before"] and not (taken and taken < options["taken_before"]):
        return False
    if options["camera"] and options["camera"].lower() not in record.camera.lower():
        return False
    names = {"jpg": "jpeg"}
    formats = {names.get(name.lower(), name.lower()) for name in options["formats"]}
    if formats and record.format not in formats:
        return False
    if not set(options["tags"]) <= set(record.tags):
        return False
    if record.width < (options["min_width"] or 0) or record.height < (options["min_height"] or 0):
        return False
    if record.size < (options["min_bytes"] or 0):
        return False
    if options["max_bytes"] is not None and record.size > options["max_bytes"]:
        return False
    if options["expression"].strip() and evaluate(options["expression"], record) is not True:
        return False
    return is_near(options["near"], record) if options["near"] else True


def is_near(near: Any, record: ImageRecord) -> bool | None:
    """Whether a record's place is in a circle, by vectors from the center of the Earth."""
    if record.latitude is None or record.longitude is None:
        return False

    def unit(latitude: float, longitude: float) -> tuple[float, float, float]:
        phi, theta = math.radians(latitude), math.radians(longitude)
        return math.cos(phi) * math.cos(theta), math.cos(phi) * math.sin(theta), math.sin(phi)

    chord: float = math.dist(
        unit(near.latitude, near.longitude), unit(record.latitude, record.longitude)
    )
    distance = 2 * 6371.0088 * math.asin(min(1.0, chord / 2))
    if abs(distance - near.kilometers) < EDGE * near.kilometers + 1e-5:
        return None
    return bool(distance < near.kilometers)


def compare_file(path: Path, rows: Sequence[ImageRow], count: int, seed: int) -> Counter[str]:
    """Compare conditions on ids that the file of a closed store answers with Python."""
    draw, counts = random.Random(seed), Counter[str]()
    records = [row.record for row in rows]
    with open_store(path, create=False, single_query=True, daemon=False) as store:
        collection = store.collection("images")
        for _ in range(count):
            ids = [record.id for record in draw.sample(records, 3)]
            parts = draw.sample(
                [
                    f'id {draw.choice(["<", "<=", ">", ">=", "==", "!="])} "{ids[0]}"',
                    f'id in ["{ids[1]}", "{ids[2]}", "{ids[0]}"]',
                    f'id > "{ids[2][: draw.randint(0, 5)]}"',
                ],
                draw.randint(1, 3),
            )
            expression = " and ".join(parts)
            condition = select(Filters(expression=expression), collection).condition
            query = np.array([1, 0, 0, 0], dtype=np.float32)
            [hits] = collection.search(query, limit=len(rows), condition=condition)
            expected = {record.path for record in records if evaluate(expression, record)}
            counts["file_expressions"] += 1
            counts["differences"] += {hit.record.path for hit in hits} != expected
            counts["differences"] += collection.count(condition) != len(expected)
        counts["file_answers"] += count * (not started(path))
    return counts


def started(path: Path) -> int:
    """Return how many processes of Milvus Lite were started for an open store."""
    server = local_store._servers[path.resolve()]
    return len(server._processes) if isinstance(server, NativeServer) else 1


def torture(place: str | Path, count: int, seed: int, *, size: int = 60) -> Comparison:
    """Make a collection of random rows and compare `count` filters on it."""
    rows = images(size, seed)
    name = "images" if isinstance(place, Path) else f"torture_{uuid4().hex}"
    with Store.open(place) as store:
        collection = store.create(name, MODEL)
        try:
            collection.upsert(rows)
            collection.finish_writes()
            comparison = Comparison(collection, rows, seed)
            for _ in range(count):
                comparison.check()
            if collection.count() != len(rows):
                comparison.counts["differences"] += 1
            if isinstance(place, Path):
                comparison.counts["deaths"] += started(place) - 1
        finally:
            if not isinstance(place, Path):
                store.drop(name)
    if isinstance(place, Path):
        comparison.counts += compare_file(place, rows, count // 10, seed)
    return comparison


def main() -> int:
    """Run the comparisons that the options ask for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--expressions", type=int, default=1_000, help="how many (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    parser.add_argument("--uri", help="a Milvus server (default: Milvus Lite)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        place = options.uri or Path(folder, "images.db")
        comparison = torture(place, options.expressions, options.seed)
    faults = {fault: comparison.counts[fault] for fault in FAULTS}
    messages = {"messages": comparison.messages[:20]}
    print(json.dumps({**faults, **dict(sorted(comparison.counts.items())), **messages}, indent=2))
    return 1 if comparison.has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
