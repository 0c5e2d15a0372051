"""The command: `python -m benchmarks.textness ../shared/data/objects --reading-model`."""

import argparse
import json
import logging
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.textness import fonts, street_scenes
from benchmarks.textness.dataset import Photos, photos_in, split, without_text
from benchmarks.textness.drawn_words import Pen, WordWriter
from benchmarks.textness.fonts import Family
from benchmarks.textness.measure import SCALES, fit_probe, held_out, rows, strongest
from benchmarks.textness.model_cache import teach, vocabulary
from benchmarks.textness.reading_model import Effort
from benchmarks.textness.report import Result, table
from benchmarks.textness.typographic import Typographic, build, parts_of
from clipsearch import Index
from clipsearch.errors import ClipsearchError, UsageError
from clipsearch.textness import TextRenderer
from clipsearch.textness.vocabulary import ENGLISH

AMONG, SPARE = 500, 400  # photographs without text in the test's collection, and for other use
TAUGHT = 0.75  # of the photographs of anything are written on in training, the others for a fit
RESULT = Path("benchmark-textness.json")


@dataclass(frozen=True, slots=True)
class Bench:
    """What all models are measured on: the test, photographs for the probe's fit, others without text
    for its own test with words and a pen for that, streets or None.

    `writer` writes text of any kind for the probe, `word_writer` large words alone.
    """

    test: Typographic
    fitted: Sequence[Path]
    unseen: Sequence[Path]
    words: Sequence[str]
    pen: Pen
    streets: Path | None
    writer: TextRenderer
    word_writer: TextRenderer
    prompt: str


