"""A model converted to OpenVINO: its precisions, each checked against float32, and the choice."""

import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clipsearch import cpu
from clipsearch.errors import ModelError
from clipsearch.models import export_cache
from clipsearch.models.calibration_images import SampleImages, draw_images
from clipsearch.models.embedding import BATCH
from clipsearch.models.export_check import PROMPTS, embed_test_inputs, min_cosine
from clipsearch.models.int8 import CALIBRATED, WEIGHTS, can_calibrate
from clipsearch.models.int8_build import Int8Builder
from clipsearch.models.model_name import ModelRef
from clipsearch.models.openvino_encoder import OpenVinoEncoder
from clipsearch.models.precision import (
    Figures,
    PrecisionRecord,
    Variant,
    load_record,
    offered,
    save_record,
    time_variants,
)

log = logging.getLogger("clipsearch")

MIN_BF16_COSINE = 0.999
"""The smallest cosine to float32 on test inputs at which bfloat16 is offered."""


@dataclass(frozen=True)
class ExportedModel:
    """The saved conversion of a model in float32, from which the other precisions are made.

    `key` names its folder in the export cache. `sample` returns images of the user for calibration;
    `load_on_torch` loads the original model for what has no graph.
    """

    ref: ModelRef
    key: str
    load_on_torch: Callable[[], Any] | None = None
    sample: SampleImages | None = None

    @property
    def folder(self) -> Path:
        """Its folder."""
        return export_cache.folder() / self.key

    def open(self, precision: str) -> OpenVinoEncoder:
        """Open it in a precision of `Runtime`, measuring and checking what is not known yet.

        Raises ModelError if files are missing, or if int8 changes the vectors too much.
        """
        variant = "fp32" if precision == "fp32" else self._choose(precision)
        return self._encoder(variant)

    def record(self) -> PrecisionRecord | None:
        """What was measured on this machine; None if nothing was."""
        return load_record(self.folder)

    @property
    def has_int8(self) -> bool:
        """Whether int8 was made, in the best kind that is possible now, or was refused."""
        return self._int8_manifest is not None

    def _choose(self, precision: str) -> Variant:
        variants = offered(precision)
        if variants in ((), ("fp32",)):  # without instructions for the others
            return "fp32"
        record = self.record()
        wants_int8 = any("int8" in variant for variant in variants)
        if record is None or not record.covers(variants) or (wants_int8 and not self.has_int8):
            if not os.access(self.folder, os.W_OK) and precision == "auto":
                log.info(
                    "model %s computes in float32: %s is read-only, so that no choice of a "
                    "precision can be saved",
                    self.ref.name,
                    self.folder,
                )
                return "fp32"
            record = self._measure(variants, record)
        if variant := record.best(variants):
            return variant
        if precision == "int8":
            raise ModelError(
                f"model {self.ref.name} cannot compute in int8: {record.figures['int8'].refused}; "
                "use --precision auto"
            )
        log.info("model %s computes in float32: %s", self.ref.name, record.figures["bf16"].refused)
        return "fp32"

    def _measure(
        self, variants: Sequence[Variant], known: PrecisionRecord | None
    ) -> PrecisionRecord:
        """Check and time variants, and save the figures with those that are known."""
        figures = {v: self._check(v) for v in variants if "int8" not in v}
        if in_int8 := [v for v in variants if "int8" in v]:
            figures |= dict.fromkeys(in_int8, self._check_int8())
        usable = {v: self._encoder(v) for v, checked in figures.items() if not checked.refused}
        began = time.monotonic()
        if usable:
            some_encoder = next(iter(usable.values()))
            rates = time_variants(usable, some_encoder.preprocess(draw_images(1)[0]), BATCH)
            for variant, rate in rates.items():
                refused = "" if rate else "OpenVINO cannot compute it on this processor"
                figures[variant] = replace(
                    figures[variant], images_per_second=round(rate, 2), refused=refused
                )
        record = PrecisionRecord(cpu.description(), dict(known.figures if known else {}) | figures)
        if len(variants) > 1 and (best := record.best(variants)):
            log.info(
                "model %s computes in %s, the fastest of %s (measured in %.1f s)",
                self.ref.name,
                best,
                ", ".join(f"{v} {figures[v].images_per_second:.0f} images/s" for v in usable),
                time.monotonic() - began,
            )
            self._encoder(best).save_compiled(PROMPTS, draw_images(2))
        save_record(self.folder, record)  # last: after a kill, all of this is done again
        return record

    def _check(self, variant: Variant) -> Figures:
        """Compare the vectors of "fp32" or "bf16" with those in float32."""
        if variant == "fp32":
            return Figures()
        inputs = embed_test_inputs(self._encoder("fp32"))
        cosine = round(min_cosine(embed_test_inputs(self._encoder("bf16")), inputs), 5)
        if cosine < MIN_BF16_COSINE:
            return Figures(cosine=cosine, refused=f"bfloat16 changes vectors (cosine {cosine})")
        return Figures(cosine=cosine)

    def _check_int8(self) -> Figures:
        """Return the comparison of int8 with float32, making the int8 graphs if needed."""
        try:
            return Figures(**(self._int8_manifest or self._make_int8())["figures"])
        except (OSError, MemoryError) as error:  # tried again by the next process
            refused = f"its int8 version {export_cache.describe_failure(error)}"
            log.info("model %s: %s", self.ref.name, refused)
            return Figures(refused=refused)

    def _encoder(self, variant: Variant) -> OpenVinoEncoder:
        key = self._int8_key if variant.startswith("int8") else self.key
        folder = export_cache.folder() / key
        manifest = export_cache.manifest(key)
        if manifest is None:
            raise ModelError(f"files are missing from {folder}: delete it and try again")
        export_cache.touch(key)
        return OpenVinoEncoder(
            folder,
            manifest,
            name=self.ref.open_clip_name or self.ref.name,
            bf16=variant.endswith("bf16"),
            load_on_torch=self.load_on_torch,
        )

    @property
    def _int8_key(self) -> str:
        calibrated, weights = (
            export_cache.key(self.key, "int8", kind) for kind in (CALIBRATED, WEIGHTS)
        )
        if can_calibrate() or export_cache.manifest(calibrated):
            return calibrated  # with NNCF, a better one than with 8-bit weights alone
        return weights

    @property
    def _int8_manifest(self) -> dict[str, Any] | None:
        return export_cache.manifest(self._int8_key)

    def _make_int8(self) -> dict[str, Any]:
        """Make the int8 graphs, the best kind that stays close enough; return their manifest.

        If no kind does, the manifest says so, so that it is not tried again.
        """
        log.info(
            "model %s: making and checking its int8 version, once (up to a minute) …", self.ref.name
        )
        began = time.monotonic()
        builder = Int8Builder(self._encoder("fp32"), self.folder, self.sample)
        export_cache.publish(self._int8_key, builder.build)
        manifest = self._int8_manifest
        if manifest is None:
            raise ModelError(f"files are missing from {export_cache.folder() / self._int8_key}")
        seconds = time.monotonic() - began
        refused = manifest["figures"]["refused"]
        log.info("%s, in %.0f s", f"not usable: {refused}" if refused else "done", seconds)
        return manifest
