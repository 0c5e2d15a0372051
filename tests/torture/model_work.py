"""What is killed: the conversion of a model, and a distillation, with an event for each step."""

from pathlib import Path
from typing import Any

import numpy as np

import clipsearch
from clipsearch.distill import training_loop
from clipsearch.errors import UsageError
from clipsearch.models import export, export_cache, int8_build, openvino_runtime, precision
from clipsearch.models.calibration_images import draw_images
from clipsearch.models.export_check import PROMPTS
from clipsearch.models.registry import load
from clipsearch.models.runtime import Runtime
from tests.torture.victim import announce


def teacher() -> dict[str, Any]:
    """A CLIP small enough to distill in a second."""
    tower = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    return {"embed_dim": 24, "vision_cfg": tower, "text_cfg": text}


def announce_steps() -> None:
    """Let everything that writes to the cache or the student's folder print an event."""
    for owner in (export, export_cache):
        if hasattr(owner, "save_graph"):
            announce(owner, "save_graph", lambda path, *_: f"save_graph {path.name}")
    announce(export_cache, "publish", lambda key, _: f"publish {key}")
    announce(export_cache, "save_record", lambda *_: "save_record")
    announce(export_cache, "_sync", lambda path: f"sync {path.name}")
    announce(Path, "rename", lambda path, _: f"rename {path.name}")
    announce(Path, "replace", lambda path, _: f"replace {path.name}")
    announce(int8_build, "calibrate", lambda *_: "calibrate")
    announce(int8_build, "compress", lambda *_: "compress")
    announce(openvino_runtime.Graph, "save_compiled", lambda graph, _: "save_compiled")
    announce(openvino_runtime.Graph, "_compile", lambda graph, *_: f"compile {graph.path.name}")
    announce(training_loop, "save_checkpoint", lambda *_: "save_checkpoint")


def embed(model: Path, operation: str, output: Path) -> None:
    """Open a model in a precision, converting it if needed, and save vectors of test inputs."""
    int8_build.CHECKED_IMAGES, int8_build.MIN_RECALL = 40, 0.5  # vectors of random weights
    precision.SCREENING_SECONDS = precision.TIMING_SECONDS = 0.05
    encoder = load(f"local-dir:{model}", Runtime("cpu", "openvino", operation))
    images = [encoder.preprocess(image) for image in draw_images(4)]
    with output.open("wb") as file:
        np.savez(file, texts=encoder.encode_texts(PROMPTS), images=encoder.encode_images(images))


def distill(teacher: Path, images: Path, student: Path) -> None:
    """Start or continue a distillation, unless it is finished."""
    student.parent.mkdir(exist_ok=True)
    try:
        clipsearch.distill_model(
            f"local-dir:{teacher}",
            images,
            student,
            epochs=3,
            batch_size=8,
            held_out=0.25,
            runtime=Runtime("cpu", "torch"),
        )
    except UsageError as error:
        if "finished student" not in str(error):
            raise
