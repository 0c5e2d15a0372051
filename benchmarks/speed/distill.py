"""Compare a student with its teacher: `python -m benchmarks.speed.distill FOLDER`.

Trains a student on images and shows, for each epoch, how far its results on held-out images agree
with the teacher's (mAP@10-20 and the mean cosine). Epoch 0 is the untrained student. Without
`--teacher`, the teacher is a CLIP of 32 pixels with random weights, made on the spot: a function
that is as hard to follow as any of its size, and learned in seconds.
"""

import argparse
import logging
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import clipsearch
from benchmarks.machine import parse_options, write_result
from benchmarks.speed.random_checkpoint import require
from clipsearch.models import registry
from clipsearch.models.runtime import Runtime
from clipsearch.render import evaluation_table

IMAGE_TOWER = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8}
TEXT_TOWER = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
SMALL_CLIP = {"embed_dim": 24, "vision_cfg": IMAGE_TOWER, "text_cfg": TEXT_TOWER}


def copy_images(folder: Path, count: int, target: Path) -> Path:
    """Copy the first `count` JPEGs of a folder into a new folder."""
    target.mkdir()
    for path in sorted(folder.glob("*.jpg"))[:count]:
        shutil.copy(path, target)
    return target


def main() -> None:
    """Train a student, print the table and write it to benchmark-distill.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", type=Path, help="a folder of JPEGs")
    parser.add_argument("--teacher", help="a model's name; a small random CLIP if not given")
    parser.add_argument("--captions", type=Path, help="also distill the text tower, on this file")
    parser.add_argument("--count", type=int, default=600, help="number of images")
    parser.add_argument("--epochs", type=int, default=20, help="passes over the images")
    parser.add_argument("--batch-size", type=int, default=32, help="images a step")
    parser.add_argument("--device", default="auto", help="where the student is trained")
    options = parse_options(parser)
    require("open_clip")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with TemporaryDirectory() as name:
        teacher = options.teacher
        if teacher is None:
            from tests.helpers import checkpoints  # needs torch

            folder = Path(name, "teacher")
            checkpoints.save_open_clip(folder, SMALL_CLIP, checkpoints.CLIP_PREPROCESSING)
            teacher = f"local-dir:{folder}"
        runtime = Runtime.from_options(options.device)
        started = time.monotonic()
        report = clipsearch.distill_model(
            teacher,
            copy_images(options.images, options.count, Path(name, "images")),
            Path(name, "student"),
            captions=options.captions,
            epochs=options.epochs,
            batch_size=options.batch_size,
            held_out=0.2,
            runtime=runtime,
        )
        seconds = time.monotonic() - started
        precision = registry.load(teacher, runtime).identity.precision
    print(f"trained on {report.trained:,} images, {report.held_out:,} held out, {seconds:.0f} s")
    print(f"{report.parameters / 1e6:.2f} M parameters;", dict(report.sizes))
    print("tower  epoch   loss  cosine  mAP@10-20")
    for epoch in report.history:
        loss, cosine, agreement = (
            "–" if value is None else f"{value:.3f}"
            for value in (epoch.loss, epoch.cosine, epoch.agreement)
        )
        print(f"{epoch.tower:5}  {epoch.number:5}  {loss:>5}  {cosine:>6}  {agreement:>9}")
    if report.agreement:
        print(evaluation_table.format_evaluation(report.agreement))
    table = [asdict(epoch) for epoch in report.history]
    precisions = {"teacher": precision, "training": "float32, by torch"}
    write_result("distill", options, precisions, seconds=round(seconds), table=table)


if __name__ == "__main__":
    main()
