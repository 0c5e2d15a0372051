"""Build the int8 version of a converted model, and check that its embeddings stay close."""

import logging
import shutil
import time
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from clipsearch import cpu
from clipsearch.errors import ModelError, VectorError
from clipsearch.models.calibration_images import SampleImages, calibration_images, draw_images
from clipsearch.models.export_check import PROMPTS, min_cosine
from clipsearch.models.int8 import (
    CALIBRATED,
    INT8_EXTRA,
    WEIGHTS,
    calibrate,
    can_calibrate,
    compress,
)
from clipsearch.models.openvino_encoder import COMPILED, IMAGE, TEXT, OpenVinoEncoder
from clipsearch.models.precision import Figures
from clipsearch.types import Pixels, Vectors
from clipsearch.vectors import normalize

log = logging.getLogger("clipsearch")

MIN_TEXT_COSINE = 0.99
MIN_COSINE = 0.995
MIN_RECALL = 0.97
"""What int8 must reach against float32: the smallest cosine of the test texts, the mean cosine of
held-out images, and the recall of their nearest neighbors."""

NEIGHBORS = 10
CALIBRATION_IMAGES = 64
CHECKED_IMAGES = 128
MIN_IMAGES = 32
CHECK_SECONDS = 10.0
"""How long embedding the held-out images may take in float32; a slow model uses fewer images."""


class Int8Builder:
    """Makes int8 graphs of a conversion and compares their vectors with those in float32."""

    def __init__(
        self, reference: OpenVinoEncoder, source: Path, sample: SampleImages | None
    ) -> None:
        """Use the conversion in float32 in the folder `source`, which `reference` has open."""
        self._reference = reference
        self._source = source
        self._sample = sample

    def build(self, folder: Path) -> dict[str, Any]:
        """Write the best kind of graphs that stays close enough; return the manifest.

        If no kind does, `refused` of the manifest's "figures" says why.
        """
        source, manifest = self._source, dict(self._reference.manifest)
        compress(source / TEXT, folder / TEXT)
        for file in ("tokenizer.json", "merges.json"):
            if file in manifest["files"]:
                shutil.copyfile(source / file, folder / file)
        if not can_calibrate():
            log.info("8-bit weights without calibration, which needs NNCF: %s", INT8_EXTRA)
        figures = Figures(refused="no kind was tried")
        for kind in (CALIBRATED, WEIGHTS) if can_calibrate() else (WEIGHTS,):
            manifest["int8"] = kind
            try:
                self._write_image_graph(folder / IMAGE, kind)
                figures = self._figures(OpenVinoEncoder(folder, manifest, name="int8"))
            except ModelError as error:
                figures = Figures(refused=str(error))
            if not figures.refused:
                break
            if kind == CALIBRATED:
                log.info("%s; trying 8-bit weights without calibration …", figures.refused)
        (folder / COMPILED).mkdir()
        return manifest | {"figures": asdict(figures)}

    def _write_image_graph(self, path: Path, kind: str) -> None:
        if kind == CALIBRATED:
            calibrate(self._source / IMAGE, path, self._calibration_pixels)
        else:
            compress(self._source / IMAGE, path)

    def _figures(self, encoder: OpenVinoEncoder) -> Figures:
        texts = min_cosine(encoder.encode_texts(PROMPTS), self._reference.encode_texts(PROMPTS))
        try:
            vectors = normalize(encoder.encode_images(self._checked_pixels))
        except VectorError as error:
            return Figures(cosine=0.0, refused=str(error))
        cosine = float(np.mean(np.sum(vectors * self._expected, axis=1)))
        recall = neighbor_recall(vectors, self._expected)
        refused = ""
        if texts < MIN_TEXT_COSINE or cosine < MIN_COSINE or recall < MIN_RECALL:
            refused = (
                f"int8 changes vectors too much (cosine {cosine:.4f} of images and {texts:.4f} of "
                f"texts, {recall:.0%} of the nearest neighbors)"
            )
        return Figures(cosine=round(cosine, 5), recall=round(recall, 4), refused=refused)

    @cached_property
    def _pixels(self) -> tuple[list[Pixels], list[Pixels]]:
        """Preprocessed images for calibration, and others for the check."""
        preprocess = self._reference.preprocess
        probe = [preprocess(image) for image in draw_images(cpu.available())]
        self._reference.encode_images(probe)
        started = time.perf_counter()
        self._reference.encode_images(probe)
        each = (time.perf_counter() - started) / len(probe)
        checked = int(np.clip(CHECK_SECONDS / each, MIN_IMAGES, CHECKED_IMAGES))
        calibrated = max(MIN_IMAGES // 2, checked * CALIBRATION_IMAGES // CHECKED_IMAGES)
        images = calibration_images(calibrated + checked, self._sample)
        pixels = [preprocess(image) for image in images]
        # Every third image calibrates; both parts hold real and drawn ones.
        calibration = pixels[::3][:calibrated]
        held_out = [array for index, array in enumerate(pixels) if index % 3]
        return calibration, held_out

    @property
    def _calibration_pixels(self) -> list[Pixels]:
        return self._pixels[0]

    @property
    def _checked_pixels(self) -> list[Pixels]:
        return self._pixels[1]

    @cached_property
    def _expected(self) -> Vectors:
        return normalize(self._reference.encode_images(self._checked_pixels))


def neighbor_recall(vectors: Vectors, expected: Vectors, count: int = NEIGHBORS) -> float:
    """The share of the `count` nearest neighbors in (n, d) `expected` that `vectors` have too.

    Rows of both have length 1. With few rows, fewer neighbors are compared.
    """
    count = min(count, len(expected) - 1)

    def nearest(rows: Vectors) -> Any:
        scores = rows @ rows.T
        np.fill_diagonal(scores, -2)
        return np.argsort(-scores, axis=1)[:, :count]

    pairs = zip(nearest(vectors), nearest(expected), strict=True)
    return float(np.mean([len(np.intersect1d(ours, theirs)) for ours, theirs in pairs])) / count