def main() -> None:
    """Measure each model; print its table and write everything as JSON."""
    options = _options()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        _run(options)
    except (ClipsearchError, OSError) as error:
        sys.exit(f"Error: {error}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.textness", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder of photographs for each class")
    parser.add_argument("--model", action="append", help="may be given again; default: pocket")
    parser.add_argument(
        "--reading-model", action="store_true", help="also a small CLIP that reads, trained here"
    )
    for name, what in (
        ("others", "everyday photographs without text (default: FOLDER/../backgrounds)"),
        (
            "photos",
            f"photographs of anything: {TAUGHT:.0%}% to write on in training, the others for the "
            "probe's fit (default: FOLDER/../flickr8k/images and FOLDER/../imagenet_sample)",
        ),
    ):
        parser.add_argument(
            f"--{name}", type=Path, action="append", help=f"{what}; may be given again"
        )
    parser.add_argument(
        "--streets",
        type=Path,
        help="street scenes with words.jsonl (default: FOLDER/../scene_text)",
    )
    parser.add_argument(
        "--prompt", default="{}", help='a query, with {} for the name: "a photo of {}"'
    )
    parser.add_argument("--cache", type=Path, default=Path(".cache/textness"))
    options = parser.parse_args()
    if "{}" not in options.prompt:
        parser.error("--prompt needs a {} for the name of the thing")
    return options


def _run(options: argparse.Namespace) -> None:
    beside = options.folder.resolve().parent
    photos = split(options.folder, np.random.default_rng(0))
    others = _photos(options.others, beside / "backgrounds")
    spare, among = parts_of(others, np.random.default_rng(1), SPARE, AMONG)
    test_fonts = fonts.families(fonts.OF_THE_TEST, options.cache)
    taught_fonts = fonts.families(fonts.OF_THE_READING_MODEL, options.cache)
    models = dict.fromkeys(options.model or ["pocket"], "")
    anything = _photos(options.photos, beside / "flickr8k" / "images", beside / "imagenet_sample")
    everyday = [*anything, *spare]
    taught = round(TAUGHT * len(everyday))
    written_on, fitted = parts_of(
        everyday, np.random.default_rng(3), taught, len(everyday) - taught
    )
    if options.reading_model:
        folder, note = _taught(options.cache, photos, written_on, taught_fonts)
        models[f"local-dir:{folder}"] = note
    place = options.streets or beside / "scene_text"
    probe_fonts = fonts.of_the_probe([*test_fonts, *taught_fonts])
    other_words = _other_words(photos)
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(
            build(
                Path(scratch, "test"), photos.test, among, Pen(test_fonts), np.random.default_rng(2)
            ),
            [*fitted, *(file for files in photos.taught.values() for file in files)],
            without_text(among) or [file for files in photos.test.values() for file in files],
            vocabulary(without=photos.test)[1],
            Pen(test_fonts),
            place if (place / "words.jsonl").is_file() else None,
            TextRenderer(words=other_words, fonts=probe_fonts),
            WordWriter(Pen(fonts.by_family(probe_fonts)), other_words),
            options.prompt,
        )
        for number, (model, note) in enumerate(models.items()):
            result = _measure(bench, model, note, Path(scratch, f"{number}.db"))
            print(table(result), end="\n\n", flush=True)
            results.append(result.as_json())
            RESULT.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _photos(named: Sequence[Path] | None, *usual: Path) -> list[Path]:
    """All pictures in the folders that are named, else in the usual ones that are there."""
    folders = named or [folder for folder in usual if folder.is_dir()]
    return [file for folder in folders for file in photos_in(folder)]


def _taught(
    cache: Path, photos: Photos, others: Sequence[Path], families: Sequence[Family]
) -> tuple[Path, str]:
    """The folder of the reading model, and what it was taught with."""
    if not others:
        raise UsageError("no photographs to write on: name a folder of them with --photos")
    effort = Effort()
    started = time.perf_counter()
    with _bar(effort.steps, "reading model", "step") as bar:
        folder = teach(
            cache.resolve(), photos.taught, others, families, effort=effort, advance=bar.update
        )
    seconds = time.perf_counter() - started
    return (
        folder,
        f"taught here, {sum(map(len, photos.taught.values()))} photographs of {len(photos.taught)} things"
        + (f", {seconds / 60:.1f} minutes" if seconds > 30 else ""),
    )


def _measure(bench: Bench, model: str, note: str, store: Path) -> Result:
    started = time.perf_counter()
    test = bench.test
    steps = 2 + len(SCALES) * (2 if bench.streets else 1)
    with _bar(steps, model, "step") as bar:
        with Index.open(store, collection="fit", model=model) as index:
            probe = fit_probe(index, bench.fitted, bench.writer)
            of_words = fit_probe(index, bench.fitted, bench.word_writer)
        bar.update()
        with Index.open(store, collection="test", model=model) as index:
            counts = {"pictures": index.ingest(test.folder).stored}
            index.textness.save(probe)
            bar.update()
            found, found_by_words = (
                held_out(index, one, bench.unseen, bench.words, bench.pen)
                for one in (probe, of_words)
            )
            measured = rows(index, test, bench.prompt, bar.update)
            strong = strongest(index, test, bench.prompt)
        on_streets = []
        if bench.streets:
            with Index.open(store, collection="streets", model=model) as index:
                on_streets = street_scenes.rows(
                    index, bench.streets, [test.clean / "others"], probe, bar.update
                )
    return Result(
        model,
        note,
        _machine(),
        counts,
        probe,
        found,
        found_by_words,
        measured,
        strong,
        on_streets,
        time.perf_counter() - started,
    )


def _other_words(photos: Photos) -> list[str]:
    """The probe's words, without any that stands in a name of the test."""
    names = {word for name in photos.test for word in name.split()}
    return [word for word in ENGLISH if word not in names]


def _machine() -> str:
    return f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def _bar(total: int, what: str, unit: str) -> "tqdm[None]":
    return tqdm(
        total=total, desc=what, unit=unit, dynamic_ncols=True, disable=not sys.stderr.isatty()
    )


if __name__ == "__main__":
    main()
