"""How well a student follows its teacher: `python -m benchmarks.speed.distill PHOTOS [--teacher MODEL]`.

Learns from photographs and shows, after each epoch, how far the student's results on pictures held
out agree with the teacher's (mAP@10-20 and the mean cosine), beside an untrained one of the same
form: the line of epoch 0. Without `--teacher` it is a CLIP of 32 pixels with random weights, made on
the spot: a function that is as hard to follow as any of its size, learnt in seconds.
"""

import argparse
import logging
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import clipsearch
from clipsearch.models.runtime import Runtime
from clipsearch.render import evaluation_table
from tests.helpers import checkpoints

VISION = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
SMALL = {"embed_dim": 24, "vision_cfg": VISION, "text_cfg": TEXT}


def photographs(folder: Path, count: int, into: Path) -> Path:
    """Copy the first `count` files of a folder, which is a folder of their own then."""
    into.mkdir()
    for path in sorted(folder.glob("*.jpg"))[:count]:
        shutil.copy(path, into)
    return into


def main() -> None:
    """Train a student and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--teacher")
    parser.add_argument("--captions", type=Path)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with TemporaryDirectory() as name:
        teacher = arguments.teacher
        if teacher is None:
            folder = Path(name, "teacher")
            checkpoints.save_open_clip(folder, SMALL, checkpoints.CLIP_PREPROCESSING)
            teacher = f"local-dir:{folder}"
        began = time.monotonic()
        found = clipsearch.distill_model(
            teacher,
            photographs(arguments.photos, arguments.count, Path(name, "photos")),
            Path(name, "student"),
            captions=arguments.captions,
            epochs=arguments.epochs,
            batch_size=arguments.batch_size,
            held_out=0.2,
            runtime=Runtime.from_options(arguments.device),
        )
        seconds = time.monotonic() - began
    print(f"{found.trained:,} pictures learnt from, {found.held_out:,} held out, {seconds:.0f} s")
    print(f"{found.parameters / 1e6:.2f} M parameters;", dict(found.sizes))
    print("tower  epoch   loss  cosine  mAP@10-20")
    for epoch in found.history:
        loss, cosine, agreement = (
            "–" if value is None else f"{value:.3f}"
            for value in (epoch.loss, epoch.cosine, epoch.agreement)
        )
        print(f"{epoch.tower:5}  {epoch.number:5}  {loss:>5}  {cosine:>6}  {agreement:>9}")
    if found.agreement:
        print(evaluation_table.format_evaluation(found.agreement))


if __name__ == "__main__":
    main()
