"""What the benchmark does: make its dataset, fit the probes, measure each model."""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.textness import fonts
from benchmarks.textness.dataset import LabeledFiles, image_files, split_classes, without_text
from benchmarks.textness.fonts import FontFamily
from benchmarks.textness.metrics import (
    SCALES,
    evaluate_probe,
    fit_probe,
    measure_scales,
    strongest_scale,
)
from benchmarks.textness.model_cache import load_or_train, split_vocabulary
from benchmarks.textness.reading_model import TrainingSteps
from benchmarks.textness.report import Result, format_result
from benchmarks.textness.street_scenes import measure_streets
from benchmarks.textness.synthetic_words import LargeWordRenderer, WordRenderer
from benchmarks.textness.typographic_dataset import (
    TypographicDataset,
    build_dataset,
    random_parts,
)
from clipsearch import Index, cpu
from clipsearch.errors import UsageError
from clipsearch.textness import TextRenderer
from clipsearch.textness.vocabulary import ENGLISH

TEST_IMAGES, SPARE_IMAGES = 500, 400  # without text: in the test's collection, and for other uses
TRAINING_SHARE = 0.75  # of the images of anything; the others are for the probe's fit
RESULT = Path("benchmark-textness.json")


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What all models are measured with.

    `fit_images` are for the probe's fit; `held_out_images`, `held_out_words` and `word_renderer`
    for the probe's own test. `streets` is None without street scenes. `text_renderer` draws text of
    any kind for the probe's fit, `large_word_renderer` large words alone.
    """

    dataset: TypographicDataset
    fit_images: Sequence[Path]
    held_out_images: Sequence[Path]
    held_out_words: Sequence[str]
    word_renderer: WordRenderer
    streets: Path | None
    text_renderer: TextRenderer
    large_word_renderer: TextRenderer
    prompt: str


def measure_models(options: argparse.Namespace) -> None:
    """Measure each model; print its metrics and write them to benchmark-textness.json."""
    data = options.folder.resolve().parent
    classes = split_classes(options.folder, np.random.default_rng(0))
    others = _image_files(options.others, data / "backgrounds")
    spare, test_others = random_parts(others, np.random.default_rng(1), SPARE_IMAGES, TEST_IMAGES)
    test_fonts = fonts.package_families(fonts.TEST_PACKAGES, options.cache)
    training_fonts = fonts.package_families(fonts.READING_MODEL_PACKAGES, options.cache)
    models = dict.fromkeys(options.model or ["pocket"], "")
    anything = _image_files(options.images, data / "flickr8k" / "images", data / "imagenet_sample")
    everyday = [*anything, *spare]
    training_count = round(TRAINING_SHARE * len(everyday))
    training_images, fit_images = random_parts(
        everyday, np.random.default_rng(3), training_count, len(everyday) - training_count
    )
    if options.reading_model:
        folder, note = _reading_model(options.cache, classes, training_images, training_fonts)
        models[f"local-dir:{folder}"] = note
    streets = options.streets or data / "scene_text"
    probe_fonts = fonts.system_fonts([*test_fonts, *training_fonts])
    probe_words = _words_without_names(classes)
    word_renderer = WordRenderer(test_fonts)
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        rng = np.random.default_rng(2)
        benchmark = Benchmark(
            build_dataset(Path(scratch, "test"), classes.test, test_others, word_renderer, rng),
            [*fit_images, *(file for files in classes.train.values() for file in files)],
            without_text(test_others)
            or [file for files in classes.test.values() for file in files],
            split_vocabulary(without=classes.test)[1],
            word_renderer,
            streets if (streets / "words.jsonl").is_file() else None,
            TextRenderer(words=probe_words, fonts=probe_fonts),
            LargeWordRenderer(WordRenderer(fonts.english_families(probe_fonts)), probe_words),
            options.prompt,
        )
        for number, (model, note) in enumerate(models.items()):
            result = _measure(benchmark, model, note, Path(scratch, f"{number}.db"))
            print(format_result(result), end="\n\n", flush=True)
            results.append(result.as_json())
            file = options.result or RESULT
            file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _image_files(folders: Sequence[Path] | None, *defaults: Path) -> list[Path]:
    """All image files in `folders`, or in the default folders that exist."""
    existing = folders or [folder for folder in defaults if folder.is_dir()]
    return [file for folder in existing for file in image_files(folder)]


def _reading_model(
    cache: Path, classes: LabeledFiles, others: Sequence[Path], families: Sequence[FontFamily]
) -> tuple[Path, str]:
    """The folder of the reading model, and a note on its training."""
    if not others:
        raise UsageError("no images to draw text on: give a folder of images with --images")
    steps = TrainingSteps()
    started = time.perf_counter()
    with _progress(steps.total, "reading model") as bar:
        folder = load_or_train(
            cache.resolve(), classes.train, others, families, steps=steps, advance=bar.update
        )
    seconds = time.perf_counter() - started
    count = sum(map(len, classes.train.values()))
    note = f"trained here, {count} images of {len(classes.train)} objects"
    return folder, note + (f", {seconds / 60:.1f} minutes" if seconds > 30 else "")


def _measure(benchmark: Benchmark, model: str, note: str, store: Path) -> Result:
    started = time.perf_counter()
    dataset = benchmark.dataset
    steps = 2 + len(SCALES) * (2 if benchmark.streets else 1)
    with _progress(steps, model) as bar:
        with Index.open(store, collection="fit", model=model) as index:
            probe = fit_probe(index, benchmark.fit_images, benchmark.text_renderer)
            word_probe = fit_probe(index, benchmark.fit_images, benchmark.large_word_renderer)
        bar.update()
        with Index.open(store, collection="test", model=model) as index:
            precision = index.encoder.identity.precision
            counts = {"images": index.ingest(dataset.folder).stored}
            index.textness.save(probe)
            bar.update()
            held_out, held_out_fitted_on_words = (
                evaluate_probe(
                    index,
                    fitted,
                    benchmark.held_out_images,
                    benchmark.held_out_words,
                    benchmark.word_renderer,
                )
                for fitted in (probe, word_probe)
            )
            scales = measure_scales(index, dataset, benchmark.prompt, bar.update)
            strongest = strongest_scale(index, dataset, benchmark.prompt)
        streets = []
        if benchmark.streets:
            with Index.open(store, collection="streets", model=model) as index:
                others = [dataset.clean / "others"]
                streets = measure_streets(index, benchmark.streets, others, probe, bar.update)
    return Result(
        model=model,
        note=note,
        machine=f"{cpu.description()}, {platform.system()}, Python {platform.python_version()}",
        precision=precision,
        counts=counts,
        probe=probe,
        held_out=held_out,
        held_out_fitted_on_words=held_out_fitted_on_words,
        scales=scales,
        strongest=strongest,
        streets=streets,
        seconds=time.perf_counter() - started,
    )


def _words_without_names(classes: LabeledFiles) -> list[str]:
    """The probe's words except those in the names of the test."""
    names = {word for name in classes.test for word in name.split()}
    return [word for word in ENGLISH if word not in names]


def _progress(total: int, title: str) -> "tqdm[None]":
    hidden = not sys.stderr.isatty()
    return tqdm(total=total, desc=title, unit="step", dynamic_ncols=True, disable=hidden)
